/**
 * The queues' part of `verify`. While the log is walked, each record is looked up in the queues that it
 * belongs in. Then each queue is walked: entries must ascend, none may be empty, and when there are more
 * of them than records were found, each is followed to its record.
 *
 * Queues are read as `get` reads them, so what is not written yet counts. Memory: a window of entries for
 * the queues used last, one counter for each queue.
 */
import { LRUCache } from 'lru-cache'
import { MessageStoreError } from '../../base/errors.js'
import type { Block } from '../../format/block.js'
import { entryOffset, entrySize, entryTagsCode, FILLER_SIZE, isEntry, QUEUE_ENTRY_BYTES } from '../../format/queue-entry.js'
import { SCHEDULE_TOPIC } from '../../format/tags.js'
import type { BatchConsumeQueue } from '../../view/batch-consume-queue.js'
import type { BatchTopics } from '../../view/batch-topics.js'
import { entersQueues, furtherPlaces, type QueuePlace } from '../../view/belonging.js'
import type { ConsumeQueue } from '../../view/consume-queue.js'
import { type DispatchedRecord, isInnerBatch } from '../../view/dispatcher.js'
import { EntryBlock } from '../../view/entry-block.js'
import type { Purges } from '../../view/purges.js'
import type { QueueTable } from '../../view/queue-table.js'
import { dispatchedRecord } from '../views/dispatch-record.js'
import type { Findings } from './verify-report.js'

const WINDOW_ENTRIES = 256
const OPEN_WINDOWS = 1024
const WALK_ENTRIES = 16 * 1024
/** Tags codes below are addresses of extension entries. */
const LEAST_HASH = -0x80000000
/** How many entries already told are remembered, so that they are not told twice. */
const MAX_TOLD = 100_000

/** Reads and checks the record at an address; `undefined` when there is none. Valid until the next call. */
export type RecordAtAddress = (address: number, size: number) => { block: Block; at: number } | undefined

/** What the check needs. */
export interface QueueCheckOptions {
  readonly queues: QueueTable<ConsumeQueue>
  readonly batchQueues: QueueTable<BatchConsumeQueue>
  readonly batchTopics: BatchTopics
  readonly purges: Purges
  readonly findings: Findings
  readonly logStart: () => number
  readonly logEnd: number
  readonly isDamaged: (address: number) => boolean
  /** Whether tags codes may be addresses in extension files. */
  readonly hasExtension: boolean
  readonly recordAt: RecordAtAddress
  readonly pause: () => Promise<void>
  readonly onProgress: (done: number) => void
}

class Window {
  readonly entries = new EntryBlock()
  first = 0
  count = 0
}

/** Entries of a queue that follow one another; valid until the next ones are asked for. */
interface Piece {
  /** Offset of the first one. */
  readonly first: number
  readonly got: number
  readonly view: DataView
}

/** See the head of this file. */
export class QueueCheck {
  readonly #options: QueueCheckOptions
  readonly #windows = new LRUCache<ConsumeQueue, Window>({ max: OPEN_WINDOWS })
  /** How many records have their entry. */
  readonly #matched = new Map<ConsumeQueue, number>()
  readonly #told = new Set<string>()
  /** Queues whose files are not what was written: one finding says it all. */
  readonly #unreadable = new Set<ConsumeQueue | BatchConsumeQueue>()
  entries = 0
  fillers = 0

  constructor(options: QueueCheckOptions) {
    this.#options = options
  }

  /** Looks the record up in its queues. */
  record(record: DispatchedRecord): void {
    if (!entersQueues(record)) return
    if (isInnerBatch(record)) {
      this.#checkBatch(record, record.innerBatch!)
      return
    }
    if (this.#options.batchTopics.has(record.topic)) this.#checkBatch(record, { base: record.queueOffset, count: 1 })
    else this.#check(record, record)
    for (const place of furtherPlaces(record)) this.#check(record, place)
  }

  /** Walks all queues, after the log. */
  async finish(): Promise<void> {
    const { queues, onProgress } = this.#options
    const all = [...queues]
    for (let i = 0; i < all.length; i++) {
      await this.#walk(all[i]!)
      onProgress(i + 1)
    }
  }

