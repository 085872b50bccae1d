/**
 * The index's part of `verify`: its entries stand in the order of the log, so while the log is walked they
 * are walked beside it, and what one side has and the other has not is told.
 *
 * ```
 *   log      record 0      record 173         record 350 ...
 *   index    h1 -> 0       h2 -> 173  h3 -> 173   h1 -> 350 ...
 * ```
 *
 * Each entry must also lead to the newest one before it in its slot, and at the end of a file its slots
 * must hold what its entries say. Memory: one table of slots.
 */

import { zeroBlock } from '../../format/block.js'
import { getI64 } from '../../format/i64.js'
import { INDEX_ENTRY_BYTES } from '../../format/index-layout.js'
import { IndexEntry } from '../../format/tables.js'
import { indexHashes, innerHashes } from '../../view/belonging.js'
import type { DispatchedRecord } from '../../view/dispatcher.js'
import type { IndexFile } from '../../view/index-file.js'
import type { IndexView } from '../../view/index-view.js'
import type { Findings } from './verify-report.js'

const READ_ENTRIES = 4096
const MAX_SECONDS = 0x7fffffff
const AT = IndexEntry.at

/** What the check needs. */
export interface IndexCheckOptions {
  readonly index: IndexView
  readonly findings: Findings
  readonly logStart: () => number
  readonly logEnd: number
  readonly isDamaged: (address: number) => boolean
}

interface Entry {
  readonly file: IndexFile
  readonly number: number
  readonly hash: number
  readonly address: number
  readonly seconds: number
}

/** See the head of this file. */
export class IndexCheck {
  readonly #options: IndexCheckOptions
  readonly #entries: EntryWalk
  /** The record before, whose entries a Java store may have made twice; `end` is where a stand-in's lost records end. */
  #last: { address: number; hashes: readonly number[]; end: number } = { address: -1, hashes: [], end: -1 }
  #missing = 0

  constructor(options: IndexCheckOptions) {
    this.#options = options
    this.#entries = new EntryWalk(options.index, options.findings)
  }

  /** How many entries were walked. */
  get entries(): number {
    return this.#entries.count
  }

  /** Compares the entries of a record with its keys. */
  record(record: DispatchedRecord): void {
    const { commitLogOffset: address } = record
    this.#skipTo(address)
    const hashes = indexHashes(record)
    const wanted = [...hashes]
    for (let entry = this.#entries.peek(); entry !== undefined && entry.address === address; entry = this.#entries.next()) {
      const at = wanted.indexOf(entry.hash)
      if (at >= 0) wanted.splice(at, 1)
      if (at >= 0 || hashes.includes(entry.hash)) this.#checkTimes(entry, record)
      else if (record.isStandIn !== true)
        this.#wrong(entry, `the hash ${entry.hash}`, `the hash of a key of the record at ${address}`)
    }
    drop(wanted, innerHashes(record))
    if (wanted.length > 0) this.#tellMissing(record, wanted)
    else if (hashes.length > 0) this.#missing = 0
    this.#last = { address, hashes, end: record.isStandIn === true ? address + record.size : address }
  }

  /** Walks what is left, after the log. */
  finish(): void {
    this.#skipTo(this.#options.logEnd)
    while (this.#entries.peek() !== undefined) this.#entries.next()
  }

  /** Judges the entries of addresses before one: between two records nothing may be listed. */
  #skipTo(address: number): void {
    const { logStart, isDamaged } = this.#options
    for (let entry = this.#entries.peek(); entry !== undefined && entry.address < address; entry = this.#entries.next()) {
      const isTwice = entry.address === this.#last.address && this.#last.hashes.includes(entry.hash)
      const isLost = entry.address >= this.#last.address && entry.address < this.#last.end
      if (isTwice || isLost || (entry.address >= 0 && entry.address < logStart()) || isDamaged(entry.address)) continue
      this.#wrong(entry, `no record with such a key at ${entry.address}`, 'the address of a record')
    }
  }

