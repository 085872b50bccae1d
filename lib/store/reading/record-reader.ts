/**
 * Reads single records and checks that they are what they should be. Everything that hands a record to
 * anybody goes through here.
 */
import { MessageStoreError, shown } from '../../base/errors.js'
import { findingWords } from '../../format/finding-words.js'
import {
  CheckLevel,
  checkRecord,
  Finding,
  isRecordMagic,
  MIN_RECORD_BYTES,
  RecordAt,
  type RecordPlace,
  readRecord,
} from '../../format/record.js'
import { Cursor, type LogBlocks } from '../../log/log-blocks.js'
import { StoredMessage } from '../stored-message.js'
import { isBatchRecord, unwrapBatch } from '../writing/inner-batch.js'

/** What a record reader is made of. */
export interface RecordReaderOptions {
  readonly blocks: LogBlocks
  readonly segmentBytes: () => number
  /** How closely the record at an address can be checked. */
  readonly levelAt: (address: number) => CheckLevel
  /** Whether CRCs are checked at all. */
  readonly verify: boolean
  /** Nothing at or above this address may be served. */
  readonly visibleEnd: () => number
}

/** See the head of this file. */
export class RecordReader {
  readonly #options: RecordReaderOptions
  readonly #cursor = new Cursor()
  /** Where the record that was sought last was copied to while it was checked. */
  #copy: RecordPlace | undefined

  constructor(options: RecordReaderOptions) {
    this.#options = options
  }

  /** How closely the record at an address can be checked. */
  get levelAt(): (address: number) => CheckLevel {
    return this.#options.levelAt
  }

  /** Nothing at or above this address is served. */
  get visibleEnd(): number {
    return this.#options.visibleEnd()
  }

  /**
   * Points the cursor at a record and checks it.
   *
   * @param size - its size as a view says, or 0 when nobody knows
   * @returns its size, or a {@link Finding}; `unwritten` when the log does not hold the address
   */
  seek(cursor: Cursor, address: number, size: number, walking: boolean): number {
    this.#copy = undefined
    const { blocks, segmentBytes, verify, visibleEnd } = this.#options
    const end = visibleEnd()
    if (address < 0 || address + Math.max(size, 8) > end) return Finding.unwritten
    let bytes = size
    if (bytes === 0) {
      if (!blocks.locateSome(cursor, address, 8)) return Finding.unwritten
      bytes = cursor.block.view.getInt32(cursor.at)
      // Before its length is believed: a wrong address could ask for a gigabyte.
      if (!isRecordMagic(cursor.block.view.getInt32(cursor.at + RecordAt.magic))) return Finding.magic
      if (bytes < 8 || address + bytes > end) return Finding.size
    }
    if (!blocks.locate(cursor, address, bytes, walking)) return Finding.unwritten
    const { at, available } = cursor
    const bytesOfSegment = segmentBytes()
    const limit = at + bytesOfSegment - (address % bytesOfSegment)
    const level = verify ? this.#options.levelAt(address) : CheckLevel.structure
    // Room of a length that the record does not have would be too short for it.
    const isKept = cursor.asksToKeep && size >= MIN_RECORD_BYTES && cursor.block.view.getInt32(at) === size
    const copy = isKept ? blocks.roomForCopy(cursor, size) : undefined
    this.#copy = copy
    const found = checkRecord(cursor.block, at, limit, available, address, level, copy)
    return found > 0 && size > 0 && found !== size ? Finding.size : found
  }

  /** Where the record that {@link seek} has just found may be kept: see {@link LogBlocks.kept}. */
  kept(cursor: Cursor, size: number): RecordPlace {
    return this.#options.blocks.kept(cursor, size, this.#copy)
  }

  /** The record at an address and the messages in it: itself, or those of its batch. `undefined` when none is intact there. */
  recordAt(address: number): { record: StoredMessage; messages: StoredMessage[] } | undefined {
    const cursor = this.find(address)
    if (cursor === undefined) return undefined
    const { block, at } = cursor
    const record = StoredMessage.fromRecord(block, at, address)
    const inner = isBatchRecord(block, at) ? unwrapBatch(block, at, address) : undefined
    return { record, messages: inner ?? [record] }
  }

  /** Points to the intact record at an address, until the next call; `undefined` when none starts there. */
  find(address: number): Cursor | undefined {
    return this.seek(this.#cursor, address, 0, false) > 0 ? this.#cursor : undefined
  }

  /** When the record at an address was stored, or `undefined` when it cannot be read. */
  readonly timestampAt = (address: number, size: number): number | undefined => {
    const cursor = this.#cursor
    return this.seek(cursor, address, size, false) > 0 ? readRecord.storeTimestamp(cursor.block.view, cursor.at) : undefined
  }

  /** The error for a record that is not what it should be. @param address - -1 when nobody knows it any more */
  corrupt(address: number, finding: number, details: Record<string, unknown>): MessageStoreError {
    const { topic, queueId, offset } = details
    const ofQueue = offset === undefined ? '' : `, offset ${shown(offset)} of ${shown(topic)} queue ${shown(queueId)}`
    if (address < 0)
      return new MessageStoreError('STORE_CORRUPT', `the log is damaged where a record stood${ofQueue}`, { details })
    const what = finding > 0 ? 'it is another message than the queue says' : findingWords(finding)
    return new MessageStoreError('STORE_CORRUPT', `the record at ${address}${ofQueue} is damaged: ${what}`, {
      details: { commitLogOffset: address, ...details },
    })
  }
}
