/**
 * The queues of one consumer: takes those that it is given, and lets go of the others once what is out is settled.
 *
 * ```
 *  wanted -> in line for the queue -> (ordered: lock) -> offset -> held -> released -> drained, or cut off -> let go
 *                                                                   ^          |
 *                                                                   +----------+  wanted again
 * ```
 *
 * One that is wanted again while something is out of it goes on, as if it had never been let go. It does not when its group
 * was moved meanwhile: then it is taken anew, behind itself, at the place that the group has.
 */
import type { Timer, Timers } from '../../base/system.js'
import type { QueueName } from '../../store/message.js'
import type { HeldQueue } from './held-queue.js'
import type { QueueHolds } from './queue-holds.js'

/** What holding needs. */
export interface HoldingParts {
  readonly group: string
  /** `undefined` when every consumer has every queue. */
  readonly holds: QueueHolds | undefined
  readonly timers: Timers
  readonly handOverMs: number
  /** Makes the queue ready to be taken from, at the group's offset. */
  readonly open: (name: QueueName) => Promise<HeldQueue>
  /** Locks the queue for ordered consumption; `false` while another client has it. */
  readonly lock: (name: QueueName) => boolean
  readonly unlock: (name: QueueName) => void
  /** Queues came or went, or one may be taken from. */
  readonly onChange: () => void
  readonly onProblem: (error: unknown) => void
}

/** How often a lock is lengthened, as RocketMQ's clients do: three times within its life. */
const LOCK_EVERY_MS = 20_000
/** A lock that another client has is asked for again this often, as 5.x clients do. */
const LOCK_AGAIN_MS = 500

interface Hold {
  readonly name: QueueName
  /** Since it was opened. */
  queue: HeldQueue | undefined
  isWanted: boolean
  /** Resolves when it is not wanted any more, also if it is wanted again later. */
  readonly unwanted: Promise<void>
  readonly giveUp: () => void
  /** Resolves when the queue is drained, or cut off. */
  readonly drained: Promise<void>
  readonly onDrained: () => void
  /** Cuts off what is out, if it is not settled in time. */
  cut: Timer | undefined
  readonly ended: Promise<void>
}

/** See the head of this file. */
export class Holding {
  readonly #parts: HoldingParts
  /** The newest hold of each queue. */
  readonly #holds = new Map<string, Hold>()
  /** Those that they stand behind, too. */
  readonly #all = new Set<Hold>()
  #queues: readonly HeldQueue[] = []
  #wanted: ReadonlySet<string> = new Set()

  constructor(parts: HoldingParts) {
    this.#parts = parts
  }

  /** The queues that may be taken from, in the order in which they came. */
  get queues(): readonly HeldQueue[] {
    return this.#queues
  }

  /** Every queue that is in its hands, also while it is being let go. */
  *all(): IterableIterator<HeldQueue> {
    for (const { queue } of this.#all) if (queue !== undefined) yield queue
  }

  /** From now on these queues, and no others. */
  want(names: readonly QueueName[]): void {
    const wanted = new Map(names.map((name) => [keyOf(name), name]))
    this.#wanted = new Set(wanted.keys())
    for (const [key, hold] of this.#holds) {
      if (!wanted.has(key)) this.#letGo(hold)
      else if (hold.isWanted || this.#goOn(hold)) wanted.delete(key)
    }
    for (const name of wanted.values()) this.#take(name)
  }

  /** Lets a queue go and takes it again, if it is wanted then, at the offset that the group has then. */
  async again(name: QueueName, between: () => void): Promise<void> {
    const key = keyOf(name)
    const hold = this.#holds.get(key)
    if (hold !== undefined) {
      hold.queue?.cutOff()
      this.#letGo(hold)
      await hold.ended
    }
    between()
    if (this.#wanted.has(key) && this.#holds.get(key)?.isWanted !== true) this.#take(name)
  }

  /** Lets go of everything. Resolves when nothing is out any more, or was cut off. */
  async end(): Promise<void> {
    const ended = [...this.#all].map(({ ended }) => ended)
    this.want([])
    await Promise.all(ended)
  }

  #take(name: QueueName): void {
    const key = keyOf(name)
    // It may still be on its way out; then this one stands in line behind it.
    const before = this.#holds.get(key)?.ended ?? Promise.resolve()
    const hold = { name, queue: undefined, isWanted: true, cut: undefined } as { -readonly [Field in keyof Hold]: Hold[Field] }
    hold.unwanted = new Promise((resolve) => (hold.giveUp = resolve))
    hold.drained = new Promise((resolve) => (hold.onDrained = resolve))
    hold.ended = before.then(() => this.#live(hold)).catch((error: unknown) => this.#parts.onProblem(error))
    this.#holds.set(key, hold)
    this.#all.add(hold)
  }

  /** The life of a hold, from standing in line to letting go. */
  async #live(hold: Hold): Promise<void> {
    const { group, holds, open, lock, unlock, onChange } = this.#parts
    const turn = holds?.take(group, hold.name.topic, hold.name.queueId)
    // Whoever is not wanted any more does not wait for its turn, which the next one in line gets.
    const letGo = await Promise.race([turn, hold.unwanted])
    if (letGo === undefined) void turn?.then((pass) => pass())
    let isLocked = false
    try {
      while (hold.isWanted && !(isLocked = lock(hold.name))) await Promise.race([this.#wait(LOCK_AGAIN_MS), hold.unwanted])
      if (!hold.isWanted) return
      const queue = await open(hold.name)
      if (hold.isWanted) await this.#hold(hold, queue)
      else queue.cutOff()
    } finally {
      if (isLocked) unlock(hold.name)
      if (this.#holds.get(keyOf(hold.name)) === hold) this.#holds.delete(keyOf(hold.name))
      this.#all.delete(hold)
      letGo?.()
      onChange()
    }
  }

  /** Resolves when it is let go for good. */
  async #hold(hold: Hold, queue: HeldQueue): Promise<void> {
    hold.queue = queue
    this.#changed()
    const renewal = this.#keepLocked(hold)
    await hold.drained
    renewal.stop()
  }

  /** A queue whose lock another client has taken is in its hands now: what is out comes again there. */
  #keepLocked(hold: Hold): { stop(): void } {
    const { lock, timers } = this.#parts
    let timer: Timer
    const again = (): void => {
      if (lock(hold.name)) timer = timers.after(LOCK_EVERY_MS, again)
      else void this.again(hold.name, () => {})
    }
    timer = timers.after(LOCK_EVERY_MS, again)
    return { stop: () => timer.cancel() }
  }

  #letGo(hold: Hold): void {
    if (!hold.isWanted) return
    hold.isWanted = false
    hold.giveUp()
    const { queue } = hold
    if (queue === undefined) return
    this.#changed()
    const { timers, handOverMs } = this.#parts
    hold.cut = timers.after(handOverMs, () => queue.cutOff(), true)
    queue.release(() => {
      hold.cut?.cancel()
      queue.cutOff()
      hold.onDrained()
    })
  }

  /** Goes on with a queue from which something is out. @returns whether it could */
  #goOn(hold: Hold): boolean {
    if (hold.queue?.takeUp() !== true) return false
    hold.cut?.cancel()
    hold.isWanted = true
    this.#changed()
    return true
  }

  #changed(): void {
    this.#queues = [...this.#all].flatMap(({ queue, isWanted }) => (queue !== undefined && isWanted ? [queue] : []))
    this.#parts.onChange()
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.timers.after(ms, resolve))
  }
}

function keyOf({ topic, queueId }: QueueName): string {
  return `${queueId} ${topic}`
}