  #checkTimes({ file, number, address, seconds }: Entry, { storeTimestamp }: DispatchedRecord): void {
    const { findings } = this.#options
    const { header } = file
    if (number === 1) {
      if (header.beginTimestamp === storeTimestamp && header.beginCommitLogOffset === address) return
      const found = `beginTimestamp ${header.beginTimestamp}, beginCommitLogOffset ${header.beginCommitLogOffset}`
      findings.add('indexHeaderWrong', { file: fileOf(file) }, found, `${storeTimestamp} and ${address}, of the first entry`)
      return
    }
    const passed = Math.floor((storeTimestamp - header.beginTimestamp) / 1000)
    const expected = header.beginTimestamp <= 0 ? 0 : Math.max(0, Math.min(passed, MAX_SECONDS))
    if (seconds !== expected) {
      const run = { key: file.path, position: number }
      findings.add('indexEntryWrong', { file: fileOf(file), entry: number }, `${seconds} seconds`, `${expected} seconds`, run)
    }
    if (number === header.indexCount - 1 && header.endTimestamp < storeTimestamp - 999) {
      const place = { file: fileOf(file) }
      findings.add('indexHeaderWrong', place, `endTimestamp ${header.endTimestamp}`, `${storeTimestamp}, of the last entry`)
    }
  }

  #wrong({ file, number, address }: Entry, found: string, expected: string): void {
    const place = { file: fileOf(file), entry: number, commitLogOffset: address }
    this.#options.findings.add('indexEntryWrong', place, found, expected, { key: file.path, position: number })
  }

  #tellMissing(record: DispatchedRecord, hashes: readonly number[]): void {
    const { topic, commitLogOffset, keys, uniqueKey, innerKeys = [] } = record
    const place = { topic, commitLogOffset }
    const all = [...(uniqueKey === undefined ? [] : [uniqueKey]), ...keys, ...innerKeys]
    const found = `no entry with the hash ${hashes.join(', ')}`
    const run = { key: 'index', position: this.#missing++ }
    this.#options.findings.add('keyMissing', place, found, `entries for the keys ${all.join(', ')}`, run)
  }
}

/** Reads the entries of all files in order and checks how they hang together. */
class EntryWalk {
  readonly #index: IndexView
  readonly #findings: Findings
  readonly #block = zeroBlock(READ_ENTRIES * INDEX_ENTRY_BYTES)
  #fileAt = -1
  #file: IndexFile | undefined
  /** Number of the first entry in the block, and how many there are. */
  #first = 1
  #got = 0
  #i = 0
  #slots = new Int32Array(0)
  #used = 0
  #lastAddress = -1
  #current: Entry | undefined
  #isBegun = false
  count = 0

  constructor(index: IndexView, findings: Findings) {
    this.#index = index
    this.#findings = findings
  }

  /** The entry that is next, or `undefined` at the end. */
  peek(): Entry | undefined {
    return this.#isBegun ? this.#current : this.next()
  }

