/**
 * Takes crashes of a running workload and has each of them recovered and judged.
 *
 * ```
 *   workload -> SimDisk --before each operation--> crash states -> not seen before? -> examine -> judge
 * ```
 *
 * What a store makes of a disk depends on nothing but the disk, so equal disks are recovered once; what the
 * store owed at the moment of the crash is judged for each moment anew.
 */

import assert from 'node:assert/strict'
import type { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { printOf, printsOf } from './disk-print.js'
import { type Chooser, EveryChoice, type Random, randomChooser } from './random.js'
import type { CrashOptions, SimDisk } from './sim-disk.js'
import { changingKinds } from './sim-faults.js'
import { type Content, messageOf, openSim, ROOT, readStore } from './sim-store.js'
import { SimTime } from './sim-time.js'
import type { Debt, Ending, StoreOracle } from './store-oracle.js'

/** Numbers of what was done. */
export interface Counts {
  /** Moments at which crashes were taken. */
  points: number
  /** Crashes taken. */
  crashes: number
  /** Different pairs of a disk and what was owed. */
  states: number
  /** Different disks, each recovered. */
  disks: number
}

/** How to explore. */
export interface ExplorerOptions {
  readonly store: StoreOptions
  readonly random: Random
  /** Up to so many outcomes of one moment are all taken, of more a sample. */
  readonly exhaustive: number
  /** How many random outcomes to take of a moment that has more. */
  readonly samples: number
  /** Whether one disk in so many is taken through everything that follows a recovery. */
  readonly thoroughly?: number
}

interface Waiting {
  readonly disk: SimDisk
  readonly print: bigint
  readonly debt: Debt
  readonly ending: Ending
  readonly label: string
}

/** Names of what a second opening may leave other than it was: none of it is more than a hint. */
const MAY_DIFFER = /\/ext\/(durable|clean|tmp\/)|\/(checkpoint|abort)$|\.tmp$/

/** See the head of this file. */
export class CrashExplorer {
  readonly counts: Counts = { points: 0, crashes: 0, states: 0, disks: 0 }
  readonly #options: ExplorerOptions
  readonly #known = new Map<bigint, Content>()
  readonly #judged = new Set<string>()
  #waiting: Waiting[] = []
  #lastMoment = ''

  constructor(options: ExplorerOptions) {
    this.#options = options
  }

  /** What its choices come from. */
  get seed(): number {
    return this.#options.random.seed
  }

  /** Options of the stores that are opened. */
  get store(): StoreOptions {
    return this.#options.store
  }

  /** Begins with another run: moments of it are told apart from those of the run before. */
  begin(): void {
    this.#judged.clear()
    this.#lastMoment = ''
  }

  /** Forgets the disks that were seen, to save memory. */
  forget(): void {
    this.#known.clear()
  }

  /** Takes crashes before every operation of a disk, until the function returned is called. */
  attach(disk: SimDisk, oracle: Pick<StoreOracle, 'owes'>, isWanted: () => boolean = () => true): () => void {
    disk.onOperation = (kind, path, index) => {
      if (isWanted()) this.take(disk, oracle, `before operation ${index}, ${kind} ${path}`)
    }
    return () => {
      disk.onOperation = undefined
    }
  }

  /** Takes the crashes of this moment, if anything has happened since the last time. */
  take(disk: SimDisk, oracle: Pick<StoreOracle, 'owes'>, label: string): void {
    const debt = oracle.owes()
    const moment = `${debt.moment}/${debt.submitted}/${disk.changeCount}`
    if (moment === this.#lastMoment) return
    this.#lastMoment = moment
    this.counts.points++
    for (const crash of crashesOf(disk, this.#options)) this.#add(crash, debt, 'power', label)
    this.#add(disk.crash({ choose: ALL }), debt, 'kill', label)
  }

  /** Recovers and judges what has been taken. */
  async drain(oracle: StoreOracle): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { disk, print, debt, ending, label } of waiting) {
      try {
        let content = this.#known.get(print)
        if (content === undefined) {
          const isThorough = this.counts.disks++ % (this.#options.thoroughly ?? 1) === 0
          content = await examine(disk, this.#options.store, isThorough, this.counts.disks)
          this.#known.set(print, content)
        }
        oracle.judge(content, debt, ending)
      } catch (error) {
        throw new Error(`${ending === 'kill' ? 'the process ended' : 'power was lost'} ${label}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
  }

  #add(disk: SimDisk, debt: Debt, ending: Ending, label: string): void {
    this.counts.crashes++
    const print = printOf(disk)
    const key = `${print} ${debt.moment} ${debt.submitted} ${ending}`
    if (this.#judged.has(key)) return
    this.#judged.add(key)
    this.counts.states++
    this.#waiting.push({ disk, print, debt, ending, label })
  }
}

const ALL: Chooser = { choose: (count) => count - 1 }

/** Crashes of one moment: all outcomes if they are few; else nothing, everything, every prefix, every single one, and some. */
export function* crashesOf(
  disk: SimDisk,
  options: Pick<ExplorerOptions, 'random' | 'exhaustive' | 'samples'>,
): Generator<SimDisk> {
  const model: CrashOptions = { sectorBytes: 512, directories: 'any', newArea: 'zeros' }
  const { random, exhaustive, samples } = options
  const counts: number[] = []
  yield disk.crash({ ...model, choose: counting(counts) })
  if (counts.reduce((product, count) => product * count, 1) <= exhaustive) {
    const every = new EveryChoice()
    do yield disk.crash({ ...model, choose: every })
    while (every.next())
    return
  }
  if (exhaustive > 1) {
    for (let at = 0; at < counts.length; at++) {
      yield disk.crash({ ...model, choose: stepping((step) => step < at) })
      yield disk.crash({ ...model, choose: stepping((step) => step === at) })
    }
  }
  for (let sample = 0; sample < samples; sample++) {
    const sectorBytes = random.pick([512, 512, 4096] as const)
    const directories = random.pick(['ordered', 'any'] as const)
    // What the disk held before shows where a file grew, now and then.
    const newArea = random.pick(['zeros', 'zeros', 'garbage'] as const)
    yield disk.crash({ sectorBytes, directories, newArea, random, choose: randomChooser(random) })
  }
}

function counting(counts: number[]): Chooser {
  return {
    choose(count) {
      counts.push(count)
      return count - 1
    },
  }
}

/** Everything happens at the steps that pass, and nothing at the others. */
function stepping(passes: (step: number) => boolean): Chooser {
  let step = 0
  return { choose: (count) => (passes(step++) ? count - 1 : 0) }
}

/**
 * Recovers a disk and checks the store. Thoroughly: also that a second recovery, after the process or the power
 * has gone once more, changes nothing; and that the store can be put to, closed and opened again.
 */
export async function examine(disk: SimDisk, options: StoreOptions, isThorough: boolean, turn: number): Promise<Content> {
  const time = new SimTime(1_700_010_000_000)
  const looked = isThorough ? await look(disk, time, options) : undefined
  const first = await time.run(openSim(disk, time, options))
  checkSound(first)
  const content = await readStore(first, options)
  if (looked !== undefined)
    assert.deepEqual(looked.messages, content.messages, 'a store that is only read shows what recovery keeps')
  if (!isThorough) {
    disk.powerOff()
    return content
  }
  const prints = printsOf(disk, MAY_DIFFER)
  const after = turn % 2 === 0 ? disk.kill() : disk.crash()
  const second = await time.run(openSim(after, time, options))
  checkSound(second)
  assert.deepEqual(await readStore(second, options), content, 'a second recovery finds what the first one found')
  if (turn % 2 === 0) assert.deepEqual(printsOf(after, MAY_DIFFER), prints, 'a second recovery changes no byte')
  await goOn(second, after, time, options, content)
  return content
}

/** What a store shows that is opened to be read, which changes nothing. */
async function look(disk: SimDisk, time: SimTime, options: StoreOptions): Promise<Content | undefined> {
  const copy = disk.crash()
  copy.onOperation = (kind, path) => {
    assert.ok(!changingKinds.has(kind), `${kind} ${path} by a store that is only read`)
  }
  const hasStore = copy.live.stat(`${ROOT}/commitlog`) !== undefined
  if (!hasStore) return undefined
  const store = await time.run(openSim(copy, time, { ...options, readOnly: true }))
  const content = await readStore(store, options)
  await time.run(store.close())
  assert.equal(copy.openHandles, 0, 'a store that was only read has no file open')
  return content
}

function checkSound({ status, recovery }: MessageStore): void {
  assert.deepEqual(recovery.corruption, [], 'what a crash leaves is no corruption')
  assert.equal(recovery.noSpace, false)
  assert.equal(status, 'open')
}

/** Puts one more message, closes, opens. */
async function goOn(store: MessageStore, disk: SimDisk, time: SimTime, options: StoreOptions, content: Content): Promise<void> {
  const number = 1 + Math.max(-1, ...content.messages.map((message) => message.number))
  const receipt = await time.run(store.put(messageOf(number, 100, 2)))
  const before = content.messages.filter(({ topic, queueId }) => topic === receipt.topic && queueId === receipt.queueId)
  assert.equal(
    receipt.queueOffset,
    (before.at(-1)?.queueOffset ?? receipt.queueOffset - 1) + 1,
    'the next offset follows the last',
  )
  await time.run(store.close())
  assert.equal(disk.openHandles, 0, 'a closed store has no file open')
  const later = disk.crash()
  const again = await time.run(openSim(later, time, options))
  checkSound(again)
  assert.equal(again.recovery.origin, 'clean')
  const { messages } = await readStore(again, options)
  assert.deepEqual(messages.slice(0, -1), content.messages, 'a new message leaves the others where they were')
  assert.equal(messages.at(-1)?.number, number)
  later.powerOff()
}
