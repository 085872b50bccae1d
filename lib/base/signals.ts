/** Telling and waiting, without domain words. */

/** Calls listeners of named events. A listener that throws does not keep the others from being called. */
export class Emitter<Events extends Record<string, unknown>> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>()

  /** Calls `listener` at each event of that name. @returns a function that ends it */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    let set = this.#listeners.get(name)
    if (set === undefined) this.#listeners.set(name, (set = new Set()))
    set.add(listener as (event: never) => void)
    return () => this.off(name, listener)
  }

  /** Ends what `on` began. */
  off<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void {
    this.#listeners.get(name)?.delete(listener as (event: never) => void)
  }

  /** Tells all listeners. What they throw surfaces as an unhandled rejection, not here. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const set = this.#listeners.get(name)
    if (set === undefined) return
    for (const listener of [...set]) {
      try {
        listener(event as never)
      } catch (error) {
        void Promise.reject(error)
      }
    }
  }
}

/** The reason of an aborted signal, as an error to throw. */
export function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new DOMException('This operation was aborted', 'AbortError')
}
