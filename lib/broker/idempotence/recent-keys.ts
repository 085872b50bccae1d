/** Keys and when they were noted, for as long as a window: a bounded number of them, the oldest forgotten first. */

/** See the head of this file. */
export class RecentKeys {
  /** In the order in which they were noted. */
  readonly #times = new Map<string, number>()
  readonly #windowMs: number
  readonly #maxKeys: number

  constructor(windowMs: number, maxKeys: number) {
    this.#windowMs = windowMs
    this.#maxKeys = maxKeys
  }

  /** How many are remembered. */
  get size(): number {
    return this.#times.size
  }

  /** Whether a key was noted within the window. */
  has(key: string, now: number): boolean {
    const time = this.#times.get(key)
    return time !== undefined && now - time < this.#windowMs
  }

  /** Notes a key, and forgets what is over or too much. */
  note(key: string, time: number): void {
    // Taken out first: a map keeps the place of a key that is set again.
    this.#times.delete(key)
    this.#times.set(key, time)
    for (const [oldest, noted] of this.#times) {
      if (this.#times.size <= this.#maxKeys && time - noted < this.#windowMs) return
      this.#times.delete(oldest)
    }
  }

  /** What is remembered, the oldest first. */
  entries(): IterableIterator<[key: string, time: number]> {
    return this.#times.entries()
  }
}
