/** Writes of a table that can be held back, so that many changes at once cost one write. */
export class HeldWrites {
  #isHeld = false
  #isChanged = false

  /** Writes now, or, while writes are held, notes that there is something to write. */
  async write(now: () => Promise<void>): Promise<void> {
    if (this.#isHeld) this.#isChanged = true
    else await now()
  }

  /** Holds writes while `action` runs, and writes at its end, well or not. Nobody else may change the table meanwhile. */
  async once(action: () => Promise<void>, write: () => Promise<void>): Promise<void> {
    this.#isHeld = true
    try {
      await action()
    } finally {
      this.#isHeld = false
      if (this.#isChanged) await write()
      this.#isChanged = false
    }
  }
}
