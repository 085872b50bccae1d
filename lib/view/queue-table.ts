/**
 * All queues of one kind in a store, by topic and queue id: ConsumeQueues, or BatchConsumeQueues.
 *
 * With a manifest a queue is loaded when somebody asks for it; until then it is a line of the manifest.
 */
import { MessageStoreError } from '../base/errors.js'
import type { Disk } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { isTopic, parseQueueId } from '../format/names.js'
import type { ConsumeQueueOptions } from './consume-queue.js'
import type { QueueRow } from './manifest.js'
import type { RecordBounds } from './queue-rows.js'

/** What a table asks of its queues. */
export interface TableQueue {
  readonly topic: string
  readonly queueId: number
  readonly evidenceEnd: number
  readonly isDirty: boolean
  readonly row: QueueRow | undefined
  check(): boolean
  flush(durableEnd: number): Promise<void>
  truncate(logEnd: number): void
  settle(): void
  trim(logStart: number): string[]
  continueAt(offset: number): void
  remove(): void
}

/** How to load the queues of a store. */
export interface QueueTableOptions<Queue extends TableQueue> {
  /** Loads one queue. */
  readonly load: (options: ConsumeQueueOptions) => Queue
  readonly disk: Disk
  readonly files: OpenFiles
  /** Directory of the queues: `consumequeue` or `batchconsumequeue`. */
  readonly directory: string
  readonly entriesPerSegment: number
  readonly writable: boolean
  readonly tmpDirectory: string
  /** Entries of records that end above this are dropped when loading. */
  readonly trustedEnd: number
  /** Where the log can have records. @default anywhere */
  readonly recordBounds?: RecordBounds
  /** What a manifest says of the queues, if there is one to believe. */
  readonly rows?: readonly QueueRow[] | undefined
  /** Whether the log has lost its oldest segments since the manifest was written. */
  readonly mayHaveShrunk?: boolean
  /**
   * Whether the process that wrote the manifest runs, so that no crash can have come between: nothing is read before it is
   * needed.
   */
  readonly isLive?: boolean
}

/** How many queues are flushed before the event loop may turn. */
const FLUSHED_TOGETHER = 16
/** Queues that take no longer to check than to notice are checked when they are loaded, others when they are read. */
const EAGER_CHECK_QUEUES = 1000
const EAGER_CHECK_ENTRIES = 3_000_000

/** A queue, or the line of the manifest that it is until somebody asks for it. */
interface Slot<Queue> {
  queue?: Queue
  row?: QueueRow
  /** Of a queue that another process may delete: what its directory was when it was loaded. */
  trace?: string
}

/** Moves the bounds of a queue. One whose file is damaged keeps them: its readers are told, and the next start makes it anew. */
export function unlessDamaged(move: () => void): void {
  try {
    move()
  } catch (error) {
    if (!(error instanceof MessageStoreError && error.code === 'STORE_CORRUPT')) throw error
  }
}

/** See the head of this file. */
export class QueueTable<Queue extends TableQueue> implements Iterable<Queue> {
  readonly #options: QueueTableOptions<Queue>
  readonly #topics = new Map<string, Map<number, Slot<Queue>>>()
  /** The topic that was asked for last and its queues: records of a topic come one after the other. */
  #lastTopic = ''
  #lastQueues: Map<number, Slot<Queue>> | undefined
  readonly evidenceEnd: number
  /** Whether some queue was not what the manifest says, or lacks files; all queues then begin empty. */
  readonly isReset: boolean
  /** Queues without a line in a manifest of which files between others are missing, as found when they were loaded. */
  readonly lacking: readonly { readonly topic: string; readonly queueId: number }[]

  private constructor(options: QueueTableOptions<Queue>) {
    this.#options = options
    const { rows, trustedEnd, isLive = false } = options
    for (const row of rows ?? []) this.#queuesOf(row.topic).set(row.queueId, { row })
    // Without a manifest all are loaded, and only files that are missing can be noticed.
    const found = rows === undefined ? this.#loadAll() : -1
    const isChecked = rows === undefined || this.#isSmall(rows)
    const damaged = !isLive && isChecked ? [...this].filter((queue) => !queue.check()) : []
    this.isReset = damaged.length > 0
    this.lacking = rows === undefined ? damaged.map(({ topic, queueId }) => ({ topic, queueId })) : []
    if (this.isReset) {
      this.#topics.clear()
      this.#lastTopic = ''
      this.#lastQueues = undefined
      this.#options = { ...options, trustedEnd: 0, rows: undefined }
      this.#loadAll()
      this.evidenceEnd = found
    } else if (rows === undefined) this.evidenceEnd = found
    else this.evidenceEnd = isLive || trustedEnd === Number.POSITIVE_INFINITY ? this.#lastEnd(rows) : this.#loadAll()
  }

