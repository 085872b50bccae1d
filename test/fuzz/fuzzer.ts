/**
 * The loop: change an input that is known, run it, keep it when it reached something new.
 *
 * Reading the counters costs far more than running a decoder, so most inputs run in batches: only when a
 * batch reached a new place is each of its inputs run again by itself. Between batches one input runs alone
 * and may also be kept for a new shape.
 */
import type { Random } from '../support/random.js'
import { Atlas, type Coverage, type Seen } from './coverage.js'
import { MOST_INPUT_BYTES, mutate } from './mutate.js'
import type { Watchdog } from './watchdog.js'

/** A decoder and what must hold of it. */
export interface Target {
  /** Names its directories; kebab-case. */
  readonly name: string
  /** Good inputs to begin with. */
  readonly seeds: readonly Buffer[]
  /** Pieces that mean something to it. */
  readonly words: readonly Buffer[]
  /** Decodes, and throws when anything happens that the decoder's comment does not allow. */
  run(input: Buffer): void
}

/** An input on which a target failed. */
export interface Failure {
  readonly input: Buffer
  readonly error: Error
}

/** What to do. */
export interface FuzzPlan {
  readonly target: Target
  /** Inputs kept by earlier runs. */
  readonly corpus: readonly Buffer[]
  readonly coverage: Coverage
  readonly random: Random
  readonly seconds: number
  /** Also stops after so many inputs. */
  readonly mostExecutions?: number
  readonly watchdog?: Watchdog
}

/** What came of it. */
export interface FuzzResult {
  readonly executions: number
  readonly seconds: number
  /** The smallest inputs that reach all that was reached. */
  readonly corpus: readonly Buffer[]
  /** Places reached, of so many in the functions entered, and how many of them the old inputs had not reached. */
  readonly places: number
  readonly size: number
  readonly gained: number
  readonly failures: readonly Failure[]
}

const BATCH = 64
const MOST_POOL = 400
const MOST_FAILURES = 5
/** Most inputs that are kept for the next run. */
export const MOST_CORPUS = 40
/** Processor time that no input may take. */
export const MOST_MS = 1000

/** Runs a target on one input. @throws whatever is wrong with it */
export function runOnce(target: Target, input: Buffer): void {
  const own = Buffer.from(input)
  const start = performance.now()
  target.run(own)
  if (!own.equals(input)) throw new Error('the input was written to')
  if (performance.now() - start < MOST_MS) return
  // Slow by the clock may only mean that others ran.
  const before = process.cpuUsage()
  target.run(own)
  const { user, system } = process.cpuUsage(before)
  if (user + system > MOST_MS * 1000) throw new Error(`one input took ${Math.round((user + system) / 1000)} ms`)
}

/** Fuzzes one target. */
export function fuzz(plan: FuzzPlan): FuzzResult {
  return new Fuzzer(plan).run()
}

class Fuzzer {
  readonly #plan: FuzzPlan
  readonly #atlas = new Atlas()
  readonly #pool: Buffer[] = []
  readonly #failures = new Map<string, Failure>()
  #executions = 0

  constructor(plan: FuzzPlan) {
    this.#plan = plan
  }

  run(): FuzzResult {
    const { target, corpus, coverage, random, seconds, mostExecutions = Number.POSITIVE_INFINITY } = this.#plan
    const start = performance.now()
    coverage.take()
    for (const input of [...corpus, ...target.seeds, Buffer.alloc(0)]) this.#runAlone(input, true)
    const before = this.#atlas.places
    const isOver = (): boolean =>
      performance.now() - start > seconds * 1000 || this.#executions >= mostExecutions || this.#failures.size >= MOST_FAILURES
    while (!isOver()) {
      this.#runAlone(mutate(this.#pool, random, target.words), true)
      this.#runBatch()
    }
    const ran = { executions: this.#executions, seconds: (performance.now() - start) / 1000 }
    const found = { places: this.#atlas.places, size: this.#atlas.size, gained: this.#atlas.places - before }
    const failures = [...this.#failures.values()].map((failure) => this.#shrink(failure))
    return { ...ran, ...found, corpus: this.#smallest(), failures }
  }

  #runBatch(): void {
    const { target, coverage, random } = this.#plan
    const batch = Array.from({ length: BATCH }, () => mutate(this.#pool, random, target.words))
    for (const input of batch) this.#execute(input)
    if (this.#atlas.newPlaces(coverage.take()) === 0) return
    for (const input of batch) this.#runAlone(input, false)
  }

  /** Runs an input by itself and keeps it if it is new. */
  #runAlone(input: Buffer, countShapes: boolean): void {
    const isGood = this.#execute(input)
    const seen = this.#plan.coverage.take()
    const isNew = this.#atlas.newPlaces(seen) > 0 || (countShapes && this.#atlas.newShapes(seen) > 0)
    if (!isGood || (!isNew && this.#pool.length > 0)) return
    this.#atlas.add(seen)
    if (this.#pool.length < MOST_POOL) this.#pool.push(input)
    else this.#pool[this.#plan.random.int(MOST_POOL)] = input
  }

  #execute(input: Buffer): boolean {
    this.#executions++
    const error = this.#errorOf(input)
    if (error === undefined) return true
    const key = keyOf(error)
    if (!this.#failures.has(key)) this.#failures.set(key, { input, error })
    return false
  }

  #errorOf(input: Buffer): Error | undefined {
    const { target, watchdog } = this.#plan
    watchdog?.begin(input)
    try {
      runOnce(target, input)
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    } finally {
      watchdog?.end()
    }
    return undefined
  }

  /** A shorter input that fails at the same place. */
  #shrink({ input, error }: Failure): Failure {
    const key = keyOf(error)
    let best = input
    for (let step = input.length >> 1; step > 0; step >>= 1) {
      for (let at = best.length - step; at >= 0; at -= step) {
        const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + step)])
        const found = this.#errorOf(shorter)
        if (found !== undefined && keyOf(found) === key) best = shorter
      }
    }
    return { input: best, error: this.#errorOf(best) ?? error }
  }

  /** Few and short inputs that together reach what all of them reach. */
  #smallest(): Buffer[] {
    const { coverage } = this.#plan
    const left = this.#pool
      .filter((input) => input.length <= MOST_INPUT_BYTES)
      .toSorted((a, b) => a.length - b.length)
      .map((input): { input: Buffer; seen: Seen } => {
        coverage.take()
        this.#errorOf(input)
        return { input, seen: coverage.take() }
      })
    const atlas = new Atlas()
    const kept: Buffer[] = []
    for (const gain of [(seen: Seen) => atlas.newPlaces(seen), (seen: Seen) => atlas.newShapes(seen)]) {
      while (kept.length < MOST_CORPUS) {
        const gains = left.map(({ seen }) => gain(seen))
        const best = gains.indexOf(Math.max(...gains))
        if (best < 0 || gains[best] === 0) break
        const [chosen] = left.splice(best, 1)
        atlas.add(chosen!.seen)
        kept.push(chosen!.input)
      }
    }
    return kept
  }
}

/** Where an error came from: failures of one place count as one. */
function keyOf(error: Error): string {
  const places = (error.stack ?? '').split('\n').filter((line) => /^\s+at .*\/(lib|test)\//.test(line))
  return `${error.name} ${places[0] ?? error.message}`
}
