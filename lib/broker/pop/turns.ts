/** One after the other, for each name: a group pops a queue once at a time. Costs nothing for names that nobody uses. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Runs an action when those before it, of the same name, are over. */
  async run<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name)
    const result = before === undefined ? action() : before.then(action)
    const over = result.then(
      () => {},
      () => {},
    )
    this.#last.set(name, over)
    try {
      return await result
    } finally {
      if (this.#last.get(name) === over) this.#last.delete(name)
    }
  }
}