  #checkBatch(record: DispatchedRecord, { base, count }: NonNullable<DispatchedRecord['innerBatch']>): void {
    const { topic, queueId, commitLogOffset, size } = record
    if (this.#options.purges.hides(topic, queueId, commitLogOffset)) return
    const queue = this.#options.batchQueues.find(topic, queueId)
    if (queue !== undefined && this.#unreadable.has(queue)) return
    const batch = queue === undefined ? undefined : this.#readable(queue, base, () => queue.batchAt(base))
    if (queue !== undefined && this.#unreadable.has(queue)) return
    const isThere = batch?.commitLogOffset === commitLogOffset && batch.size === size && batch.baseOffset === base
    if (isThere && batch.batchSize === count) return
    const where = { file: `batchconsumequeue/${topic}/${queueId}`, topic, queueId, queueOffset: base, commitLogOffset }
    const found =
      batch === undefined
        ? 'no row'
        : `${batch.commitLogOffset}, ${batch.size} bytes, ${batch.batchSize} messages from ${batch.baseOffset}`
    const expected = `${commitLogOffset}, ${size} bytes, ${count} messages from ${base}`
    this.#options.findings.add('entryWrong', where, found, expected, { key: `${topic}/${queueId}`, position: base })
  }

  #check(record: DispatchedRecord, place: QueuePlace): void {
    const { topic, queueId, queueOffset } = place
    const { findings, queues, purges } = this.#options
    if (purges.hides(topic, queueId, record.commitLogOffset)) return
    const queue = queues.find(topic, queueId)
    const where = { file: fileOf(place), topic, queueId, queueOffset, commitLogOffset: record.commitLogOffset }
    const expected = `${record.commitLogOffset}, ${record.size} bytes, tags code ${record.tagsCode}`
    const run = { key: `${topic}/${queueId}`, position: queueOffset }
    if (queue === undefined) {
      findings.add('queueMissing', where, 'no files of the queue', expected, run)
      return
    }
    const { minOffset, maxOffset } = queue
    const found = this.#entryAt(queue, queueOffset)
    if (this.#unreadable.has(queue)) return
    if (found === undefined) {
      const has =
        queueOffset >= minOffset && queueOffset < maxOffset ? 'no file holds it' : `entries ${minOffset} to ${maxOffset}`
      this.#tell(queue, queueOffset)
      findings.add('entryMissing', where, has, expected, run)
      return
    }
    const { view, at } = found
    const size = entrySize(view, at)
    if (size === FILLER_SIZE || !isEntry(view, at)) {
      this.#tell(queue, queueOffset)
      findings.add('entryMissing', where, size === FILLER_SIZE ? 'a filler' : 'an empty entry', expected, run)
      return
    }
    const tagsCode = entryTagsCode(view, at)
    if (entryOffset(view, at) === record.commitLogOffset && size === record.size && this.#isTagsCode(tagsCode, record)) {
      this.#matched.set(queue, (this.#matched.get(queue) ?? 0) + 1)
      return
    }
    this.#tell(queue, queueOffset)
    findings.add('entryWrong', where, `${entryOffset(view, at)}, ${size} bytes, tags code ${tagsCode}`, expected, run)
  }

  #entryAt(queue: ConsumeQueue, offset: number): { view: DataView; at: number } | undefined {
    let window = this.#windows.get(queue)
    if (window === undefined) this.#windows.set(queue, (window = new Window()))
    if (offset < window.first || offset >= window.first + window.count) {
      window.first = offset
      window.count = this.#read(queue, offset, WINDOW_ENTRIES, window.entries)
      if (window.count === 0) return undefined
    }
    return { view: window.entries.view, at: (offset - window.first) * QUEUE_ENTRY_BYTES }
  }

  /** Reads entries; 0 when the queue's files are not what was written. */
  #read(queue: ConsumeQueue, offset: number, count: number, into: EntryBlock): number {
    if (this.#unreadable.has(queue)) return 0
    return this.#readable(queue, offset, () => queue.read(offset, count, into)) ?? 0
  }

  /** Does what reads a queue; a file that is not what was written is told once. */
  #readable<T>(queue: ConsumeQueue | BatchConsumeQueue, offset: number, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof MessageStoreError && error.code === 'STORE_CORRUPT')) throw error
      this.#unreadable.add(queue)
      this.#options.findings.add('viewFileDamaged', placeOf(queue, offset), error.message, 'the file that was written')
      return undefined
    }
  }

  /** Reads a queue from front to back; where no file holds entries, `onHole` is told. Ends where files are damaged. */
  async *#pieces(queue: ConsumeQueue, count: number, onHole: (from: number, to: number) => void): AsyncGenerator<Piece> {
    const block = new EntryBlock()
    for (let offset = queue.minOffset; offset < queue.maxOffset; ) {
      const got = this.#read(queue, offset, count, block)
      if (this.#unreadable.has(queue)) return
      if (got === 0) {
        const to = queue.nextFileStart(offset)
        onHole(offset, to)
        offset = to
        continue
      }
      yield { first: offset, got, view: block.view }
      await this.#options.pause()
      // Purges and retention may have moved the minimum meanwhile.
      offset = Math.max(offset + got, queue.minOffset)
    }
  }

