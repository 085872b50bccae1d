/**
 * Which brokers a producer had better leave alone for a while, from how long they took to answer.
 *
 * A slow answer keeps a broker out for a time that grows with the delay; a broker that could not be reached is
 * avoided until it answers again. Nothing is forbidden: a producer with no other broker uses these too.
 */
import type { Clock } from '../../base/system.js'

/** How long a broker is left alone after an answer that took at least `latencyMs`. */
export interface FaultStep {
  readonly latencyMs: number
  readonly awayMs: number
}

/** What counts how much in RocketMQ's clients, by release. Latencies ascend. */
export interface FaultScale {
  readonly steps: readonly FaultStep[]
  /** The latency as which a failed send counts, milliseconds. */
  readonly isolatedMs: number
}

/** The scale of RocketMQ's clients since 5.1.4. */
export const faultScale: FaultScale = scale(
  [50, 100, 550, 1800, 3000, 5000, 15000],
  [0, 0, 2000, 5000, 6000, 10000, 30000],
  10000,
)

/** The scale of RocketMQ's clients through 5.1.3, which keeps brokers out far longer. */
export const oldFaultScale: FaultScale = scale(
  [50, 100, 550, 1000, 2000, 3000, 15000],
  [0, 0, 30000, 60000, 120000, 180000, 600000],
  30000,
)

interface Fault {
  /** By the clock that never goes back. */
  availableAt: number
  isReachable: boolean
}

/** See the head of this file. */
export class FaultTable {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #scale: FaultScale
  readonly #faults = new Map<string, Fault>()

  constructor(clock: Pick<Clock, 'monotonic'>, scale: FaultScale = faultScale) {
    this.#clock = clock
    this.#scale = scale
  }

  /** Notes an answer, good or bad, that took so long. It never shortens a time that a broker is kept out. */
  answered(brokerName: string, latencyMs: number): void {
    this.#note(brokerName, latencyMs, true)
  }

  /**
   * Notes that a send failed.
   *
   * @param isReachable - whether the broker could be connected to
   */
  failed(brokerName: string, isReachable: boolean): void {
    this.#note(brokerName, this.#scale.isolatedMs, isReachable)
  }

  /** Whether the broker is not kept out. One that is not known is not. */
  isAvailable(brokerName: string): boolean {
    const fault = this.#faults.get(brokerName)
    return fault === undefined || this.#clock.monotonic() >= fault.availableAt
  }

  /** Whether the last send reached the broker, or none was tried. */
  isReachable(brokerName: string): boolean {
    return this.#faults.get(brokerName)?.isReachable ?? true
  }

  /** Forgets a broker. */
  remove(brokerName: string): void {
    this.#faults.delete(brokerName)
  }

  #note(brokerName: string, latencyMs: number, isReachable: boolean): void {
    const awayMs = awayFor(this.#scale, latencyMs)
    const until = awayMs > 0 ? this.#clock.monotonic() + awayMs : 0
    const availableAt = Math.max(this.#faults.get(brokerName)?.availableAt ?? 0, until)
    this.#faults.set(brokerName, { availableAt, isReachable })
  }
}

/** How long a broker is left alone that took so long, milliseconds. */
export function awayFor({ steps }: FaultScale, latencyMs: number): number {
  return steps.findLast((step) => latencyMs >= step.latencyMs)?.awayMs ?? 0
}

function scale(latencies: readonly number[], away: readonly number[], isolatedMs: number): FaultScale {
  return { steps: latencies.map((latencyMs, i) => ({ latencyMs, awayMs: away[i]! })), isolatedMs }
}
