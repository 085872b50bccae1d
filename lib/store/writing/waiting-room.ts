/** Puts that wait for room. They go in the order in which they came, and nobody passes them. */

/** See the head of this file. */
export class WaitingRoom {
  #waiting: (() => void)[] = []

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Calls `put` when it is its turn, and answers what it answers. */
  wait<T>(put: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        // Called at once, not after a turn of the microtasks: a caller who is answered now might put first.
        try {
          resolve(put())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** Lets puts go, oldest first, while there is room. */
  letIn(hasRoom: () => boolean): void {
    let gone = 0
    while (gone < this.#waiting.length && hasRoom()) this.#waiting[gone++]!()
    if (gone > 0) this.#waiting.splice(0, gone)
  }
}
