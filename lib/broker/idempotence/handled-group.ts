/** What one group has acknowledged: keys in memory, behind records in the store. */
import { MessageStoreError } from '../../base/errors.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { HANDLED_TOPIC } from '../config/system-topics.js'
import type { HandledParts } from './handled.js'
import { RecentKeys } from './recent-keys.js'

/** Most keys of one record: a key of a thousand characters may take three bytes for each. */
const MOST_KEYS = 200
const BATCH_BYTES = 1024 * 1024

/** What it needs. */
export interface HandledGroupParts extends Pick<HandledParts, 'store' | 'clock'> {
  readonly group: string
  /** The queue in which its records stand. */
  readonly queueId: number
}

interface Batch {
  readonly keys: string[]
  readonly written: Promise<void>
}

/** See the head of this file. */
export class HandledGroup {
  readonly #parts: HandledGroupParts
  #recent = new RecentKeys(0, 0)
  #windowMs = 0
  #maxKeys = 0
  #loading: Promise<void> = Promise.resolve()
  /** Keys for the next record. */
  #next: Batch | undefined
  #writing: Promise<void> = Promise.resolve()
  /** Keys that are being written, and how often each. */
  readonly #noting = new Map<string, number>()

  constructor(parts: HandledGroupParts) {
    this.#parts = parts
  }

  /** Keys in memory. */
  get size(): number {
    return this.#recent.size
  }

  /** Reads what was handled within a window, unless that is known. The widest window of the group's consumers counts. */
  load({ windowMs, maxKeys }: { readonly windowMs: number; readonly maxKeys: number }): Promise<void> {
    const loaded = this.#loading.then(async () => {
      if (windowMs <= this.#windowMs && maxKeys <= this.#maxKeys) return
      await this.#load(Math.max(windowMs, this.#windowMs), Math.max(maxKeys, this.#maxKeys))
    })
    this.#loading = loaded.catch(() => {})
    return loaded
  }

  /** Whether a key was acknowledged within the window. It counts from the acknowledgement on: see the head of `handled.ts`. */
  has(key: string): boolean {
    return this.#noting.has(key) || this.#recent.has(key, this.#parts.clock.now())
  }

  /** Notes that a key is handled. Resolves when that is written. @throws what the store throws; then it is not noted */
  note(key: string): Promise<void> {
    if (this.#next === undefined || this.#next.keys.length === MOST_KEYS) {
      const keys: string[] = []
      const written = this.#writing.then(() => this.#write(keys))
      this.#writing = written.catch(() => {})
      this.#next = { keys, written }
    }
    this.#next.keys.push(key)
    this.#noting.set(key, (this.#noting.get(key) ?? 0) + 1)
    return this.#next.written
  }

  /** Waits for what is being written. */
  async idle(): Promise<void> {
    await this.#writing
  }

  async #write(keys: string[]): Promise<void> {
    if (this.#next?.keys === keys) this.#next = undefined
    const { store, clock, group, queueId } = this.#parts
    const at = clock.now()
    try {
      await store.put({ topic: HANDLED_TOPIC, queueId, body: JSON.stringify({ group, at, keys }) })
      for (const key of keys) this.#recent.note(key, at)
    } finally {
      for (const key of keys) this.#noted(key)
    }
  }

  #noted(key: string): void {
    const left = this.#noting.get(key)! - 1
    if (left > 0) this.#noting.set(key, left)
    else this.#noting.delete(key)
  }

  async #load(windowMs: number, maxKeys: number): Promise<void> {
    const { store, clock, queueId } = this.#parts
    const recent = new RecentKeys(windowMs, maxKeys)
    const since = clock.now() - windowMs
    let offset = await store.offsetByTime(HANDLED_TOPIC, queueId, Math.max(0, since))
    const { maxOffset } = store.bounds(HANDLED_TOPIC, queueId)
    while (offset < maxOffset) {
      const { messages, next } = await this.#read(offset)
      for (const message of messages) this.#take(message, recent)
      offset = Math.max(next, offset + 1)
    }
    // What was noted meanwhile is newer than all that was read.
    for (const [key, time] of this.#recent.entries()) recent.note(key, time)
    this.#recent = recent
    this.#windowMs = windowMs
    this.#maxKeys = maxKeys
  }

  async #read(offset: number): Promise<{ messages: readonly StoredMessage[]; next: number }> {
    const { store, queueId } = this.#parts
    try {
      const request = { topic: HANDLED_TOPIC, queueId, offset, maxMessages: 1000, maxBytes: BATCH_BYTES }
      const { messages, nextOffset } = await store.get(request)
      return { messages, next: nextOffset }
    } catch (error) {
      const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
      if (typeof next !== 'number') throw error
      return { messages: [], next }
    }
  }

  #take({ body }: StoredMessage, recent: RecentKeys): void {
    const record: unknown = parsed(body)
    if (!isRecord(record) || record.group !== this.#parts.group) return
    for (const key of record.keys) if (typeof key === 'string') recent.note(key, record.at)
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is { readonly group: string; readonly at: number; readonly keys: readonly unknown[] } {
  if (typeof value !== 'object' || value === null) return false
  const { group, at, keys } = value as Record<string, unknown>
  return typeof group === 'string' && Number.isSafeInteger(at) && Array.isArray(keys)
}
