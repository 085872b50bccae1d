/** A pause of one loop, which somebody else may end early. */
import type { Timer as Alarm, Timers } from '../../base/system.js'

/** See the head of this file. One loop pauses at a time. */
export class Pause {
  readonly #timers: Pick<Timers, 'after'>
  #end: (() => void) | undefined

  constructor(timers: Pick<Timers, 'after'>) {
    this.#timers = timers
  }

  /** Resolves after `ms` milliseconds, or at {@link end}. */
  for(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let alarm: Alarm | undefined
      this.#end = () => {
        this.#end = undefined
        alarm?.cancel()
        resolve()
      }
      alarm = this.#timers.after(ms, this.#end)
    })
  }

  /** Ends the pause, if there is one. */
  end(): void {
    this.#end?.()
  }
}
