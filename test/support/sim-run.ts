/**
 * A store under a workload in simulated time, with an oracle that takes down what it was told and answered.
 *
 * Steps either wait for what they began, or leave it under way. A process may end between any two steps,
 * alone or with the power; what comes back is judged before the run goes on.
 */

import { MessageStoreError } from '../../lib/base/errors.js'
import type { PutReceipt } from '../../lib/store/message.js'
import type { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import type { Random } from './random.js'
import { SimDisk } from './sim-disk.js'
import { checkpoint, deleteExpired, messageOf, openSim, readStore } from './sim-store.js'
import { SimTime } from './sim-time.js'
import { type Debt, type Ending, StoreOracle, type Submission } from './store-oracle.js'

/** What a run is made of. */
export interface SimRunOptions {
  readonly store: StoreOptions & { readonly flush: 'async' | 'sync' }
  /** How many of the queues are written to. */
  readonly queues: number
  /** Called with every disk that the run uses, before it is used. */
  readonly onDisk?: (disk: SimDisk, run: SimRun) => void
  /** Whether segments may expire at any moment, and not only in steps that say so. */
  readonly deletesAtAnyTime?: boolean
  /** Milliseconds that each flush takes. */
  readonly flushLatencyMs?: () => number
}

/** See the head of this file. */
export class SimRun {
  readonly time = new SimTime()
  readonly oracle: StoreOracle
  /** Everything that was done, for whoever has to find out what went wrong. */
  readonly trace: string[] = []
  /** The disk of the process that runs now. */
  disk: SimDisk
  readonly #options: SimRunOptions
  #store: MessageStore | undefined
  #next = 0
  /** Whether a store failed, so that only another opening can tell what became of its messages. */
  #isDoubtful = false
  #underWay = new Set<Promise<unknown>>()
  /** Counts processes: answers to one that has ended come to nobody. */
  #process = 0

  constructor(options: SimRunOptions) {
    this.#options = options
    this.oracle = new StoreOracle(options.store.flush)
    this.disk = this.#use(new SimDisk({ trace: true }))
  }

  /** The store, if it is open. */
  get store(): MessageStore | undefined {
    return this.#store
  }

  /** All operations of the disks and all steps. */
  get fullTrace(): string {
    return [...this.trace, ...this.disk.trace].join('\n')
  }

  /** Opens the store if it is closed. */
  async open(): Promise<MessageStore> {
    if (this.#store !== undefined) return this.#store
    const store = await this.time.run(openSim(this.disk, this.time, this.#options.store))
    this.#store = store
    store.on('segmentDeleted', ({ commitLogOffset, bytes }) => this.oracle.deleted(commitLogOffset + bytes))
    if (this.#isDoubtful && store.status === 'open') {
      // The fate of what was under way is now known.
      this.disk.faults.isPaused = true
      const content = await readStore(store, this.#options.store)
      this.disk.faults.isPaused = false
      this.oracle.recovered(content, this.oracle.judge(content, this.oracle.owes(), 'kill'))
      this.#isDoubtful = false
    }
    return store
  }

  /** Puts messages as a batch, or one without; resolves once they are answered. */
  async put(bodies: readonly number[]): Promise<void> {
    await this.time.run(this.#put(await this.open(), bodies))
  }

  /** Puts messages and leaves it at that. */
  async beginPut(bodies: readonly number[]): Promise<void> {
    this.#leave(this.#put(await this.open(), bodies))
  }

  /** Flushes. */
  async flush(): Promise<void> {
    await this.time.run(this.#flush(await this.open()))
  }

  /** Asks for a flush and leaves it at that. */
  async beginFlush(): Promise<void> {
    this.#leave(this.#flush(await this.open()))
  }

  /** Lets time pass, in which the store does of itself what it does. */
  async pass(ms: number): Promise<void> {
    const store = await this.open()
    // What has expired may go.
    this.oracle.deleting(() => endOf(store))
    await this.time.pass(ms)
    this.#doneDeleting(store)
  }

  /** Lets log, views and checkpoint be flushed. */
  async checkpoint(): Promise<void> {
    const store = await this.open()
    await this.settle()
    const { submitted } = this.oracle.owes()
    this.oracle.deleting(() => endOf(store))
    await checkpoint(this.time)
    this.#doneDeleting(store)
    if (store.status === 'open') this.oracle.flushed(submitted)
  }

  /** Lets segments expire and deletes them. */
  async expire(): Promise<void> {
    const store = await this.open()
    this.oracle.deleting(() => endOf(store))
    await deleteExpired(this.time)
    this.#doneDeleting(store)
  }

  #doneDeleting(store: MessageStore): void {
    this.oracle.doneDeleting(this.#options.deletesAtAnyTime ? Number.MAX_SAFE_INTEGER : startOf(store))
  }

  /** Waits for everything that was left under way. */
  async settle(): Promise<void> {
    await this.time.run(Promise.allSettled([...this.#underWay]))
  }

  /** Closes the store, if it is open. */
  async close(): Promise<void> {
    const store = this.#store
    if (store === undefined) return
    await this.settle()
    const { submitted } = this.oracle.owes()
    this.#store = undefined
    const isSound = store.status === 'open'
    this.#isDoubtful ||= !isSound
    try {
      await this.time.run(store.close())
    } catch (error) {
      this.#isDoubtful = true
      throw error
    }
    if (isSound) this.oracle.flushed(submitted)
  }

  /** The process ends, alone or with the power, and another one takes over. */
  async restart(ending: Ending, random?: Random): Promise<void> {
    const debt = this.oracle.owes()
    const after = ending === 'kill' ? this.disk.kill() : this.disk.crash(random === undefined ? {} : { random })
    this.abandon()
    this.trace.push(...this.disk.trace, `--- ${ending}`)
    this.disk = this.#use(after)
    await this.#recover(debt, ending)
  }

  /** The process ends and nobody takes over. */
  abandon(): void {
    this.disk.powerOff()
    this.disk.onOperation = undefined
    this.time.stop()
    this.#process++
    this.#underWay.clear()
    this.#store = undefined
  }

  async #recover(debt: Debt, ending: Ending): Promise<void> {
    const store = await this.open()
    const content = await readStore(store, this.#options.store)
    this.oracle.recovered(content, this.oracle.judge(content, debt, ending))
  }

  #use(disk: SimDisk): SimDisk {
    const { flushLatencyMs, onDisk } = this.#options
    if (flushLatencyMs !== undefined) disk.flushLatency = () => this.time.wait(flushLatencyMs())
    onDisk?.(disk, this)
    return disk
  }

  #leave(promise: Promise<void>): void {
    this.#underWay.add(promise)
    const done = () => this.#underWay.delete(promise)
    promise.then(done, done)
  }

  async #put(store: MessageStore, bodies: readonly number[]): Promise<void> {
    const process = this.#process
    const messages = bodies.map((bytes) => messageOf(this.#next++, bytes, this.#options.queues))
    const submissions = bodies.map((bytes, i) => this.oracle.submit(messages[i]!.flag!, bytes))
    if (this.#options.deletesAtAnyTime) this.oracle.deleting(ANYWHERE)
    this.trace.push(`    put ${submissions.map(({ number, bodyBytes }) => `${number} (${bodyBytes})`).join(', ')}`)
    try {
      const put = messages.length === 1 ? store.put(messages[0]!).then((receipt) => [receipt]) : store.putBatch(messages)
      this.#answered(process, submissions, await put)
    } catch (error) {
      if (process === this.#process) this.#refused(submissions, error)
    }
  }

  #answered(process: number, submissions: readonly Submission[], receipts: readonly PutReceipt[]): void {
    if (process !== this.#process) return
    submissions.forEach((submission, i) => {
      this.oracle.acknowledge(submission, receipts[i]!)
    })
  }

  /** With `STORE_FAILED` nobody knows; with any other answer nothing was stored. */
  #refused(submissions: readonly Submission[], error: unknown): void {
    if (this.#options.deletesAtAnyTime) this.oracle.deleting(ANYWHERE)
    this.trace.push(`    put ${submissions[0]!.number} rejected: ${String(error)}`)
    if (!(error instanceof MessageStoreError)) throw error
    if (error.code !== 'STORE_FAILED') for (const submission of submissions) this.oracle.refuse(submission)
  }

  async #flush(store: MessageStore): Promise<void> {
    const process = this.#process
    const { submitted } = this.oracle.owes()
    try {
      await store.flush()
      if (process === this.#process) this.oracle.flushed(submitted)
    } catch (error) {
      this.trace.push(`    flush rejected: ${String(error)}`)
      if (!(error instanceof MessageStoreError)) throw error
    }
  }
}

const ANYWHERE = (): number => Number.MAX_SAFE_INTEGER
const startOf = (store: MessageStore): number => store.metrics.snapshot()['commitLogStart'] ?? 0
const endOf = (store: MessageStore): number => store.metrics.snapshot()['commitLogEnd'] ?? 0
