/** Which pages changed since they were written. A `Set` would cost every put too much. */
export class DirtyPages {
  /** 1 for each page that changed. */
  readonly #pages: Uint8Array
  #count = 0

  constructor(pages: number) {
    this.#pages = new Uint8Array(pages)
  }

  /** How many they are. */
  get count(): number {
    return this.#count
  }

  /** Notes that a page changed. */
  note(page: number): void {
    if (this.#pages[page] === 1) return
    this.#pages[page] = 1
    this.#count++
  }

  /** Notes that all did. */
  noteAll(): void {
    this.#pages.fill(1)
    this.#count = this.#pages.length
  }

  /** Notes that a dirty page was written. */
  clear(page: number): void {
    this.#pages[page] = 0
    this.#count--
  }

  /** Runs of dirty pages that stand together, at most `most` in one, from a page on; they may be cleared meanwhile. */
  *runs(most: number, first = 0): Generator<{ from: number; to: number }> {
    if (this.#count === 0) return
    const pages = this.#pages
    for (let from = pages.indexOf(1, first); from >= 0; ) {
      let to = from + 1
      while (to < pages.length && to - from < most && pages[to] === 1) to++
      yield { from, to }
      from = pages.indexOf(1, to)
    }
  }
}
