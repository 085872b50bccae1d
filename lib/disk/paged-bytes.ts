/** Bytes of one page: the block of common file systems, and the unit in which copies are made. */
export const pageBytes = 4096

interface Page {
  readonly bytes: Uint8Array
  /** The key of the one content that may change it in place; every other one copies it first. */
  owner: object | undefined
}

const zeroPage = new Uint8Array(pageBytes)

/**
 * The content of a file in memory, in pages that exist only where something was written.
 *
 * A 1 GiB segment with one record takes one page. `fork` gives an independent copy in constant time:
 * the table of pages is shared until either side writes, and each page until somebody writes to it.
 */
export class PagedBytes {
  #pages = new Map<number, Page>()
  #ownsTable = true
  #key = {}
  #size = 0

  /** Length in bytes; holes count. */
  get size(): number {
    return this.#size
  }

  /** Bytes that pages take. */
  get allocatedBytes(): number {
    return this.#pages.size * pageBytes
  }

  /** An independent copy, made in constant time. */
  fork(): PagedBytes {
    const copy = new PagedBytes()
    copy.#pages = this.#pages
    copy.#size = this.#size
    copy.#ownsTable = false
    this.#ownsTable = false
    // With a new key, the pages written so far are nobody's: both sides copy before they write.
    this.#key = {}
    return copy
  }

  /** Copies what there is from `position` on into `target`; returns the number of bytes. Holes are zeros. */
  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.#size - position))
    for (let done = 0; done < count; ) {
      const at = position + done
      const index = Math.floor(at / pageBytes)
      const from = at - index * pageBytes
      const length = Math.min(pageBytes - from, count - done)
      const bytes = this.#pages.get(index)?.bytes ?? zeroPage
      target.set(bytes.subarray(from, from + length), done)
      done += length
    }
    return count
  }

  /** Writes all of `source`, growing if need be. */
  write(source: Uint8Array, position: number): void {
    for (let done = 0; done < source.length; ) {
      const at = position + done
      const index = Math.floor(at / pageBytes)
      const from = at - index * pageBytes
      const length = Math.min(pageBytes - from, source.length - done)
      this.#ownPage(index).set(source.subarray(done, done + length), from)
      done += length
    }
    if (source.length > 0) this.#size = Math.max(this.#size, position + source.length)
  }

  /** Sets the length. What is cut off is gone: growing again shows zeros. */
  resize(bytes: number): void {
    if (bytes < this.#size) {
      this.#ownTable()
      const last = Math.floor(bytes / pageBytes)
      for (const index of [...this.#pages.keys()]) {
        if (index > last || (index === last && bytes % pageBytes === 0)) this.#pages.delete(index)
      }
      if (this.#pages.has(last)) this.#ownPage(last).fill(0, bytes % pageBytes)
    }
    this.#size = bytes
  }

  /** Whether the page that holds this byte has been written. */
  hasPageAt(position: number): boolean {
    return this.#pages.has(Math.floor(position / pageBytes))
  }

  /** The numbers of the pages that exist, in no order. */
  pageNumbers(): IterableIterator<number> {
    return this.#pages.keys()
  }

  /** Takes over one page of another content as it is now, or its absence, without copying it. Leaves the length alone. */
  takePage(from: PagedBytes, index: number): void {
    this.#ownTable()
    const page = from.#pages.get(index)
    if (page === undefined) {
      this.#pages.delete(index)
    } else {
      page.owner = undefined
      this.#pages.set(index, page)
    }
  }

  /** How many pages a write there would add. */
  newPages(position: number, length: number): number {
    let count = 0
    const last = Math.floor((position + length - 1) / pageBytes)
    for (let index = Math.floor(position / pageBytes); index <= last; index += 1) if (!this.#pages.has(index)) count += 1
    return length === 0 ? 0 : count
  }

  #ownPage(index: number): Uint8Array {
    this.#ownTable()
    const page = this.#pages.get(index)
    if (page?.owner === this.#key) return page.bytes
    const bytes = page === undefined ? new Uint8Array(pageBytes) : page.bytes.slice()
    this.#pages.set(index, { bytes, owner: this.#key })
    return bytes
  }

  #ownTable(): void {
    if (this.#ownsTable) return
    this.#pages = new Map(this.#pages)
    this.#ownsTable = true
  }
}