  /** Loads the queues whose directories are there, or those that the manifest names. */
  static load<Queue extends TableQueue>(options: QueueTableOptions<Queue>): QueueTable<Queue> {
    return new QueueTable(options)
  }

  #isSmall(rows: readonly QueueRow[]): boolean {
    return (
      rows.length <= EAGER_CHECK_QUEUES &&
      rows.reduce((sum, { max, sums }) => sum + max - (sums[0]?.first ?? max), 0) <= EAGER_CHECK_ENTRIES
    )
  }

  #lastEnd(rows: readonly QueueRow[]): number {
    return rows.reduce((end, row) => Math.max(end, row.lastEnd), -1)
  }

  /** Loads every queue that has a directory. @returns the furthest record end that an entry points to */
  #loadAll(): number {
    const { disk, directory } = this.#options
    let evidence = -1
    for (const topic of disk.list(directory)) {
      if (topic.kind !== 'directory' || !isTopic(topic.name)) continue
      for (const queue of disk.list(`${directory}/${topic.name}`)) {
        const queueId = queue.kind === 'directory' ? parseQueueId(queue.name) : undefined
        if (queueId !== undefined) evidence = Math.max(evidence, this.obtain(topic.name, queueId).evidenceEnd)
      }
    }
    return evidence
  }

  #queuesOf(topic: string): Map<number, Slot<Queue>> {
    let queues = this.#topics.get(topic)
    if (queues === undefined) this.#topics.set(topic, (queues = new Map()))
    return queues
  }

  /** A queue, or `undefined`. */
  find(topic: string, queueId: number): Queue | undefined {
    if (topic !== this.#lastTopic) {
      this.#lastQueues = this.#topics.get(topic)
      this.#lastTopic = this.#lastQueues === undefined ? '' : topic
    }
    const slot = this.#lastQueues?.get(queueId)
    if (slot === undefined) return undefined
    return slot.queue ?? (this.#isDeleted(topic, queueId, slot) ? undefined : this.#load(topic, queueId, slot))
  }

  /** Whether the process that is followed has deleted a queue since it wrote the manifest: then it is not there. */
  #isDeleted(topic: string, queueId: number, { row }: Slot<Queue>): boolean {
    const hadFiles = row !== undefined && (row.max > row.min || row.sums.length > 0)
    if (this.#options.isLive !== true || !hadFiles || this.#traceOf(topic, queueId) !== 'absent') return false
    this.#queuesOf(topic).delete(queueId)
    return true
  }

  #traceOf(topic: string, queueId: number): string {
    const stat = this.#options.disk.stat(`${this.#options.directory}/${topic}/${queueId}`)
    return stat === undefined ? 'absent' : `${stat.identity}/${stat.modifiedMs}`
  }

  /** Whether the directory of a queue, or of any that was loaded, has changed since: files came or went, or it is another. */
  hasMoved(topic?: string, queueId?: number): boolean {
    for (const [name, queues] of this.#topics) {
      if (topic !== undefined && topic !== name) continue
      for (const [id, { queue, trace }] of queues) {
        if (queueId !== undefined && queueId !== id) continue
        if (queue !== undefined && trace !== this.#traceOf(name, id)) return true
      }
    }
    return false
  }

  /** A queue, new if need be; its directory appears with the first write. */
  obtain(topic: string, queueId: number): Queue {
    const known = this.find(topic, queueId)
    if (known !== undefined) return known
    const slot: Slot<Queue> = {}
    this.#queuesOf(topic).set(queueId, slot)
    return this.#load(topic, queueId, slot)
  }

  #load(topic: string, queueId: number, slot: Slot<Queue>): Queue {
    const { directory, entriesPerSegment, load, trustedEnd } = this.#options
    const mayHaveUnflushedNames = trustedEnd !== Number.POSITIVE_INFINITY
    const place = { directory: `${directory}/${topic}/${queueId}`, rowsPerSegment: entriesPerSegment, mayHaveUnflushedNames }
    // Before its files: what goes while they are looked at is noticed.
    if (!this.#options.writable) slot.trace = this.#traceOf(topic, queueId)
    const queue = load({ ...this.#options, ...place, topic, queueId, row: slot.row })
    slot.queue = queue
    delete slot.row
    return queue
  }

  /** The names of all topics that have a queue. */
  topics(): string[] {
    return [...this.#topics.keys()]
  }

  /** The queues of a topic, by id. */
  queuesOf(topic: string): Queue[] {
    const ids = [...(this.#topics.get(topic)?.keys() ?? [])].sort((a, b) => a - b)
    return ids.map((queueId) => this.find(topic, queueId)).filter((queue) => queue !== undefined)
  }

  *[Symbol.iterator](): Iterator<Queue> {
    for (const [topic, queues] of this.#topics) {
      for (const queueId of queues.keys()) {
        const queue = this.find(topic, queueId)
        if (queue !== undefined) yield queue
      }
    }
  }

  /** The queues that somebody has asked for. */
  *#loaded(): Generator<Queue> {
    for (const queues of this.#topics.values()) for (const { queue } of queues.values()) if (queue !== undefined) yield queue
  }

  /** Whether there is no queue. */
  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  /** Whether a topic has a queue. */
  has(topic: string): boolean {
    return (this.#topics.get(topic)?.size ?? 0) > 0
  }

  /** How many queues there are. */
  get size(): number {
    let size = 0
    for (const queues of this.#topics.values()) size += queues.size
    return size
  }

  /** What a manifest is to say of the queues; `undefined` when one is damaged and all must be made anew. */
  rows(): QueueRow[] | undefined {
    const rows: QueueRow[] = []
    for (const queues of this.#topics.values()) {
      for (const slot of queues.values()) {
        const row = slot.queue === undefined ? slot.row : slot.queue.row
        if (row === undefined) return undefined
        rows.push(row)
      }
    }
    return rows
  }

  /** Writes and flushes the entries of records that are durable. */
  async flush(durableEnd: number): Promise<void> {
    let group: Promise<void>[] = []
    for (const queue of [...this.#loaded()]) {
      if (!queue.isDirty) continue
      group.push(queue.flush(durableEnd))
      if (group.length < FLUSHED_TOGETHER) continue
      await Promise.all(group)
      group = []
    }
    await Promise.all(group)
  }

  /** Drops the entries of records that end above `logEnd`. */
  truncate(logEnd: number): void {
    for (const queues of this.#topics.values()) {
      for (const { queue, row } of queues.values()) {
        if (queue !== undefined) queue.truncate(logEnd)
        else if (row !== undefined && row.lastEnd > logEnd) this.find(row.topic, row.queueId)?.truncate(logEnd)
      }
    }
  }

  /** Overwrites entries in the files that were not believed, once they are no evidence any more. */
  settle(): void {
    for (const queue of this.#loaded()) queue.settle()
  }

  /** Lets minimum offsets follow the start of the log. @returns the files that were deleted */
  trim(logStart: number): string[] {
    const deleted: string[] = []
    for (const queue of this) unlessDamaged(() => deleted.push(...queue.trim(logStart)))
    return deleted
  }

  /**
   * Deletes all queues of a topic with their files; its next message gets offset 0. The messages stay in the
   * log until they expire.
   *
   * @returns how many queues there were
   */
  remove(topic: string): number {
    const { disk, directory } = this.#options
    const queues = this.queuesOf(topic)
    this.#topics.delete(topic)
    this.#lastTopic = ''
    this.#lastQueues = undefined
    for (const queue of queues) {
      queue.remove()
      const place = `${directory}/${topic}/${queue.queueId}`
      if (disk.list(place).length === 0) disk.remove(place)
    }
    // Something foreign may lie in it; the queues are gone all the same.
    if (queues.length > 0 && disk.list(`${directory}/${topic}`).length === 0) disk.remove(`${directory}/${topic}`)
    return queues.length
  }

  /** Makes deleted topics stay deleted. */
  async flushNames(): Promise<void> {
    const { disk, directory } = this.#options
    if (disk.stat(directory) !== undefined) await disk.flushDirectory(directory)
  }
}
