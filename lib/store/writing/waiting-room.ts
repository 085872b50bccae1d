/** Puts that wait for room. They go in the order in which they came, and nobody passes them. */

/** See the head of this file. */
export class WaitingRoom {
  #waiting: (() => void)[] = []
  /** How many of these have gone. */
  #gone = 0

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.#gone === this.#waiting.length
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

  /** Lets puts go, oldest first, while there is room. A put that makes the store fail has the others let in before it returns. */
  letIn(hasRoom: () => boolean): void {
    while (!this.isEmpty && hasRoom()) this.#waiting[this.#gone++]!()
    this.#waiting.splice(0, this.#gone)
    this.#gone = 0
  }
}
