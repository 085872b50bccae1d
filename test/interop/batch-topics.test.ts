/**
 * Topics whose `queue.type` is BatchCQ: one record holds many messages. RocketMQ 5.3.3 puts them as its broker
 * does, mqlite with `put` and `putBatch`, in turn on one directory, with clean stops and kills.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { MessageStore } from '../../lib/index.js'
import { Random } from '../support/random.js'
import { batchSpecs } from './data.js'
import { openOurs, small, temporary } from './ours.js'
import { javaQueues, ourQueues, type Put, QueueBooks, type SeenQueues, timesOf } from './queue-books.js'
import { type Batch, Shell, type Sizes, type TimeAsked } from './shell.js'
import { told } from './told.js'

const TURNS = 6
const batchTopics = ['B', 'batches-b']
const asConfig = (topicName: string) => [topicName, { topicName, attributes: { 'queue.type': 'BatchCQ' } }]

const batons: readonly { name: string; sizes: Sizes; seed: number }[] = [
  { name: 'with body CRCs and sync flushes', sizes: { ...small, flush: 'sync', batchTopics }, seed: 81 },
  { name: 'with whole-record CRCs and async flushes', sizes: { ...small, recordCrc: true, batchTopics }, seed: 82 },
]

interface Baton {
  readonly directory: string
  readonly sizes: Sizes
  readonly random: Random
  readonly books: QueueBooks
  readonly history: string[]
  /** Topic, key and how many messages it must find. */
  readonly keys: { topic: string; key: string; least: number }[]
  unsure: Put[]
  /** What RocketMQ answered last, if it was closed then. */
  times: { asked: TimeAsked[]; offsets: number[] } | undefined
}

describe('one directory with topics whose queues hold batches, in turn', () => {
  for (const { name, sizes, seed } of batons) {
    test(`RocketMQ 5.3.3 and mqlite ${name} read every message of every batch over ${TURNS} turns (seed ${seed})`, async (t) => {
      const baton = newBaton(t, sizes, seed)
      for (let turn = 0; turn < TURNS; turn++) {
        const isJava = turn % 2 === 0
        const shell = isJava ? await takeJava(t, baton) : await takeOurs(t, baton)
        const batches = manyBatches(baton.random, baton.random.between(15, 40))
        await putBatches(shell, batches, baton)
        if (isJava) await askTimes(shell, baton)
        await letGo(shell, baton, isJava ? 'RocketMQ' : 'mqlite', batches)
      }
      const store = await openAndCheck(t, baton)
      await checkKeys(store, baton)
      await store.close()
      t.diagnostic(`${baton.history.join(', ')}: ${baton.books.count} messages`)
    })
  }

  test('a message that RocketMQ put without a batch on such a topic is a batch of one, and mqlite agrees', async (t) => {
    const baton = newBaton(t, { ...small, batchTopics }, 83)
    const java = await takeJava(t, baton)
    const [first, second] = manyBatches(baton.random, 40).filter(({ specs }) => isOf(specs, 'B', 0)) as [Batch, Batch]
    const seen: number[] = []
    await java.putBatches([first], ({ queueOffset }) => seen.push(queueOffset))
    const [alone] = await java.put(first.specs.slice(0, 1))
    await java.putBatches([second], ({ queueOffset }) => seen.push(queueOffset))
    assert.deepEqual([seen[0], alone!.queueOffset, seen[1]], [0, first.specs.length, first.specs.length + 1])
    await java.close()

    const store = await openOurs(t, baton.directory, baton.sizes)
    const end = seen[1]! + second.specs.length
    assert.deepEqual({ ...store.bounds('B', 0) }, { minOffset: 0, maxOffset: end })
    const offsets: number[] = []
    for (let offset = 0; offset < end; ) {
      const { messages, nextOffset } = await store.get({ topic: 'B', queueId: 0, offset })
      offsets.push(...messages.map(({ queueOffset }) => queueOffset))
      offset = nextOffset
    }
    assert.deepEqual(
      offsets,
      Array.from({ length: end }, (_, i) => i),
    )
    assert.equal((await store.put({ topic: 'B', body: 'next' })).queueOffset, end)
    await store.close()
    const again = await Shell.java(t, '5.3.3')
    await again.open(baton.directory, baton.sizes)
    const queues = await javaQueues(again)
    assert.deepEqual(
      queues.get('B/0')!.messages.map(({ queueOffset }) => queueOffset),
      Array.from({ length: end + 1 }, (_, i) => i),
    )
  })
})

function newBaton(t: TestContext, sizes: Sizes, seed: number): Baton {
  const directory = temporary(t)
  mkdirSync(join(directory, 'config'))
  const topics = { topicConfigTable: Object.fromEntries(batchTopics.map(asConfig)) }
  writeFileSync(join(directory, 'config', 'topics.json'), JSON.stringify(topics))
  const random = new Random(seed)
  return { directory, sizes, random, books: new QueueBooks(), history: [], keys: [], unsure: [], times: undefined }
}

/** Batches of one to twelve messages. */
function manyBatches(random: Random, count: number): Batch[] {
  return Array.from({ length: count }, () => {
    const specs = batchSpecs(random, random.chance(0.3) ? 1 : random.between(2, 12), random.pick(batchTopics))
    return { id: `7F00000100002A9F18B4AAC2${String(random.int(1e9)).padStart(8, '0')}`, specs }
  })
}

