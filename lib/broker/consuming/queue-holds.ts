/**
 * Which queue is in whose hands, for the members of a group in this process: a queue is handed over only when its
 * last holder has let it go, so that rebalancing delivers nothing twice.
 */

/** See the head of this file. */
export class QueueHolds {
  /** By group and queue: resolves when the holder, or the last one in line, has let go. */
  readonly #held = new Map<string, Promise<void>>()

  /** Waits in line for a queue. @returns a function that lets it go */
  async take(group: string, topic: string, queueId: number): Promise<() => void> {
    const key = `${group} ${topic} ${queueId}`
    const before = this.#held.get(key)
    let letGo!: () => void
    const held = new Promise<void>((resolve) => (letGo = resolve))
    this.#held.set(key, held)
    await before
    return () => {
      if (this.#held.get(key) === held) this.#held.delete(key)
      letGo()
    }
  }
}
