/**
 * FLOOD, turn by turn: requests that are dear to answer, each as many at once as a few peers can send. The server never
 * does anything for long without looking at the others, whatever is asked of it.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { signed } from '../../lib/remoting/auth/signature.js'
import { brokerRequests } from '../../lib/remoting/codes.js'
import { type CommandParts, request } from '../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../lib/remoting/commands/consume-codes.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import { Attack, type Door } from '../support/attack.js'
import { inLetters } from '../support/client-messages.js'
import { heartbeat, pull } from '../support/consumer-requests.js'
import { sized } from '../support/tier.js'

const MIB = 1024 * 1024
const { GET_MAX_OFFSET, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE } = brokerRequests
const { HEART_BEAT, LOCK_BATCH_MQ, PULL_MESSAGE, GET_CONSUMER_LIST_BY_GROUP } = consumeRequests

const frame = (code: number, parts: CommandParts = {}): Buffer => Buffer.concat(encodeFrame(request(code, parts)))
const many = (count: number, text: (i: number) => string): string => Array.from({ length: count }, (_, i) => text(i)).join(',')

/** A frame whose header is this text. */
function headed(text: string): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(Buffer.byteLength(text) + 4, 0)
  head.writeInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([head, Buffer.from(text)])
}

/** A batch of messages of one byte. */
function batch(messages: number): Buffer {
  const one = Buffer.alloc(23)
  one.writeInt32BE(one.length, 0)
  one.writeInt32BE(1, 16)
  return frame(SEND_BATCH_MESSAGE, { ...inLetters(), body: Buffer.alloc(one.length * messages, one) })
}

const stranger = { accessKey: 'somebody-unknown', secretKey: 'of-somebody-unknown' }
const queue = (i: number): string => `{"topic":"T","brokerName":"mqlite","queueId":${i}}`
const ack = (i: number): string => `{"c":"G","t":"T","r":"0","so":${i},"q":0,"rq":0,"pt":1,"it":1,"b":"AAAA"}`
const conditions = Array.from({ length: 60 }, (_, i) => `a${i} IS NULL`).join(' AND ')

interface DearRequests {
  readonly what: string
  readonly bytes: Buffer
  readonly peers: number
  /** How often each peer sends it. */
  readonly times: number
  /** Whether it is stored: in memory, since the disk is there. */
  readonly isStored?: boolean
  readonly door?: Door
}

const dear: readonly DearRequests[] = [
  { what: 'short requests', bytes: frame(GET_MAX_OFFSET, { ext: { topic: 'T', queueId: 0 } }), peers: 50, times: 2000 },
  {
    what: 'headers as large as may be',
    bytes: headed(`{"code":30,"opaque":1,"extFields":{${many(250, (i) => `"f${i}":"${'\\u00e9\\n'.repeat(80)}"`)}}}`),
    ...{ peers: 20, times: 10 },
  },
  {
    what: 'headers with as many levels and members as may be',
    bytes: headed(`{"code":30,"opaque":1,"x":[${many(1000, () => '[[1]]')}],"y":"${'\\\\'.repeat(60_000)}"}`),
    ...{ peers: 20, times: 10 },
  },
  {
    what: 'heartbeats of many objects',
    bytes: frame(HEART_BEAT, { body: Buffer.from(`{"clientID":"c","consumerDataSet":[${many(32_000, () => '{"a":1}')}]}`) }),
    ...{ peers: 4, times: 10 },
  },
  {
    what: 'heartbeats beyond all bounds',
    bytes: frame(HEART_BEAT, { body: Buffer.from(`{"clientID":"c","consumerDataSet":[${many(1_000_000, () => '{"a":1}')}]}`) }),
    ...{ peers: 4, times: 2 },
  },
  {
    what: 'heartbeats that only an old reader reads',
    bytes: frame(HEART_BEAT, { body: Buffer.from(`{"clientID":"c","x":[${many(5_000, () => '{0:1}')}]}`) }),
    ...{ peers: 4, times: 10 },
  },
  {
    what: 'locks of thousands of queues',
    bytes: frame(LOCK_BATCH_MQ, { body: Buffer.from(`{"consumerGroup":"G","clientId":"c","mqSet":[${many(5000, queue)}]}`) }),
    ...{ peers: 4, times: 10 },
  },
  {
    what: 'acknowledgements by the thousand',
    bytes: frame(popRequests.BATCH_ACK_MESSAGE, { body: Buffer.from(`{"brokerName":"mqlite","acks":[${many(3500, ack)}]}`) }),
    ...{ peers: 4, times: 10 },
  },
  { what: 'batches of a thousand messages', bytes: batch(1000), peers: 8, times: 2, isStored: true },
  { what: 'batches beyond all bounds', bytes: batch(160_000), peers: 4, times: 2 },
  {
    what: 'messages as large as may be',
    bytes: frame(SEND_MESSAGE_V2, inLetters({ body: 'x'.repeat(4 * MIB - 100) })),
    ...{ peers: 2, times: 2, isStored: true },
  },
  {
    what: 'large messages with wrong signatures',
    bytes: Buffer.concat(encodeFrame(signed(request(SEND_MESSAGE_V2, { body: Buffer.alloc(8 * MIB) }), stranger))),
    ...{ peers: 4, times: 2, door: 'auth' },
  },
  {
    what: 'pulls through long filters',
    bytes: frame(PULL_MESSAGE, pull({ filter: `sql:${conditions} AND b = 1` })),
    ...{ peers: 4, times: 20 },
  },
]

