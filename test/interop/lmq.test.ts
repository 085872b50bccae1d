/**
 * Further queues (LMQ): a message names them in `INNER_MULTI_DISPATCH`, and its record says in
 * `INNER_MULTI_QUEUE_OFFSET` which offset it has in each. RocketMQ with `enableLmq` and `enableMultiDispatch`, and
 * mqlite, in turn on one directory.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Random } from '../support/random.js'
import { manySpecs, type Spec } from './data.js'
import type { Generation } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { javaQueues, ourQueues, type Put, QueueBooks, type SeenQueues, timesOf } from './queue-books.js'
import { Shell, type Sizes } from './shell.js'
import { told } from './told.js'

const TURNS = 6
const NAMES = ['%LMQ%a', '%LMQ%b', '%LMQ%device-42', `%LMQ%${'n'.repeat(100)}`]

const batons: readonly { name: string; java: readonly Generation[]; sizes: Sizes; seed: number }[] = [
  { name: 'RocketMQ 5.3.3 and mqlite', java: ['5.3.3'], sizes: { ...small, flush: 'sync', lmq: true }, seed: 91 },
  {
    name: 'RocketMQ 5.3.3 and mqlite, both with whole-record CRCs',
    java: ['5.3.3'],
    sizes: { ...small, recordCrc: true, lmq: true },
    seed: 92,
  },
  { name: 'RocketMQ 4.9.8 and mqlite', java: ['4.9.8'], sizes: { ...small, lmq: true }, seed: 93 },
  {
    name: 'RocketMQ 4.9.8, mqlite, RocketMQ 5.3.3 and mqlite',
    java: ['4.9.8', '5.3.3'],
    sizes: { ...small, lmq: true },
    seed: 94,
  },
]

interface Baton {
  readonly directory: string
  readonly sizes: Sizes
  readonly random: Random
  readonly books: QueueBooks
  readonly history: string[]
  unsure: Put[]
}

describe('one directory with messages in further queues, in turn', () => {
  for (const { name, java, sizes, seed } of batons) {
    test(`${name} agree on every queue and offset over ${TURNS} turns (seed ${seed})`, async (t) => {
      const baton: Baton = {
        ...{ directory: temporary(t), sizes, random: new Random(seed) },
        ...{ books: new QueueBooks(), history: [], unsure: [] },
      }
      for (let turn = 0; turn < TURNS; turn++) {
        const generation = turn % 2 === 0 ? java[(turn / 2) % java.length] : undefined
        const shell = generation === undefined ? await takeOurs(t, baton) : await takeJava(t, baton, generation)
        const puts = manyPuts(baton.random, baton.random.between(60, 150))
        let done = 0
        await shell.put(
          puts.map(({ specs }) => specs[0]!),
          (receipt) => baton.books.acknowledge(puts[done++]!, receipt),
        )
        assert.equal(done, puts.length)
        await letGo(shell, baton, generation === undefined ? 'mqlite' : `RocketMQ ${generation}`)
      }
      const store = await openOurs(t, baton.directory, sizes)
      const queues = await ourQueues(store, [...baton.books.names, ...namesOf(baton.unsure)])
      told(baton, () => baton.books.check(queues, baton.unsure))
      await store.close()
      await assertSameTimes(t, baton, java.at(-1)!, queues)
      t.diagnostic(`${baton.history.join(', ')}: ${baton.books.count} messages in ${queues.size} queues`)
      assert.ok(queues.size >= 3 + NAMES.length)
    })
  }
})

/** Messages of one topic, most with one to three further queues. */
function manyPuts(random: Random, count: number): Put[] {
  return manySpecs(random, count).map((spec) => {
    const names = random.chance(0.2) ? [] : NAMES.filter(() => random.chance(0.4))
    const properties = names.length === 0 ? spec.properties : { ...spec.properties, INNER_MULTI_DISPATCH: names.join(',') }
    const plain: Spec = { ...spec, topic: 'events', sysFlag: 0, preparedTransactionOffset: 0, properties }
    return { specs: [plain], queues: [`events/${spec.queueId}`, ...names.map((name) => `${name}/0`)] }
  })
}

function namesOf(puts: readonly Put[]): string[] {
  return [...new Set(puts.flatMap(({ queues }) => queues))]
}

async function takeJava(t: TestContext, baton: Baton, generation: Generation): Promise<Shell> {
  const { recordCrc, ...sizes } = baton.sizes
  const java = await Shell.java(t, generation)
  await java.open(baton.directory, generation === '4.9.8' ? sizes : { ...sizes, recordCrc: recordCrc === true })
  const queues = await javaQueues(java)
  told(baton, () => baton.books.check(queues, baton.unsure))
  return java
}

async function takeOurs(t: TestContext, baton: Baton): Promise<Shell> {
  const { directory, sizes, books, unsure } = baton
  const store = await openOurs(t, directory, sizes)
  const queues = await ourQueues(store, new Set([...books.names, ...namesOf(unsure)]))
  told(baton, () => books.check(queues, unsure))
  await store.close()
  const shell = await Shell.mqlite(t)
  await shell.open(directory, sizes)
  return shell
}

/** 4.9 finds a time by when files were last changed, so only 5.3 is asked. */
async function assertSameTimes(t: TestContext, baton: Baton, generation: Generation, queues: SeenQueues): Promise<void> {
  if (generation === '4.9.8') return
  baton.unsure = []
  const java = await takeJava(t, baton, generation)
  const asked = timesOf(queues)
  const offsets = await java.offsetByTime(asked)
  await java.close()
  const store = await openOurs(t, baton.directory, baton.sizes)
  for (const [i, { topic, queueId, time, boundary }] of asked.entries()) {
    const offset = await store.offsetByTime(topic, queueId, time, boundary)
    assert.equal(offset, offsets[i], `${topic}/${queueId} ${boundary} of ${time}`)
  }
  await store.close()
}

async function letGo(shell: Shell, baton: Baton, who: string): Promise<void> {
  const { random, books, history } = baton
  baton.unsure = []
  if (random.chance(0.5)) {
    await shell.close()
    history.push(`${who} closed`)
  } else {
    const puts = manyPuts(random, who === 'mqlite' ? 1500 : 500)
    const kill = random.between(1, 100)
    let done = 0
    const specs = puts.map((put) => put.specs[0]!)
    await assert.rejects(
      shell.put(specs, (receipt) => {
        books.acknowledge(puts[done++]!, receipt)
        if (done === kill) void shell.kill()
      }),
    )
    baton.unsure = puts.slice(done)
    history.push(`${who} killed`)
  }
  await shell.kill()
}
