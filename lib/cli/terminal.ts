/**
 * Where commands write to: results to standard output, errors and progress to standard error.
 *
 * Colours only where a terminal shows them and `NO_COLOR` is not set. Writing waits when the reader of a
 * pipe is slow, and stops for good, without an error, when it has gone (`mqlite tail ... | head`) or the terminal was closed.
 */
import type { Clock } from '../base/system.js'
import type { Log } from './log.js'

/** A stream to write to: `process.stdout` or `process.stderr`. */
export interface OutputStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): boolean
  once(event: 'drain', listener: () => void): unknown
  on(event: 'error', listener: (error: Error & { code?: string }) => void): unknown
}

/** What a terminal is made of. */
export interface TerminalOptions {
  readonly out: OutputStream
  readonly error: OutputStream
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Fires when the user interrupts, or when nobody reads the output any more. */
  readonly stop: AbortController
}

const COLOURS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const
/** Nothing is drawn for work that takes less. */
const PROGRESS_AFTER_MS = 400
const PROGRESS_EVERY_MS = 100
const BAR_CELLS = 30

/** See the head of this file. */
export class Terminal {
  readonly #options: TerminalOptions
  readonly #hasColour: boolean
  #isGone = false
  #failure: Error | undefined
  #goOn: (() => void) | undefined
  #log: Pick<Log, 'fatal'> | undefined

  constructor(options: TerminalOptions) {
    this.#options = options
    const { out, error, environment, stop } = options
    this.#hasColour = out.isTTY === true && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
    out.on('error', (problem) => {
      // Nothing more is wanted, or can be written.
      this.#isGone = true
      // A terminal that was closed says EIO; a file that does has failed.
      const hasLeft = problem.code === 'EPIPE' || (out.isTTY === true && problem.code === 'EIO')
      if (!hasLeft) this.#failure ??= problem
      this.#goOn?.()
      stop.abort(problem)
    })
    error.on('error', () => {})
  }

  /** Variables of the environment. */
  get environment(): Readonly<Record<string, string | undefined>> {
    return this.#options.environment
  }

  /** Tells the time. */
  get clock(): Clock {
    return this.#options.clock
  }

  /** Whether people read standard error. */
  get isErrorShown(): boolean {
    return this.#options.error.isTTY === true
  }

  /** Fires when the work should stop. */
  get signal(): AbortSignal {
    return this.#options.stop.signal
  }

  /** Why the output could not be written, other than that its reader has gone. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Whether the reader of the output has gone. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** Columns that a line may take; no limit when it goes into a file or a pipe. */
  get columns(): number {
    const { out } = this.#options
    return out.isTTY === true && out.columns !== undefined ? out.columns : Number.POSITIVE_INFINITY
  }

  /** Writes a line. */
  line(text = ''): Promise<void> {
    return this.write(`${text}\n`)
  }

  /** Writes text; waits until there is room for it. */
  async write(text: string): Promise<void> {
    const { out } = this.#options
    if (this.#isGone || out.write(text)) return
    await new Promise<void>((resolve) => {
      this.#goOn = resolve
      out.once('drain', resolve)
    })
  }

  /** Writes a value as one JSON document. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value, null, 2))
  }

  /** Writes text to standard error. */
  error(text: string): void {
    this.#options.error.write(text)
  }

  /** Writes a line to standard error. */
  problem(text: string): void {
    this.#options.error.write(`mqlite: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`)
  }

  /** From now on a log tells what is fatal. */
  tellFatalBy(log: Pick<Log, 'fatal'>): void {
    this.#log = log
  }

  /** Tells of an error that nobody expected: a fault of ours, in one line; with its stack where `MQLITE_DEBUG` is set. */
  fatal(error: unknown): void {
    const isDebugged = (this.environment['MQLITE_DEBUG'] ?? '') !== ''
    const stack = isDebugged && error instanceof Error ? error.stack : undefined
    if (this.#log !== undefined) this.#log.fatal(error, stack)
    else {
      this.problem(`a fault of mqlite itself: ${error instanceof Error ? error.message : String(error)}`)
      if (stack !== undefined) this.error(`${stack}\n`)
    }
  }

  /** Text in a colour, where colours show. */
  paint(colour: keyof typeof COLOURS, text: string): string {
    return this.#hasColour ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text
  }

  /** A progress bar on standard error; silent unless that is a terminal and the work is long. */
  progress(): Progress {
    const { error, clock } = this.#options
    return new Progress(error, clock)
  }
}

/** A bar that is drawn again and again on one line, and wiped at the end. */
export class Progress {
  readonly #stream: OutputStream
  readonly #clock: Clock
  readonly #started: number
  #drawn = Number.NEGATIVE_INFINITY

  constructor(stream: OutputStream, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
    this.#started = clock.monotonic()
  }

  /** Shows how far the work is. */
  show(label: string, done: number, total: number): void {
    if (this.#stream.isTTY !== true) return
    const now = this.#clock.monotonic()
    if (now - this.#started < PROGRESS_AFTER_MS || now - this.#drawn < PROGRESS_EVERY_MS) return
    this.#drawn = now
    const share = total > 0 ? Math.min(1, done / total) : 1
    const cells = Math.round(share * BAR_CELLS)
    const bar = '#'.repeat(cells).padEnd(BAR_CELLS, '.')
    this.#stream.write(`\r${label.padEnd(8)} [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %`)
  }

  /** Wipes the line. */
  end(): void {
    if (this.#drawn > 0 && this.#stream.isTTY === true) this.#stream.write(`\r${' '.repeat(BAR_CELLS + 20)}\r`)
    this.#drawn = Number.NEGATIVE_INFINITY
  }
}