  async #walk(queue: ConsumeQueue): Promise<void> {
    const { findings, logStart, logEnd } = this.#options
    const start = logStart()
    let previous = -1
    let pointing = 0
    const onHole = (from: number, to: number): void => this.#tellEmpty(queue, from, `no file holds the entries ${from} to ${to}`)
    for await (const { first, got, view } of this.#pieces(queue, WALK_ENTRIES, onHole)) {
      for (let i = 0; i < got; i++) {
        const at = i * QUEUE_ENTRY_BYTES
        const address = entryOffset(view, at)
        if (entrySize(view, at) === FILLER_SIZE) {
          this.fillers++
          continue
        }
        this.entries++
        if (!isEntry(view, at)) {
          this.#tellEmpty(queue, first + i, 'an empty entry')
          continue
        }
        if (address >= start && address < logEnd) pointing++
        if (address <= previous && !this.#isTold(queue, first + i)) {
          this.#tell(queue, first + i)
          const run = { key: nameOf(queue), position: first + i }
          findings.add('entryDisorder', placeOf(queue, first + i), `address ${address}`, `one above ${previous}`, run)
        } else previous = address
      }
    }
    if (!this.#unreadable.has(queue) && pointing !== (this.#matched.get(queue) ?? 0)) await this.#follow(queue)
  }

  /** Follows every entry of a queue to its record. */
  async #follow(queue: ConsumeQueue): Promise<void> {
    const { logStart, logEnd, isDamaged } = this.#options
    for await (const { first, got, view } of this.#pieces(queue, WINDOW_ENTRIES, () => {})) {
      for (let i = 0; i < got; i++) {
        const at = i * QUEUE_ENTRY_BYTES
        const address = entryOffset(view, at)
        const size = entrySize(view, at)
        if (size === FILLER_SIZE || !isEntry(view, at) || address < logStart() || address >= logEnd) continue
        if (!isDamaged(address) && !this.#isTold(queue, first + i)) this.#followOne(queue, first + i, address, size)
      }
    }
  }

  #followOne(queue: ConsumeQueue, queueOffset: number, address: number, size: number): void {
    const { findings, recordAt } = this.#options
    const { topic, queueId } = queue
    const found = recordAt(address, size)
    const record = found === undefined ? undefined : dispatchedRecord(found.block, found.at, size, address)
    const isHere = (place: QueuePlace): boolean =>
      place.topic === topic && place.queueId === queueId && place.queueOffset === queueOffset
    if (record !== undefined && entersQueues(record) && (isHere(record) || furtherPlaces(record).some(isHere))) return
    const seen = record === undefined ? 'no record' : `message ${record.queueOffset} of ${record.topic}/${record.queueId}`
    const run = { key: nameOf(queue), position: queueOffset }
    const place = { ...placeOf(queue, queueOffset), commitLogOffset: address }
    findings.add('entryDangling', place, `${seen} at ${address}`, `message ${queueOffset} of ${topic}/${queueId}`, run)
  }

  #tellEmpty(queue: ConsumeQueue, queueOffset: number, found: string): void {
    if (this.#isTold(queue, queueOffset)) return
    this.#tell(queue, queueOffset)
    const run = { key: nameOf(queue), position: queueOffset }
    this.#options.findings.add('entryDangling', placeOf(queue, queueOffset), found, 'an entry or a filler', run)
  }

  /** Extension addresses cannot be compared, and a Java store may have delay levels of its own. */
  #isTagsCode(found: number, { topic, tagsCode, storeTimestamp, isStandIn }: DispatchedRecord): boolean {
    // The entry of a lost message keeps its code until the queue is made anew.
    if (isStandIn === true) return true
    if (found === tagsCode || (topic === SCHEDULE_TOPIC && found >= storeTimestamp)) return true
    return found < LEAST_HASH && this.#options.hasExtension
  }

  #tell(queue: ConsumeQueue, offset: number): void {
    if (this.#told.size < MAX_TOLD) this.#told.add(`${nameOf(queue)}/${offset}`)
  }

  #isTold(queue: ConsumeQueue, offset: number): boolean {
    return this.#told.has(`${nameOf(queue)}/${offset}`)
  }
}

function nameOf({ topic, queueId }: { topic: string; queueId: number }): string {
  return `${topic}/${queueId}`
}

function fileOf(queue: { topic: string; queueId: number }): string {
  return `consumequeue/${nameOf(queue)}`
}

function placeOf(queue: { topic: string; queueId: number }, queueOffset: number) {
  return { file: fileOf(queue), topic: queue.topic, queueId: queue.queueId, queueOffset }
}
