/**
 * The one workload of all benchmarks: 128-byte bodies, one tag, one key, four queues.
 *
 * Long throughput is timed by hand, in rounds of a fixed time after a warm-up: a round is thousands of puts
 * that overlap, which no harness for short tasks can hold. Short tasks that repeat run in tinybench.
 */
import { Bench } from 'tinybench'

/** How much work a run does. */
export interface Plan {
  /** How often all of a row's columns take their turn. Spreads over all of them what else the machine does. */
  readonly passes: number
  /** Measurements of a column in one turn. */
  readonly rounds: number
  /** Length of a round. */
  readonly roundMs: number
  /** Messages in a store that is read. */
  readonly messages: number
  /** Of the loads of servers, those that are wanted. @default all */
  readonly loads?: readonly string[]
}

/** What a case gets to do its work. */
export interface Job {
  readonly plan: Plan
  /** An empty directory of its own, or a prepared one. */
  readonly directory: string
  readonly options: CaseOptions
}

/** What tells the cases of a kind apart. */
export interface CaseOptions {
  readonly flush?: 'async' | 'sync'
  /** Puts that wait at the same time. */
  readonly inFlight?: number
  /** Messages of a batch. */
  readonly batch?: number
  readonly verifyReads?: boolean
  /** Memory for blocks of the log; as much again for pages of the index. */
  readonly readCacheBytes?: number
  /** Length of a range. */
  readonly bytes?: number
  /** Whether fields and bodies are read, or only messages handed out. */
  readonly decode?: boolean
}

/** What a case measured. */
export interface Outcome {
  /** The figure of each round. */
  readonly rounds: readonly number[]
  /** Further figures worth keeping. */
  readonly details?: Readonly<Record<string, number>>
}

export type Case = (job: Job) => Promise<Outcome>

export const TOPIC = 'bench'
export const QUEUES = 4

/** The body of all messages; not all zero, so that nothing compresses it away. */
export const BODY = Buffer.from(Array.from({ length: 128 }, (_, i) => (i * 73 + 41) & 0xff))

/** Bytes of a record of the workload as mqlite stores it, for the cases that write plain bytes. */
export const RECORD_BYTES = 269

/** The key of a message; all are of one length, so all records are. */
export function keyOf(i: number): string {
  return `k${100_000_000 + i}`
}

export function messageOf(i: number): { topic: string; queueId: number; tags: string; keys: string[]; body: Buffer } {
  return { topic: TOPIC, queueId: i % QUEUES, tags: 'tag', keys: [keyOf(i)], body: BODY }
}

/** Does something over and over, so many at the same time, for one warm-up and the rounds. Returns times per second. */
export async function rates(plan: Plan, inFlight: number, act: (i: number) => unknown): Promise<number[]> {
  let next = 0
  const figures: number[] = []
  for (let round = -1; round < plan.rounds; round++) {
    const first = next
    let isOver = false
    const started = performance.now()
    const deadline = started + plan.roundMs
    const worker = async (): Promise<void> => {
      while (!isOver) {
        const i = next++
        await act(i)
        // A look at the clock costs as much as a put's share of a batch: not every time.
        if (inFlight === 1 || i % 16 === 0) isOver = performance.now() >= deadline
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    if (round >= 0) figures.push(perSecond(next - first, performance.now() - started))
  }
  return figures
}

/** Times one long task per round, after a warm-up. `task` returns how much it did; the result is per second. */
export async function timed(rounds: number, task: () => number | Promise<number>): Promise<number[]> {
  const figures: number[] = []
  for (let round = -1; round < rounds; round++) {
    const started = performance.now()
    const amount = await task()
    if (round >= 0) figures.push(perSecond(amount, performance.now() - started))
  }
  return figures
}

/**
 * Runs a short task in tinybench, once per round. `task` does `amount` things; the result is things per second, by the median
 * call.
 */
export async function repeated(plan: Plan, amount: number, task: () => Promise<void> | void): Promise<number[]> {
  const figures: number[] = []
  for (let round = 0; round < plan.rounds; round++) {
    const bench = new Bench({ time: plan.roundMs, iterations: 10, warmup: true, warmupTime: plan.roundMs / 4, throws: true })
    bench.add('task', task)
    const [done] = await bench.run()
    if (done?.result.state !== 'completed') throw new Error(`the task ended as ${done?.result.state}`)
    figures.push(Math.round((amount * 1000) / done.result.latency.p50))
  }
  return figures
}

export function perSecond(amount: number, ms: number): number {
  return Math.round((amount * 1000) / ms)
}

/** Numbers from 0 to `below`, spread by chance, the same in each run. */
export function chance(below: number): () => number {
  let state = 0x2545f491
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
