/**
 * What the replicas have, as they tell: who is connected, how far each got, and which puts wait for them.
 *
 * `replicatedEnd` is the end that enough of them have reached, and never goes back while the store is open:
 * a put that was acknowledged stays acknowledged when a replica leaves.
 */
import { checkObject, wrongValue } from '../base/arguments.js'
import type { Timers } from '../base/system.js'

/** How far a replica got: ends of the log, in bytes. */
export interface ReplicaProgress {
  /** Everything below is in the replica's page cache at least. */
  readonly receivedEnd: number
  /** Everything below survives power loss there. */
  readonly flushedEnd: number
}

/** A connected replica, as the primary sees it. */
export interface ReplicaLink extends ReplicaProgress {
  /** The name under which it connected. */
  readonly name: string
  /**
   * Notes how far the replica got.
   *
   * @throws {RangeError} for an end that goes back, or that the primary never reached: anybody can claim that
   */
  acknowledge(progress: ReplicaProgress): void
  /** The replica is gone; what it acknowledged still counts for puts that were answered. */
  close(): void
}

/** What counts as an acknowledgement, and how many are needed. */
export interface ReplicaAcksOptions {
  readonly ack: 'none' | 'received' | 'flushed'
  readonly replicas: number
  readonly timeoutMs: number
  readonly timers: Timers
  /** The end of what replicas may have been sent. */
  readonly sentEnd: () => number
}

interface Waiter {
  readonly end: number
  readonly resolve: (inTime: boolean) => void
}

/** See the head of this file. */
export class ReplicaAcks {
  readonly #options: ReplicaAcksOptions
  readonly #links = new Map<string, Link>()
  #waiters: Waiter[] = []
  #replicatedEnd = 0

  constructor(options: ReplicaAcksOptions) {
    this.#options = options
  }

  /** The connected replicas. */
  get links(): readonly ReplicaLink[] {
    return [...this.#links.values()]
  }

  /** Whether as many replicas are connected as a put needs. */
  get isEnough(): boolean {
    return this.#links.size >= this.#options.replicas
  }

  /** Everything below has been acknowledged by enough replicas. */
  get replicatedEnd(): number {
    return this.#replicatedEnd
  }

  /** Connects a replica. One that connects again under the same name takes the place of its old link. */
  connect(name: string): ReplicaLink {
    if (typeof name !== 'string' || name === '') throw wrongValue('string', 'name', 'a string that is not empty', name)
    const link = new Link(name, this.#options.sentEnd, {
      onProgress: () => this.#settle(),
      onClose: () => {
        if (this.#links.get(name) === link) this.#links.delete(name)
      },
    })
    this.#links.set(name, link)
    return link
  }

  /** Resolves with whether enough replicas have everything below `end` within the time allowed. */
  wait(end: number): Promise<boolean> {
    if (end <= this.#replicatedEnd) return Promise.resolve(true)
    return new Promise((resolve) => {
      const giveUp = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        resolve(false)
      }
      // A program that waits for its put must not end before the answer.
      const timer = this.#options.timers.after(this.#options.timeoutMs, giveUp, true)
      const waiter: Waiter = {
        end,
        resolve: (inTime) => {
          timer.cancel()
          resolve(inTime)
        },
      }
      this.#waiters.push(waiter)
    })
  }

  /** Answers everybody who still waits with what is true now. */
  close(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const { end, resolve } of waiters) resolve(end <= this.#replicatedEnd)
    this.#links.clear()
  }

  #settle(): void {
    const { ack, replicas } = this.#options
    const ends = [...this.#links.values()]
      .map((link) => (ack === 'flushed' ? link.flushedEnd : link.receivedEnd))
      .sort((a, b) => b - a)
    const reached = ends[replicas - 1] ?? 0
    if (reached <= this.#replicatedEnd) return
    this.#replicatedEnd = reached
    const done = this.#waiters.filter(({ end }) => end <= reached)
    if (done.length === 0) return
    this.#waiters = this.#waiters.filter(({ end }) => end > reached)
    for (const { resolve } of done) resolve(true)
  }
}

class Link implements ReplicaLink {
  readonly name: string
  receivedEnd = 0
  flushedEnd = 0
  readonly #sentEnd: () => number
  readonly #on: { onProgress: () => void; onClose: () => void }

  constructor(name: string, sentEnd: () => number, on: { onProgress: () => void; onClose: () => void }) {
    this.name = name
    this.#sentEnd = sentEnd
    this.#on = on
  }

  acknowledge(progress: ReplicaProgress): void {
    checkObject('the progress of a replica', progress)
    const { receivedEnd, flushedEnd } = progress
    const sent = this.#sentEnd()
    for (const [what, end, least, most] of [
      ['receivedEnd', receivedEnd, this.receivedEnd, sent],
      ['flushedEnd', flushedEnd, this.flushedEnd, receivedEnd],
    ] as const) {
      if (Number.isSafeInteger(end) && end >= least && end <= most) continue
      throw wrongValue('number', `${what} of replica ${this.name}`, `from ${least} to ${most}`, end)
    }
    this.receivedEnd = receivedEnd
    this.flushedEnd = flushedEnd
    this.#on.onProgress()
  }

  close(): void {
    this.#on.onClose()
  }
}
