/** All ConsumeQueues of a store, by topic and queue id. */
import type { Disk } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { isTopic, parseQueueId } from '../format/names.js'
import { ConsumeQueue } from './consume-queue.js'

/** How to load the queues of a store. */
export interface QueueTableOptions {
  readonly disk: Disk
  readonly files: OpenFiles
  /** Directory of the queues: `consumequeue`. */
  readonly directory: string
  readonly entriesPerSegment: number
  readonly writable: boolean
  readonly tmpDirectory: string
  /** Entries of records that end above this are dropped when loading. */
  readonly trustedEnd: number
}

/** How many queues are flushed before the event loop may turn. */
const FLUSHED_TOGETHER = 16

/** See the head of this file. */
export class QueueTable implements Iterable<ConsumeQueue> {
  readonly #options: QueueTableOptions
  readonly #topics = new Map<string, Map<number, ConsumeQueue>>()
  readonly evidenceEnd: number

  private constructor(options: QueueTableOptions) {
    this.#options = options
    const { disk, directory } = options
    let evidence = -1
    for (const topic of disk.list(directory)) {
      if (topic.kind !== 'directory' || !isTopic(topic.name)) continue
      for (const queue of disk.list(`${directory}/${topic.name}`)) {
        const queueId = queue.kind === 'directory' ? parseQueueId(queue.name) : undefined
        if (queueId !== undefined) evidence = Math.max(evidence, this.obtain(topic.name, queueId).evidenceEnd)
      }
    }
    this.evidenceEnd = evidence
  }

  /** Loads the queues whose directories are there. */
  static load(options: QueueTableOptions): QueueTable {
    return new QueueTable(options)
  }

  /** A queue, or `undefined`. */
  find(topic: string, queueId: number): ConsumeQueue | undefined {
    return this.#topics.get(topic)?.get(queueId)
  }

  /** A queue, new if need be; its directory appears with the first write. */
  obtain(topic: string, queueId: number): ConsumeQueue {
    let queues = this.#topics.get(topic)
    if (queues === undefined) this.#topics.set(topic, (queues = new Map()))
    let queue = queues.get(queueId)
    if (queue === undefined) {
      const { directory } = this.#options
      queue = new ConsumeQueue({ ...this.#options, directory: `${directory}/${topic}/${queueId}`, topic, queueId })
      queues.set(queueId, queue)
    }
    return queue
  }

  /** The names of all topics that have a queue. */
  topics(): string[] {
    return [...this.#topics.keys()]
  }

  /** The queues of a topic, by id. */
  queuesOf(topic: string): ConsumeQueue[] {
    return [...(this.#topics.get(topic)?.values() ?? [])].sort((a, b) => a.queueId - b.queueId)
  }

  *[Symbol.iterator](): Iterator<ConsumeQueue> {
    for (const queues of this.#topics.values()) yield* queues.values()
  }

  /** How many queues there are. */
  get size(): number {
    let size = 0
    for (const queues of this.#topics.values()) size += queues.size
    return size
  }

  /** Writes and flushes the entries of records that are durable. */
  async flush(durableEnd: number): Promise<void> {
    let group: Promise<void>[] = []
    for (const queue of [...this]) {
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
    for (const queue of this) queue.truncate(logEnd)
  }

  /** Lets minimum offsets follow the start of the log. @returns the files that were deleted */
  trim(logStart: number): string[] {
    const deleted: string[] = []
    for (const queue of this) deleted.push(...queue.trim(logStart))
    return deleted
  }

  /** Deletes a queue, or all queues of a topic; the messages stay in the log until they expire. */
  async remove(topic: string, queueId?: number): Promise<void> {
    const { disk, directory } = this.#options
    const queues = this.#topics.get(topic)
    for (const queue of [...(queues?.values() ?? [])]) {
      if (queueId !== undefined && queue.queueId !== queueId) continue
      await queue.remove()
      queues!.delete(queue.queueId)
      disk.remove(`${directory}/${topic}/${queue.queueId}`)
    }
    if (queues?.size !== 0) return
    this.#topics.delete(topic)
    disk.remove(`${directory}/${topic}`)
    await disk.flushDirectory(directory)
  }

  /** Loads again what another process has written since, new queues too. */
  refresh(): void {
    const { disk, directory } = this.#options
    for (const queue of this) queue.refresh()
    for (const topic of disk.list(directory)) {
      if (topic.kind !== 'directory' || !isTopic(topic.name)) continue
      for (const { name } of disk.list(`${directory}/${topic.name}`)) {
        const queueId = parseQueueId(name)
        if (queueId !== undefined) this.obtain(topic.name, queueId)
      }
    }
  }
}
