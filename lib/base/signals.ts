/** Telling and waiting, without domain words. */

import { checkFunction } from './arguments.js'
import { shown } from './errors.js'
import { afterEvent } from './system.js'

/**
 * Calls listeners, whatever they throw: that keeps neither the others from being called nor the caller from going on. It
 * comes to the process as an uncaught exception, right after the event under way, as with Node's own `EventTarget`.
 */
export function tellAll<Event>(listeners: Iterable<(event: Event) => void>, event: Event): void {
  for (const listener of [...listeners]) {
    try {
      listener(event)
    } catch (error) {
      afterEvent(() => {
        throw error
      })
    }
  }
}

/** Calls listeners of named events, by {@link tellAll}. */
export class Emitter<Events extends object> {
  readonly #listeners: ReadonlyMap<keyof Events, Set<(event: never) => void>>

  /** @param names - the events that there are */
  constructor(names: Readonly<Record<keyof Events, true>>) {
    this.#listeners = new Map(Object.keys(names).map((name) => [name as keyof Events, new Set()]))
  }

  /**
   * Calls `listener` at each event of that name. What it throws is an uncaught exception of the process.
   *
   * @returns a function that ends it
   * @throws {TypeError} for an event that there is not, or a listener that cannot be called
   */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const set = this.#listeners.get(name)
    if (set === undefined) {
      throw new TypeError(`there is no event ${shown(name)}; the events are ${[...this.#listeners.keys()].join(', ')}`)
    }
    checkFunction('the listener', listener)
    set.add(listener as (event: never) => void)
    return () => this.off(name, listener)
  }

  /** Ends what `on` began. */
  off<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void {
    this.#listeners.get(name)?.delete(listener as (event: never) => void)
  }

  /** Tells all listeners, by {@link tellAll}. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const set = this.#listeners.get(name)
    if (set !== undefined && set.size > 0) tellAll(set, event as never)
  }
}

/** Resolves when a signal fires; at once when it has. */
export function fired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** The reason of an aborted signal, as an error to throw. */
export function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new DOMException('This operation was aborted', 'AbortError')
}