function isOf([first]: Batch['specs'], topic: string, queueId: number): boolean {
  return first?.topic === topic && first.queueId === queueId
}

function putOf({ specs }: Batch): Put {
  return { specs, queues: [`${specs[0]!.topic}/${specs[0]!.queueId}`] }
}

async function putBatches(shell: Shell, batches: readonly Batch[], { books }: Baton): Promise<void> {
  let done = 0
  await shell.putBatches(batches, (receipt) => books.acknowledge(putOf(batches[done++]!), receipt))
  assert.equal(done, batches.length)
}

async function takeJava(t: TestContext, baton: Baton): Promise<Shell> {
  const java = await Shell.java(t, '5.3.3')
  await java.open(baton.directory, baton.sizes)
  const queues = await javaQueues(java)
  told(baton, () => baton.books.check(queues, baton.unsure))
  return java
}

async function takeOurs(t: TestContext, baton: Baton): Promise<Shell> {
  const store = await openAndCheck(t, baton)
  await store.close()
  const shell = await Shell.mqlite(t)
  await shell.open(baton.directory, baton.sizes)
  return shell
}

async function openAndCheck(t: TestContext, baton: Baton): Promise<MessageStore> {
  const { books, unsure, directory, sizes } = baton
  const store = await openOurs(t, directory, sizes)
  const names = new Set([...books.names, ...unsure.flatMap(({ queues }) => queues)])
  const queues = await ourQueues(store, names)
  told(baton, () => books.check(queues, unsure))
  await checkTimes(t, store, queues, baton)
  return store
}

/**
 * Where RocketMQ finds a batch that its own rule allows, mqlite finds one of the same time. RocketMQ finds none, and
 * so says 0, for `upper` between two batches, and for `lower` it takes the last batch of a file instead of the first of the next.
 */
async function checkTimes(t: TestContext, store: MessageStore, queues: SeenQueues, { times }: Baton): Promise<void> {
  if (times === undefined) return
  let compared = 0
  for (const [i, { topic, queueId, time, boundary }] of times.asked.entries()) {
    const { messages } = queues.get(`${topic}/${queueId}`)!
    const timeAt = (offset: number): number => messages[offset]?.storeTimestamp ?? Number.NaN
    const offset = await store.offsetByTime(topic, queueId, time, boundary)
    const byJava: number = times.offsets[i]!
    if (boundary === 'upper' && byJava === 0) continue
    if (!(boundary === 'lower' ? timeAt(byJava) >= time : timeAt(byJava) <= time)) continue
    assert.equal(timeAt(offset), timeAt(byJava), `${topic}/${queueId} ${boundary} of ${time}: ${offset}, ${byJava}`)
    compared++
  }
  t.diagnostic(`${compared} of ${times.asked.length} times compared`)
  assert.ok(compared > times.asked.length / 3)
}

async function askTimes(java: Shell, baton: Baton): Promise<void> {
  const asked = timesOf(await javaQueues(java))
  baton.times = { asked, offsets: await java.offsetByTime(asked) }
}

/**
 * The id of a batch that RocketMQ put finds all of its messages. The keys of single messages are listed by mqlite
 * alone, and so may be missing where it was killed before it had written them.
 */
async function checkKeys(store: MessageStore, { keys }: Baton): Promise<void> {
  assert.ok(keys.length > 50)
  for (const { topic, key, least } of keys) {
    const found = await store.query({ topic, key, maxMessages: 1000 })
    assert.ok(found.length >= least, `${key} finds ${found.length} messages of ${topic}, not ${least}`)
  }
}

function topicOf(specs: Batch['specs']): { topic: string } {
  return { topic: specs[0]!.topic }
}

function innerKeys(specs: Batch['specs']): Baton['keys'] {
  return specs.flatMap(({ topic, keys = [], properties }) => {
    const unique = properties['UNIQ_KEY']
    return (unique === undefined ? keys : [unique, ...keys]).map((key) => ({ topic, key, least: 1 }))
  })
}

async function letGo(shell: Shell, baton: Baton, who: string, acknowledged: readonly Batch[]): Promise<void> {
  const { random, books, history, keys } = baton
  baton.unsure = []
  if (who === 'RocketMQ') keys.push(...acknowledged.map(({ id, specs }) => ({ ...topicOf(specs), key: id, least: specs.length })))
  if (random.chance(0.5)) {
    await shell.close()
    history.push(`${who} closed`)
    if (who === 'mqlite') keys.push(...acknowledged.flatMap(({ specs }) => innerKeys(specs)))
  } else {
    baton.times = undefined
    const batches = manyBatches(random, who === 'mqlite' ? 700 : 250)
    const kill = random.between(1, 60)
    let done = 0
    await assert.rejects(
      shell.putBatches(batches, (receipt) => {
        books.acknowledge(putOf(batches[done++]!), receipt)
        if (done === kill) void shell.kill()
      }),
    )
    baton.unsure = batches.slice(done).map(putOf)
    history.push(`${who} killed`)
  }
  await shell.kill()
}
