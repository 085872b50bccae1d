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
import { javaQueues, ourQueues, type Put, QueueBooks, queueOf, timesOf } from './queue-books.js'
import { type Batch, Shell, type Sizes, type TimeAsked } from './shell.js'

const TURNS = 8
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
  /** Batches that RocketMQ put and their ids. */
  readonly byJava: Batch[]
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
        const batches = manyBatches(baton.random, baton.random.between(20, 60))
        if (isJava) baton.byJava.push(...batches)
        await putBatches(shell, batches, baton)
        if (isJava) await askTimes(shell, baton)
        await letGo(shell, baton, isJava ? 'RocketMQ' : 'mqlite')
      }
      const store = await openAndCheck(t, baton)
      await checkKeys(store, baton)
      await store.close()
      t.diagnostic(`${baton.history.join(', ')}: ${baton.books.count} messages`)
    })
  }

  test('a message that RocketMQ put without a batch takes an offset and is in no queue, and mqlite agrees', async (t) => {
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
    const all = Array.from({ length: end }, (_, i) => i)
    assert.deepEqual(
      offsets,
      all.filter((offset) => offset !== alone!.queueOffset),
    )
    assert.equal((await store.put({ topic: 'B', body: 'next' })).queueOffset, end)
    await store.close()
    const again = await Shell.java(t, '5.3.3')
    await again.open(baton.directory, baton.sizes)
    assert.equal((await javaQueues(again)).get('B/0')!.maxOffset, end + 1)
  })
})

function newBaton(t: TestContext, sizes: Sizes, seed: number): Baton {
  const directory = temporary(t)
  mkdirSync(join(directory, 'config'))
  const topics = { topicConfigTable: Object.fromEntries(batchTopics.map(asConfig)) }
  writeFileSync(join(directory, 'config', 'topics.json'), JSON.stringify(topics))
  const random = new Random(seed)
  return { directory, sizes, random, books: new QueueBooks(), history: [], byJava: [], unsure: [], times: undefined }
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
  for (const [i, { topic, queueId, time, boundary }] of (baton.times?.asked ?? []).entries()) {
    const offset = await store.offsetByTime(topic, queueId, time, boundary)
    assert.equal(offset, baton.times!.offsets[i], `${topic}/${queueId} ${boundary} of ${time}`)
  }
  return store
}

async function askTimes(java: Shell, baton: Baton): Promise<void> {
  const asked = timesOf(await javaQueues(java))
  baton.times = { asked, offsets: await java.offsetByTime(asked) }
}

/** Every key of every message finds it, and the id of a batch that RocketMQ put finds all of its messages. */
async function checkKeys(store: MessageStore, { books, byJava }: Baton): Promise<void> {
  for (const [name, { messages }] of await ourQueues(store, books.names)) {
    for (const { keys, queueOffset, properties } of messages) {
      for (const key of [...(keys?.split(' ') ?? []), properties['UNIQ_KEY'] ?? []].flat()) {
        const { topic, queueId } = queueOf(name)
        const found = await store.query({ topic, key, maxMessages: 1000 })
        const isFound = found.some((message) => message.queueId === queueId && message.queueOffset === queueOffset)
        assert.ok(isFound, `${key} does not find ${name} at ${queueOffset}`)
      }
    }
  }
  for (const { id, specs } of byJava) {
    const found = await store.query({ topic: specs[0]!.topic, key: id, maxMessages: 1000 })
    assert.equal(found.length, specs.length, `messages of the batch ${id}`)
  }
}

async function letGo(shell: Shell, baton: Baton, who: string): Promise<void> {
  const { random, books, history } = baton
  baton.unsure = []
  if (random.chance(0.5)) {
    await shell.close()
    history.push(`${who} closed`)
  } else {
    baton.times = undefined
    const batches = manyBatches(random, 400)
    const kill = random.between(1, 60)
    let done = 0
    await assert.rejects(
      shell.putBatches(batches, (receipt) => {
        books.acknowledge(putOf(batches[done++]!), receipt)
        if (done === kill) void shell.kill()
      }),
    )
    baton.unsure = batches.slice(done).map(putOf)
    if (who === 'RocketMQ') baton.byJava.push(...batches.slice(0, done))
    history.push(`${who} killed`)
  }
  await shell.kill()
}

/** If something is missing, the error tells how it came to that. */
function told({ history }: Baton, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new Error(`after ${history.join(', ') || 'nothing'}: ${String(error)}`, { cause: error })
  }
}
