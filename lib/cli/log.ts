/**
 * What a running server tells: lines of `pino` on standard error, JSON for programs or text for people.
 *
 * Lines have a fixed message and fields of their own. No field is a body, a key or the content of a file. What peers can
 * cause as often as they like is told through {@link Log.seldom}.
 */
import type { Logger } from 'pino'
import type { Clock } from '../base/system.js'
import type { LogLevel } from './serve-settings.js'
import { plain } from './table.js'
import type { Terminal } from './terminal.js'

/** Facts that belong to a line. */
export type Fields = Readonly<Record<string, unknown>>

/** How to write. */
export interface LogOptions {
  readonly format: 'text' | 'json'
  readonly level: LogLevel
  readonly clock: Clock
  /** Takes a line with its end. */
  readonly write: (line: string) => void
}

/** Lines of a kind in a window of time. */
interface Window {
  readonly since: number
  told: number
  leftOut: number
}

/** Lines of a kind that {@link Log.seldom} lets through in a window of time. */
const MOST_IN_WINDOW = 10
const WINDOW_MS = 10_000
/** And of those that one peer causes, in a longer one. */
const MOST_OF_PEER = 3
const PEER_MS = 60_000
/** Peers and kinds that are counted apart. Further ones are counted as one: there may be as many as there are addresses. */
const MOST_PEERS = 1024

const OTHERS = ''

/** The options of a log on a terminal. */
export function logOptions(terminal: Terminal, format: 'auto' | 'text' | 'json', level: LogLevel): LogOptions {
  const chosen = format === 'auto' ? (terminal.isErrorShown ? 'text' : 'json') : format
  return { format: chosen, level, clock: terminal.clock, write: (line) => terminal.error(line) }
}

/** Makes a log. The package is loaded here and not before: other commands do without. */
export async function openLog(options: LogOptions): Promise<Log> {
  const { pino } = await import('pino')
  const { format, level, clock } = options
  const write = format === 'json' ? options.write : (line: string) => options.write(lineForPeople(JSON.parse(line) as Fields))
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  )
  return new Log(logger, clock)
}

/** See the head of this file. */
export class Log {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #windows = new Map<string, Window>()
  readonly #peers = new Map<string, Window>()

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  /** Tells something. */
  tell(level: LogLevel, message: string, fields: Fields = {}): void {
    this.#logger[level](fields, message)
  }

  /** Tells of an error that nobody expected, and where it was thrown, as the last line. @param stack - to be told as well */
  fatal(error: unknown, stack?: string): void {
    const [, at] = /\n\s+at ([^\n]+)/.exec(error instanceof Error ? (error.stack ?? '') : '') ?? []
    this.#logger.fatal(
      { ...errorFields(error), at, ...(stack === undefined ? {} : { stack }) },
      'ended by a fault of mqlite itself',
    )
  }

  /** Tells it unless the same message came too often of late; the next line of it says how many were left out. */
  seldom(level: LogLevel, message: string, fields: Fields = {}): void {
    if (!this.#logger.isLevelEnabled(level)) return
    const leftOut = this.#pass(this.#windows, message, WINDOW_MS, MOST_IN_WINDOW)
    if (leftOut !== undefined) this.tell(level, message, leftOut === 0 ? fields : { ...fields, leftOut })
  }

  /**
   * The same for what one peer can cause as often as it likes: few lines of a kind tell of each, so that one which never rests
   * neither fills the log nor hides the others.
   */
  seldomOf(peer: string, level: LogLevel, message: string, fields: Fields = {}): void {
    if (!this.#logger.isLevelEnabled(level)) return
    const key = `${peer} ${message}`
    if (!this.#peers.has(key) && this.#peers.size >= MOST_PEERS) this.#forgetPeers()
    const isApart = this.#peers.has(key) || this.#peers.size < MOST_PEERS
    if (this.#pass(this.#peers, isApart ? key : OTHERS, PEER_MS, MOST_OF_PEER) !== undefined) this.seldom(level, message, fields)
    else {
      // The next line says how many were left out of all peers. There has been one, which began the window.
      const window = this.#windows.get(message)
      if (window !== undefined) window.leftOut++
    }
  }

  /** @returns how many were not told before this one; `undefined` when this one is not either */
  #pass(windows: Map<string, Window>, key: string, forMs: number, most: number): number | undefined {
    const now = this.#clock.monotonic()
    let window = windows.get(key)
    if (window === undefined || now - window.since >= forMs)
      windows.set(key, (window = { since: now, told: 0, leftOut: window?.leftOut ?? 0 }))
    if (window.told >= most) {
      window.leftOut++
      return undefined
    }
    window.told++
    const { leftOut } = window
    window.leftOut = 0
    return leftOut
  }

  #forgetPeers(): void {
    const now = this.#clock.monotonic()
    for (const [key, { since }] of this.#peers) if (now - since >= PEER_MS) this.#peers.delete(key)
  }
}

/** A line for people: time of day, level, message, fields. */
function lineForPeople({ time, level, msg, ...fields }: Fields): string {
  const rest = Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${name}=${/[\s"]/.test(text) ? JSON.stringify(text) : text}`
  })
  const head = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}`
  return `${plain([head, ...rest].join('  '))}\n`
}

/** What is told of an error: code and words, no stack. */
export function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return { error: String(error) }
  const { code } = error as { code?: unknown }
  return { error: error.message, ...(typeof code === 'string' ? { code } : {}) }
}