/** Does something, and says for how long the server was busy with it at most, and what memory it ever had. */
async function measured(t: TestContext, attack: Attack, what: string, action: () => Promise<void>): Promise<void> {
  await attack.report()
  await action()
  const { longestBusyMs, mostBytes, commitLogEnd } = await attack.report()
  const memory = `${Math.round((mostBytes - commitLogEnd) / MIB)} MiB at most until now`
  t.diagnostic(`${what}: busy for ${Math.round(longestBusyMs)} ms at most, ${memory}`)
}

test('no request that is dear to answer keeps the others waiting, however often it comes', async (t) => {
  const attack = await Attack.start(t, { maxTotalBytes: 48 * MIB }, 64)
  const send = ({ bytes, door = 'plain', peers }: DearRequests, times: number, only = peers) => {
    for (let peer = 0; peer < only; peer++) {
      const socket = attack.open(door)
      socket.resume()
      for (let i = 0; i < times; i++) socket.write(bytes)
      // The end of what is sent is waited for by the server, which answers all of it before it closes.
      socket.end()
    }
  }
  // Code that never ran is compiled first, which is not what counts here.
  for (const one of dear) send(one, one.bytes.length < MIB ? 20 : 1, 1)
  for (let i = 0; i < 20; i++) {
    for (const door of ['plain', 'auth'] as const) await attack.honest(door)
    await sleep(50)
  }
  for (const one of dear)
    await measured(t, attack, one.what, async () => {
      send(one, one.isStored ? one.times : sized(Math.ceil(one.times / 2), 4 * one.times))
      for (let i = 0; i < 8 || !attack.isAlone; i++) {
        await attack.honest('plain')
        await sleep(25)
      }
    })
  await attack.check(t)
})

test('thousands who wait for one message are told of it a few at a time', async (t) => {
  const attack = await Attack.start(t)
  const isAt = async (): Promise<number> => {
    const { extFields } = await attack.ask('plain', request(GET_MAX_OFFSET, { ext: { topic: 'T', queueId: 0 } }))
    return Number(extFields['offset'])
  }
  await measured(t, attack, 'a message that thousands wait for', async () => {
    const waiting = frame(PULL_MESSAGE, pull({ offset: await isAt(), waitMs: 60_000 }))
    const sockets = Array.from({ length: 4 }, () => attack.open('plain'))
    for (const socket of sockets) for (let i = 0; i < 1000; i++) socket.write(waiting)
    await sleep(500)
    let answered = 0
    for (const socket of sockets) socket.on('data', () => answered++)
    assert.equal((await attack.ask('plain', request(SEND_MESSAGE_V2, inLetters()))).code, 0)
    while (answered < sockets.length) await attack.honest('plain')
    await sleep(200)
    for (const socket of sockets) socket.destroy()
  })
  await attack.check(t)
})

test('thousands who wait go with their connections a few at a time', async (t) => {
  const attack = await Attack.start(t)
  await measured(t, attack, 'connections that close while thousands wait', async () => {
    const waiting = frame(PULL_MESSAGE, pull({ offset: 1, waitMs: 60_000 }))
    const sockets = Array.from({ length: 4 }, () => attack.open('plain'))
    for (const socket of sockets) for (let i = 0; i < 1000; i++) socket.write(waiting)
    await sleep(500)
    for (const socket of sockets) socket.destroy()
    for (let i = 0; i < 10; i++) {
      await attack.honest('plain')
      await sleep(20)
    }
  })
  await attack.check(t)
})

test('thousands of members of a group come, are told of each other and go without keeping others waiting', async (t) => {
  const attack = await Attack.start(t)
  const sockets = Array.from({ length: 4 }, (_, peer) => {
    const socket = attack.open('plain')
    socket.resume()
    for (let i = 0; i < 1000; i++) socket.write(frame(HEART_BEAT, heartbeat({ clientId: `c${peer}-${i}` })))
    return socket
  })
  const ask = frame(GET_CONSUMER_LIST_BY_GROUP, { ext: { consumerGroup: 'G' } })
  for (let i = 0; i < 40; i++) {
    sockets[0]!.write(ask)
    await attack.honest('plain')
    await sleep(50)
  }
  for (const socket of sockets) socket.destroy()
  for (let i = 0; i < 10; i++) await attack.honest('plain')
  await attack.check(t)
})
