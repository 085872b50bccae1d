/**
 * CLOCK: a wall clock that is set, stands still, or is set in the middle of recovery. Nothing acknowledged is
 * lost, store times never go back, and a message is found by the time at which it was stored.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoreOptions } from '../../lib/store/options.js'
import { Random } from '../support/random.js'
import { SimRun } from '../support/sim-run.js'
import { QUEUES, readStore, TINY } from '../support/sim-store.js'
import { isReplay, seedOf } from '../support/tier.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SEEDS = 20
/** Clocks that count seconds in 31 bits end here. */
const END_OF_31_BITS_MS = 2 ** 31 * 1000

/** When a clock is set, and how. */
interface Kind {
  readonly name: string
  readonly when: 'running' | 'ended' | 'recovering'
  set(run: SimRun): void
}

const kinds: readonly Kind[] = [
  { name: 'is set back by an hour while the store is open', when: 'running', set: (run) => step(run, -HOUR_MS) },
  { name: 'is set on by thirty days while the store is open', when: 'running', set: (run) => step(run, 30 * DAY_MS) },
  {
    name: 'passes the end of 31 bits of seconds',
    when: 'running',
    set: (run) => step(run, END_OF_31_BITS_MS - run.time.now() - 50),
  },
  { name: 'stands still', when: 'running', set: (run) => step(run, -run.time.monotonic() - run.time.wallStepMs) },
  { name: 'is set back by a year between two processes', when: 'ended', set: (run) => step(run, -365 * DAY_MS) },
  { name: 'is set back and forth while the store recovers', when: 'recovering', set: (run) => step(run, -2 * DAY_MS) },
]

function step(run: SimRun, ms: number): void {
  run.time.wallStepMs += ms
}

async function putSome(run: SimRun, random: Random): Promise<void> {
  for (let put = random.between(2, 6); put > 0; put--) {
    await run.put([random.chance(0.2) ? random.between(1000, 3500) : random.between(0, 300)])
    await run.pass(random.between(1, 700))
  }
}

/** Each message is where the search by its store time says, or behind another of the same time. */
async function checkTimes(run: SimRun, options: StoreOptions): Promise<number> {
  const store = await run.open()
  const { messages } = await readStore(store, options)
  for (const { topic, queueId } of QUEUES) {
    const queue = messages.filter((message) => message.topic === topic && message.queueId === queueId)
    for (const { storeTimestamp } of queue) {
      const first = queue.find((message) => message.storeTimestamp === storeTimestamp)!
      const last = queue.findLast((message) => message.storeTimestamp === storeTimestamp)!
      assert.equal(await store.offsetByTime(topic, queueId, storeTimestamp, 'lower'), first.queueOffset)
      assert.equal(await store.offsetByTime(topic, queueId, storeTimestamp, 'upper'), last.queueOffset)
    }
  }
  return messages.length
}

async function runKind({ when, set }: Kind, seed: number): Promise<number> {
  const random = new Random(seed)
  const flush = random.pick(['sync', 'async'] as const)
  const options = { ...TINY, flush }
  let isRecovering = false
  const run = new SimRun({
    store: options,
    queues: 4,
    deletesAtAnyTime: true,
    onDisk: (disk, of) => {
      disk.onOperation = () => {
        if (!isRecovering || !random.chance(0.1)) return
        set(of)
        if (random.chance(0.5)) step(of, random.between(0, 4 * DAY_MS))
      }
    },
  })
  try {
    let found = 0
    for (let round = 0; round < 3; round++) {
      await putSome(run, random)
      if (when === 'running') set(run)
      await putSome(run, random)
      if (random.chance(0.3)) await run.checkpoint()
      if (when === 'ended') set(run)
      isRecovering = when === 'recovering'
      await run.restart(random.pick(['kill', 'power'] as const), random)
      isRecovering = false
      found += await checkTimes(run, options)
    }
    await run.close()
    return found
  } catch (error) {
    throw new Error(`seed ${seed}, ${flush}: ${(error as Error).message}\n${run.fullTrace}`, { cause: error })
  } finally {
    run.abandon()
  }
}

for (const kind of kinds) {
  test(`a clock that ${kind.name} costs no message, and searches by time stay true`, async (t) => {
    const first = seedOf(1)
    let messages = 0
    for (let seed = first; seed < first + (isReplay ? 1 : SEEDS); seed++) messages += await runKind(kind, seed)
    t.diagnostic(`${isReplay ? 1 : SEEDS} seeds from ${first}, ${messages} messages looked at`)
    assert.ok(messages > 0)
  })
}