  /** Moves on to the next entry whose address does not go back. */
  next(): Entry | undefined {
    this.#isBegun = true
    for (;;) {
      if (this.#i >= this.#got && !this.#load()) return (this.#current = undefined)
      const entry = this.#take()
      if (entry === undefined) continue
      this.#lastAddress = entry.address
      return (this.#current = entry)
    }
  }

  #take(): Entry | undefined {
    const file = this.#file!
    const number = this.#first + this.#i
    const entry = this.#decode(file, this.#i)
    this.#i++
    this.count++
    this.#checkChain(file, number, entry.hash, this.#previous(this.#i - 1))
    // One wrong address must not hide the good ones behind it: it is the one that the next contradicts.
    const following = this.#i < this.#got ? this.#decode(file, this.#i).address : entry.address
    const isBack = entry.address < this.#lastAddress
    if (!isBack && !(following < entry.address && following >= this.#lastAddress)) return entry
    const expected = isBack ? `at least ${this.#lastAddress}` : `${this.#lastAddress} to ${following}`
    const place = { file: fileOf(file), entry: number, commitLogOffset: entry.address }
    this.#findings.add('indexEntryWrong', place, `address ${entry.address}`, expected, { key: file.path, position: number })
    return undefined
  }

  #decode(file: IndexFile, i: number): Entry {
    const { view } = this.#block
    const at = i * INDEX_ENTRY_BYTES
    const address = getI64(view, at + AT.commitLogOffset)
    const hash = view.getInt32(at + AT.keyHash)
    return { file, number: this.#first + i, hash, address, seconds: view.getInt32(at + AT.seconds) }
  }

  #previous(i: number): number {
    return this.#block.view.getInt32(i * INDEX_ENTRY_BYTES + AT.previous)
  }

  /** An entry leads to the newest before it in its slot, so chains go back and end. */
  #checkChain(file: IndexFile, number: number, hash: number, previous: number): void {
    const place = { file: fileOf(file), entry: number }
    const run = { key: file.path, position: number }
    if (hash < 0) {
      this.#findings.add('indexEntryWrong', place, `the hash ${hash}`, 'a hash of at least 0', run)
      return
    }
    const slot = hash % file.slotCount
    const expected = this.#slots[slot]!
    if (expected === 0) this.#used++
    if (previous !== expected) {
      this.#findings.add('indexChainWrong', { ...place, slot }, `entry ${previous}`, `entry ${expected}`, run)
    }
    this.#slots[slot] = number
  }

  /** Reads on; moves to the next file at the end of one. */
  #load(): boolean {
    for (;;) {
      const file = this.#file
      if (file !== undefined) {
        this.#first += this.#got
        this.#i = 0
        this.#got = this.#isHere(file) ? file.readEntries(this.#first, READ_ENTRIES, this.#block) : 0
        if (this.#got > 0) return true
        if (this.#isHere(file)) this.#checkFile(file)
        this.#file = undefined
      }
      const next = this.#index.files[this.#fileAt + 1]
      if (next === undefined) return false
      this.#fileAt++
      this.#file = next
      this.#slots = new Int32Array(next.slotCount)
      this.#used = 0
      this.#first = 1
      this.#got = 0
      this.#i = 0
    }
  }

  /** Retention may have deleted it while the event loop turned. */
  #isHere(file: IndexFile): boolean {
    if (this.#index.files[this.#fileAt] === file) return true
    this.#fileAt = this.#index.files.indexOf(file)
    return this.#fileAt >= 0
  }

  /** Slots and header against the entries, all of which have been walked. */
  #checkFile(file: IndexFile): void {
    const { header } = file
    const name = fileOf(file)
    const table = file.slotTable()
    for (let slot = 0; slot < table.length; slot++) {
      if (table[slot] === this.#slots[slot]) continue
      const run = { key: file.path, position: slot }
      this.#findings.add('indexSlotWrong', { file: name, slot }, `entry ${table[slot]}`, `entry ${this.#slots[slot]}`, run)
    }
    if (header.hashSlotCount !== this.#used) {
      this.#findings.add(
        'indexHeaderWrong',
        { file: name },
        `hashSlotCount ${header.hashSlotCount}`,
        `${this.#used} slots in use`,
      )
    }
    if (this.#first > 1 && header.endCommitLogOffset !== this.#lastAddress) {
      const found = `endCommitLogOffset ${header.endCommitLogOffset}`
      this.#findings.add('indexHeaderWrong', { file: name }, found, `${this.#lastAddress}, of the last entry`)
    }
  }
}

/** Takes away what need not be there: RocketMQ lists a batch under the keys of its record alone, so one missing says nothing. */
function drop(wanted: number[], optional: readonly number[]): void {
  for (const hash of optional) {
    const at = wanted.indexOf(hash)
    if (at >= 0) wanted.splice(at, 1)
  }
}

function fileOf({ path }: IndexFile): string {
  return `index/${path.slice(path.lastIndexOf('/') + 1)}`
}
