/**
 * Walks the entries of one hash through the files of an index, newest first. Between two steps entries may be added
 * and old files deleted.
 */
import type { IndexFile } from './index-file.js'

/** Nothing more is to be found. */
export const NO_MORE = -2
/** A long stretch without an entry of the hash: let the event loop turn and go on. */
export const LONG_STRETCH = -1

/** See the head of this file. */
export class Candidates implements Iterable<number> {
  readonly #files: readonly IndexFile[]
  readonly #ready: (file: IndexFile) => void
  readonly #keyHash: number
  readonly #fromMs: number
  readonly #toMs: number
  #file: IndexFile | undefined
  /** The entry of the file that was found last; 0 before the first. */
  #entry = 0

  /**
   * @param files - oldest first; they may change
   * @param ready - called before the first look into a file; throws if it must not be searched
   */
  constructor(files: readonly IndexFile[], ready: (file: IndexFile) => void, keyHash: number, fromMs: number, toMs: number) {
    this.#files = files
    this.#ready = ready
    this.#keyHash = keyHash
    this.#fromMs = fromMs
    this.#toMs = toMs
    this.#enter(files.length - 1)
  }

  /** The address of the next record that may be meant, {@link LONG_STRETCH}, or {@link NO_MORE}. */
  next(): number {
    for (;;) {
      const file = this.#file
      if (file === undefined) return NO_MORE
      // A file that is gone since the last step took those before it along.
      if (this.#entry !== 0 && !this.#files.includes(file)) return NO_MORE
      const entry = file.candidate(this.#keyHash, this.#fromMs, this.#toMs, Math.abs(this.#entry))
      if (entry !== 0) {
        this.#entry = entry
        return entry > 0 ? file.offsetOf(entry) : LONG_STRETCH
      }
      this.#enter(this.#files.indexOf(file) - 1)
    }
  }

  /** Turns to the newest file, not above a place in the list, that has entries of the time. */
  #enter(from: number): void {
    this.#entry = 0
    this.#file = undefined
    for (let i = from; i >= 0; i--) {
      const file = this.#files[i]!
      const { beginTimestamp, endTimestamp } = file.header
      if (beginTimestamp > this.#toMs || endTimestamp + 1000 < this.#fromMs) continue
      this.#ready(file)
      this.#file = file
      return
    }
  }

  /** The steps up to the last. */
  *[Symbol.iterator](): Iterator<number> {
    for (let found = this.next(); found !== NO_MORE; found = this.next()) yield found
  }
}
