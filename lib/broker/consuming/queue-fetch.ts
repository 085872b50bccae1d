/**
 * Reads a queue ahead of its consumer: one batch in use, the next one on its way. What the filter rejects never
 * leaves here.
 */
import { MessageStoreError } from '../../base/errors.js'
import type { Timers } from '../../base/system.js'
import type { GetResult } from '../../store/reading/reader.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { ReadPort } from '../store-port.js'

/** Messages and bytes that one batch has at most. */
const BATCH_MESSAGES = 256
const BATCH_BYTES = 256 * 1024
/** A read that waits looks again this often, should it have missed a word. */
const WAIT_MS = 20_000
/** After an error of the disk. */
const AGAIN_MS = 1000

/** What decides which messages a consumer gets. */
export interface FetchFilter {
  /** What the store can apply. */
  readonly tags: string | readonly string[]
  matches(message: StoredMessage): boolean
}

/** What a fetch is made of. */
export interface QueueFetchOptions {
  readonly store: Pick<ReadPort, 'get'>
  readonly timers: Timers
  readonly topic: string
  readonly queueId: number
  readonly filter: FetchFilter
  /** Called when there is something to take, or to pass over. */
  readonly onReady: () => void
  /** Told of messages that cannot be read, and of disks that cannot. */
  readonly onProblem: (error: unknown) => void
}

/** See the head of this file. */
export class QueueFetch {
  readonly #options: QueueFetchOptions
  readonly #stop = new AbortController()
  #messages: readonly StoredMessage[] = []
  #at = 0
  #end: number
  #ahead: GetResult | undefined
  #fetchFrom: number
  #isFetching = false

  constructor(options: QueueFetchOptions, offset: number) {
    this.#options = options
    this.#end = offset
    this.#fetchFrom = offset
  }

  /** Everything below was taken, or holds nothing for this consumer, once {@link take} has nothing. */
  get end(): number {
    return this.#end
  }

  /** The next message, or `undefined` when there is none yet. */
  take(): StoredMessage | undefined {
    for (;;) {
      while (this.#at < this.#messages.length) {
        const message = this.#messages[this.#at++]!
        if (this.#at * 2 > this.#messages.length) this.#fetch()
        if (this.#options.filter.matches(message)) return message
      }
      const { messages, nextOffset } = this.#ahead ?? {}
      if (messages === undefined) {
        this.#fetch()
        return undefined
      }
      this.#messages = messages
      this.#at = 0
      this.#end = nextOffset!
      this.#ahead = undefined
    }
  }

  /** Ends reading. */
  stop(): void {
    this.#stop.abort()
    this.#messages = []
    this.#at = 0
    this.#ahead = undefined
  }

  #fetch(): void {
    if (this.#isFetching || this.#ahead !== undefined || this.#stop.signal.aborted) return
    this.#isFetching = true
    void this.#readAhead()
  }

  async #readAhead(): Promise<void> {
    try {
      await this.#read()
    } finally {
      this.#isFetching = false
      if (!this.#stop.signal.aborted) this.#options.onReady()
    }
  }

  async #read(): Promise<void> {
    const { store, topic, queueId, filter, onProblem } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const offset = this.#fetchFrom
        const most = { maxMessages: BATCH_MESSAGES, maxBytes: BATCH_BYTES }
        const result = await store.get({ topic, queueId, offset, tags: filter.tags, ...most, waitMs: WAIT_MS, signal })
        this.#fetchFrom = result.nextOffset
        if (result.messages.length > 0 || result.nextOffset !== offset) {
          this.#ahead = result
          return
        }
      } catch (error) {
        if (signal.aborted || isClosed(error)) return
        onProblem(error)
        const next = stepOver(error)
        if (next === undefined) await this.#pause()
        else this.#fetchFrom = next
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.timers.after(AGAIN_MS, resolve))
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof MessageStoreError && error.code === 'STORE_CLOSED'
}

/** Where to go on behind a damaged record. */
function stepOver(error: unknown): number | undefined {
  if (!(error instanceof MessageStoreError) || error.code !== 'STORE_CORRUPT') return undefined
  const next = error.details['nextOffset']
  return typeof next === 'number' ? next : undefined
}
