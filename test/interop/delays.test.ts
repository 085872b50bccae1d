/**
 * Delayed messages go from hand to hand: what one broker leaves waiting, by level or for a time, the other delivers when
 * it takes the directory. After clean stops each comes once; after kills at least once; what was cancelled never comes.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { systemClock } from '../../lib/base/system.js'
import { Broker } from '../../lib/broker/broker.js'
import { MessageStore } from '../../lib/index.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { request } from '../../lib/remoting/command.js'
import { programPath, start } from '../support/children.js'
import type { DelayedSpec, DelaySenderInput } from '../support/delay-sender.js'
import { bodies, readQueue } from '../support/open-store.js'
import { cleanUp } from './clean-up.js'
import { brokerSizes, type JavaServer, startBroker } from './java-servers.js'
import { temporary } from './ours.js'

const HOUR = 3_600_000
const SEND_MESSAGE = 10
const sizes = { ...brokerSizes, checksum: 'body', brokerName: 'broker' } as const
const options = { topics: { t: { queues: 1 } }, store: sizes } as const

/** Somebody who has the directory. */
interface Holder {
  release(how: 'stopped' | 'killed'): Promise<void>
}

describe('delayed messages, in turn', () => {
  for (const how of ['stopped', 'killed'] as const) {
    for (const first of ['mqlite', 'RocketMQ 5.3.3'] as const) {
      const second = first === 'mqlite' ? 'RocketMQ 5.3.3' : 'mqlite'
      test(`${first} and ${second}, each ${how} twice, deliver what the other left`, { timeout: 600_000 }, async (t) => {
        const directory = temporary(t)
        await (await Broker.open(directory, options)).close()
        const due: string[] = []
        const all: string[] = []
        for (let turn = 0; turn < 4; turn++) {
          const holder = (turn % 2 === 0 ? first : second) === 'mqlite' ? takeOurs : takeJava
          const messages = messagesOf(turn, holder === takeOurs)
          const held = await holder(t, directory, messages)
          // What was left waiting comes, and the first of the new ones shows that the timer has read them all.
          await comes(directory, [...due, `${turn}.soon`])
          due.push(`${turn}.soon`, `${turn}.later`, `${turn}.level`)
          all.push(...messages.filter(({ isCancelled }) => isCancelled !== true).map(({ body }) => body))
          await held.release(how)
        }
        await judge(directory, all, how)
      })
    }
  }
})

/** What is sent in a turn: some of it is due while the next one has the directory. RocketMQ takes 3 days at most. */
function messagesOf(turn: number, isOurs: boolean): DelayedSpec[] {
  return [
    { body: `${turn}.cancelled`, delayMs: 3 * HOUR, isCancelled: true },
    { body: `${turn}.hours`, delayMs: 3 * HOUR },
    { body: `${turn}.days`, delayMs: (isOurs ? 10 * 24 : 60) * HOUR },
    { body: `${turn}.later`, delayMs: 9000 },
    { body: `${turn}.level`, delayLevel: 3 },
    { body: `${turn}.soon`, delayMs: 2000 },
  ]
}

async function takeOurs(_: TestContext, directory: string, messages: readonly DelayedSpec[]): Promise<Holder> {
  const input: DelaySenderInput = { directory, options, messages }
  const child = start(process.execPath, [programPath('delay-sender'), JSON.stringify(input)])
  if (!(await child.printed('sent'))) assert.fail((await child.exit).stderr)
  return {
    async release(how) {
      child.process.kill(how === 'killed' ? 'SIGKILL' : 'SIGTERM')
      const { code, stderr } = await child.exit
      assert.equal(stderr, '')
      if (how === 'stopped') assert.equal(code, 0)
    },
  }
}

async function takeJava(t: TestContext, directory: string, messages: readonly DelayedSpec[]): Promise<Holder> {
  const server = await startBroker(t, '5.3.3', {
    brokerName: sizes.brokerName,
    brokerClusterName: 'DefaultCluster',
    namesrvAddr: '127.0.0.1:1',
    storePathRootDir: directory,
    storePathCommitLog: `${directory}/commitlog`,
    timerWheelEnable: true,
  })
  const client = new RemotingClient()
  cleanUp(t, () => client.close(100))
  for (const [i, message] of messages.entries()) await sendToJava(client, server, message, i)
  return {
    async release(how) {
      await client.close(100)
      await server.stop(how === 'killed' ? 'SIGKILL' : 'SIGTERM')
    },
  }
}

async function sendToJava(client: RemotingClient, server: JavaServer, spec: DelayedSpec, i: number): Promise<void> {
  const { body, delayMs, delayLevel, isCancelled } = spec
  const uniqueKey = `7F0000010001${String(Date.now()).padStart(16, '0')}000${i}`
  const delay = delayLevel === undefined ? `TIMER_DELIVER_MS\x01${Date.now() + delayMs!}` : `DELAY\x01${delayLevel}`
  await put(client, server, body, `UNIQ_KEY\x01${uniqueKey}\x02${delay}\x02WAIT\x01true`)
  if (isCancelled === true)
    await put(client, server, '0', `UNIQ_KEY\x01${uniqueKey}\x02${delay}\x02TIMER_DEL_UNIQKEY\x01t+${uniqueKey}`)
}

async function put(client: RemotingClient, { address }: JavaServer, body: string, properties: string): Promise<void> {
  const place = { producerGroup: 'p', topic: 't', defaultTopic: 'TBW102', defaultTopicQueueNums: 4, queueId: 0 }
  const facts = { sysFlag: 0, bornTimestamp: Date.now(), flag: 0, properties, reconsumeTimes: 0, unitMode: false, batch: false }
  const { code, remark } = await client.invoke(
    address,
    request(SEND_MESSAGE, { ext: { ...place, ...facts }, body: Buffer.from(body) }),
    30_000,
  )
  assert.equal(code, 0, `${body}: ${remark}`)
}

/** Looks over the shoulder of whoever has the directory until messages have come. */
async function comes(directory: string, wanted: readonly string[]): Promise<void> {
  let missing: readonly string[] = wanted
  for (const end = performance.now() + 120_000; performance.now() < end; ) {
    const store = await MessageStore.open(directory, { readOnly: true })
    const got = bodies(await readQueue(store, 't', 0, 100))
    await store.close()
    missing = wanted.filter((body) => !got.includes(body))
    if (missing.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  assert.fail(`${missing.join(', ')} did not come`)
}

/** Opens the directory twelve days ahead: everything that was sent must come. */
async function judge(directory: string, sent: readonly string[], how: 'stopped' | 'killed'): Promise<void> {
  const clock = { ...systemClock, now: () => Date.now() + 12 * 24 * HOUR }
  const broker = await Broker.open(directory, options, { clock })
  await comes(directory, sent)
  const got = bodies(await readQueue(broker.store, 't', 0, 100)).sort()
  await broker.close()
  if (how === 'stopped') assert.deepEqual(got, [...sent].sort())
  else assert.deepEqual([...new Set(got)], [...sent].sort())
}
