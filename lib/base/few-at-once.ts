/**
 * Small things of which thousands may be due in one moment: to wake those who waited for a message that came, to end the
 * waits of a connection that closed. The first few are done at once. The others follow a few at a time, each time with all
 * that comes of it, while there is time for them in a turn of the event loop.
 */
import type { TurnShare } from './turn-share.js'

/** Each of them may make a request read and answered. */
const MOST_AT_ONCE = 16

/** See the head of this file. */
export class FewAtOnce<Item> {
  readonly #share: TurnShare
  readonly #act: (item: Item) => void
  /** In the order in which they came. */
  readonly #due = new Set<Item>()
  /** How many may be done before the next step. */
  #left = MOST_AT_ONCE
  #hasNextStep = false

  /** @param act - what is done to each; does not throw */
  constructor(share: TurnShare, act: (item: Item) => void) {
    this.#share = share
    this.#act = act
  }

  /** Does it to all of these, soon. One that is due already stays where it is. */
  add(items: Iterable<Item>): void {
    for (const item of items) this.#due.add(item)
    this.#doSome()
    if (!this.#hasNextStep && this.#left < MOST_AT_ONCE) this.#planStep()
  }

  #planStep(): void {
    this.#hasNextStep = true
    this.#share.later(() => {
      this.#left = MOST_AT_ONCE
      this.#doSome()
      if (this.#left < MOST_AT_ONCE) this.#planStep()
      else this.#hasNextStep = false
    })
  }

  #doSome(): void {
    if (this.#left === 0) return
    for (const item of this.#due) {
      this.#due.delete(item)
      this.#left--
      this.#act(item)
      if (this.#left === 0) return
    }
  }
}
