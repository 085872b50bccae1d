/** The path of a get on a queue whose records hold batches: rows, records, messages, filter on the text. */
import { findingName } from '../../format/record.js'
import { isStandIn } from '../../format/stand-in.js'
import { Cursor } from '../../log/log-blocks.js'
import type { BatchConsumeQueue, BatchPlace } from '../../view/batch-consume-queue.js'
import type { GetStatus } from '../message.js'
import { StoredMessage } from '../stored-message.js'
import { isBatchRecord, unwrapBatch } from '../writing/inner-batch.js'
import type { GetPlan, GetResult } from './reader.js'
import type { RecordReader } from './record-reader.js'

/** See the head of this file. */
export class BatchReader {
  readonly #records: RecordReader
  readonly #logStart: () => number
  readonly #cursor = new Cursor()

  constructor(records: RecordReader, logStart: () => number) {
    this.#records = records
    this.#logStart = logStart
  }

  /**
   * Reads from an offset that the queue has; a batch whose first messages were read is entered in its middle.
   *
   * @param end - enter no batch from this offset on
   * @throws {MessageStoreError} `STORE_CORRUPT` when the first record is damaged
   */
  collect(queue: BatchConsumeQueue, plan: GetPlan, end: number): GetResult {
    const { minOffset, maxOffset } = queue
    const { maxMessages, maxBytes, filter } = plan
    const messages: StoredMessage[] = []
    let status: GetStatus = 'NO_MATCHED_MESSAGE'
    let offset = plan.offset
    let bytes = 0
    while (offset < end && messages.length < maxMessages) {
      const place = queue.batchAt(offset)
      if (place === undefined || (messages.length > 0 && bytes + place.size > maxBytes)) break
      const next = place.baseOffset + place.batchSize
      if (place.commitLogOffset < this.#logStart()) {
        if (messages.length === 0) status = 'MESSAGE_WAS_REMOVING'
        offset = next
        continue
      }
      if (this.#isLost(place)) {
        offset = next
        continue
      }
      const inner = this.#unwrap(queue, place)
      if (inner === undefined && messages.length > 0) break
      if (inner === undefined) throw this.#damaged(queue, place, offset, next)
      bytes += place.size
      for (const message of inner) {
        if (message.queueOffset < offset || messages.length >= maxMessages) continue
        offset = message.queueOffset + 1
        if (filter === undefined || filter.tags.has(message.tags ?? '')) messages.push(message)
      }
      if (messages.length > 0) status = 'FOUND'
    }
    return { status, messages, nextOffset: offset, minOffset, maxOffset }
  }

  /** Whether a stand-in keeps the place of the batch. */
  #isLost({ commitLogOffset, size }: BatchPlace): boolean {
    const cursor = this.#cursor
    return this.#records.seek(cursor, commitLogOffset, size, true) > 0 && isStandIn(cursor.block, cursor.at)
  }

  /** The messages of a batch, or `undefined` when the record is not what the row promised. */
  #unwrap(
    { topic, queueId }: BatchConsumeQueue,
    { commitLogOffset, size, baseOffset, batchSize }: BatchPlace,
  ): StoredMessage[] | undefined {
    const cursor = this.#cursor
    if (this.#records.seek(cursor, commitLogOffset, size, true) <= 0) return undefined
    const { block, at } = cursor
    const inner = isBatchRecord(block, at)
      ? unwrapBatch(block, at, commitLogOffset)
      : [StoredMessage.fromRecord(block, at, commitLogOffset)]
    const first = inner?.[0]
    const isPromised =
      first?.topic === topic && first.queueId === queueId && first.queueOffset === baseOffset && inner?.length === batchSize
    return isPromised ? inner : undefined
  }

  #damaged(
    { topic, queueId }: BatchConsumeQueue,
    { commitLogOffset, size }: BatchPlace,
    offset: number,
    nextOffset: number,
  ): Error {
    const finding = this.#records.seek(this.#cursor, commitLogOffset, size, false)
    return this.#records.corrupt(commitLogOffset, finding, { topic, queueId, offset, nextOffset, finding: findingName(finding) })
  }
}
