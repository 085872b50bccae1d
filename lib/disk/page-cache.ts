/**
 * Pages of files in memory, for who reads a few bytes here and there: a page that is there costs no system call.
 *
 * Each page has one place where it can stand and the one that stood there goes: nothing is allocated, counted or moved,
 * and files whose use is spread by hashes have no pages that are better kept than others. Whoever owns the bytes asks
 * under a new owner's number when what was there has changed.
 */
import { allocateBlock, type Block } from '../format/block.js'
import type { DiskFile } from './disk.js'

/** Bytes of a page: 204 index entries, or 1020 slots, none of them cut in two. */
export const CACHE_PAGE_BYTES = 4080

/** Odd and large, so that the files of a store do not fight for the same places. */
const OWNER_STEP = 40_503

let lastOwner = 0

/** A number that no other owner of pages has. */
export function newPageOwner(): number {
  return ++lastOwner
}

/** See the head of this file. */
export class PageCache {
  readonly #places: number
  readonly #owners: Int32Array
  readonly #numbers: Int32Array
  /** How many bytes of each page were there when it was read. */
  readonly #lengths: Int32Array
  #block: Block | undefined

  /** @param bytes - memory for pages, taken when the first is read; there is room for one at least */
  constructor(bytes: number) {
    this.#places = Math.max(1, Math.floor(bytes / CACHE_PAGE_BYTES))
    this.#owners = new Int32Array(this.#places)
    this.#numbers = new Int32Array(this.#places)
    this.#lengths = new Int32Array(this.#places)
  }

  /** The memory in which the pages stand. */
  get view(): DataView {
    return this.#block!.view
  }

  /**
   * Brings a page into memory, if it is not there.
   *
   * @param start - where page 0 of this owner starts in the file
   * @param needed - bytes of the page that must be there
   * @param end - where what is written ends in the file: what stands behind may still change
   * @returns where the page stands in `view` until the next call, or -1 when the file has not so many bytes
   */
  locate(owner: number, page: number, needed: number, file: DiskFile, start: number, end: number): number {
    const place = (page + Math.imul(owner, OWNER_STEP)) >>> 0
    const index = place % this.#places
    const at = index * CACHE_PAGE_BYTES
    if (this.#owners[index] === owner && this.#numbers[index] === page && needed <= this.#lengths[index]!) return at
    this.#block ??= allocateBlock(this.#places * CACHE_PAGE_BYTES)
    // Nothing stands there if the read fails.
    this.#owners[index] = 0
    const position = start + page * CACHE_PAGE_BYTES
    const length = Math.min(CACHE_PAGE_BYTES, end - position)
    const got = file.readAt(this.#block.bytes.subarray(at, at + length), position)
    this.#owners[index] = owner
    this.#numbers[index] = page
    this.#lengths[index] = got
    return needed <= got ? at : -1
  }
}
