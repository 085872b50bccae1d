/**
 * Which code an input runs: V8's block counters, read in process through the inspector.
 *
 * Two things tell inputs apart. A *place* is a character of a function that ran. A *shape* is a block of a
 * function with the power of two that its counter reached, so a loop that turned eight times is not one that
 * turned once. Places are what coverage means; shapes keep inputs that only lead somewhere later.
 */
import { type Profiler, Session } from 'node:inspector'
import { setFlagsFromString } from 'node:v8'

/** What was run since the last look. */
export interface Seen {
  /** For each function, by its name in the maps here: 1 where it ran. */
  readonly places: ReadonlyMap<string, Uint8Array>
  readonly shapes: ReadonlySet<string>
}

/** Counts how often each block of some scripts runs. One at a time in a process. */
export class Coverage {
  readonly #session = new Session()
  readonly #isMeant: (url: string) => boolean

  /** @param isMeant - whether a script, by its URL, is one that counts */
  constructor(isMeant: (url: string) => boolean) {
    this.#isMeant = isMeant
    // Optimised code does not count all that it runs.
    setFlagsFromString('--no-opt')
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    this.take()
  }

  /** What ran since the last call. Takes about a millisecond, however little it was. */
  take(): Seen {
    let scripts: readonly Profiler.ScriptCoverage[] = []
    let failed: Error | null = null
    // With a session of its own thread the answer comes before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      failed = error
      scripts = result
    })
    if (failed !== null) throw failed
    const places = new Map<string, Uint8Array>()
    const shapes = new Set<string>()
    for (const { url, functions } of scripts) {
      if (!this.#isMeant(url)) continue
      const script = url.slice(url.lastIndexOf('/') + 1)
      for (const { ranges } of functions) addFunction(script, ranges, places, shapes)
    }
    return { places, shapes }
  }

  /** Stops counting. */
  stop(): void {
    this.#session.disconnect()
  }
}

function addFunction(
  script: string,
  ranges: readonly Profiler.CoverageRange[],
  places: Map<string, Uint8Array>,
  shapes: Set<string>,
): void {
  const whole = ranges[0]
  if (whole === undefined || whole.count === 0) return
  const { startOffset: start, endOffset: end } = whole
  const name = `${script}:${start}:${end}`
  const ran = new Uint8Array(end - start)
  // Outer blocks come first, so what stands within overrides.
  for (const { startOffset, endOffset, count } of ranges) {
    ran.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start)
    if (count > 0) shapes.add(`${name}:${startOffset}:${endOffset}:${Math.floor(Math.log2(count))}`)
  }
  places.set(name, ran)
}

/** All that has been seen, to tell what is new. */
export class Atlas {
  readonly #places = new Map<string, Uint8Array>()
  readonly #shapes = new Set<string>()

  /** How many places were seen. */
  get places(): number {
    return [...this.#places.values()].reduce((sum, ran) => sum + count(ran), 0)
  }

  /** Characters of all functions that were entered: what {@link places} could reach. */
  get size(): number {
    return [...this.#places.values()].reduce((sum, ran) => sum + ran.length, 0)
  }

  /** How many places here are new. Nothing is added. */
  newPlaces({ places }: Seen): number {
    let found = 0
    for (const [name, ran] of places) {
      const known = this.#places.get(name)
      if (known === undefined) found += count(ran)
      else for (let i = 0; i < ran.length; i++) if (ran[i] === 1 && known[i] === 0) found++
    }
    return found
  }

  /** How many shapes here are new. Nothing is added. */
  newShapes({ shapes }: Seen): number {
    let found = 0
    for (const shape of shapes) if (!this.#shapes.has(shape)) found++
    return found
  }

  /** Adds what was seen. */
  add({ places, shapes }: Seen): void {
    for (const [name, ran] of places) {
      const known = this.#places.get(name)
      if (known === undefined) this.#places.set(name, ran.slice())
      else for (let i = 0; i < ran.length; i++) if (ran[i] === 1) known[i] = 1
    }
    for (const shape of shapes) this.#shapes.add(shape)
  }
}

function count(ran: Uint8Array): number {
  let sum = 0
  for (const one of ran) sum += one
  return sum
}
