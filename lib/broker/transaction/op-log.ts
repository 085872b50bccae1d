/**
 * What was decided, on disk: the op messages of `RMQ_SYS_TRANS_OP_HALF_TOPIC`, each naming half messages by their
 * queue offsets.
 *
 * ```
 *  "17"          one half message: what RocketMQ 4.9 writes and reads
 *  "17,18,23,"   several: what 5.x writes and reads
 * ```
 *
 * Decisions of one turn of the event loop, and those that come while a list is being stored, share a list. One list
 * is under way at a time, so that the offsets of op messages come in order.
 */
import type { Timers } from '../../base/system.js'
import { OP_TOPIC } from '../config/system-topics.js'
import type { PutPort } from '../store-port.js'

/** The tag of op messages. */
const TAG = 'd'
/** A list of this length is closed; RocketMQ's `transactionOpMsgMaxSize`. */
const MAX_LIST_BYTES = 4096

/** What the log of decisions needs. */
export interface OpLogParts {
  readonly store: Pick<PutPort, 'put'>
  readonly timers: Pick<Timers, 'endOfTurn'>
  /** Told of each op message that is stored, in order, before those who wait for it. */
  readonly onStored: (op: { queueOffset: number; halves: readonly number[] }) => void
}

interface Entry {
  readonly half: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** See the head of this file. */
export class OpLog {
  readonly #parts: OpLogParts
  #waiting: Entry[] = []
  #isWriting = false

  constructor(parts: OpLogParts) {
    this.#parts = parts
  }

  /** Notes that a half message is decided. Resolves when that is stored. @throws what the store throws */
  note(half: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ half, resolve, reject })
      if (this.#isWriting) return
      this.#isWriting = true
      this.#parts.timers.endOfTurn(() => void this.#write())
    })
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const entries = this.#waiting
      this.#waiting = []
      // Lists of one turn are put together: they share a flush, and come in order.
      await Promise.all(listsOf(entries).map((list) => this.#put(list)))
    }
    this.#isWriting = false
  }

  async #put(entries: readonly Entry[]): Promise<void> {
    const halves = entries.map(({ half }) => half)
    try {
      const { queueOffset } = await this.#parts.store.put({ topic: OP_TOPIC, queueId: 0, tags: TAG, body: printOps(halves) })
      this.#parts.onStored({ queueOffset, halves })
      for (const { resolve } of entries) resolve()
    } catch (error) {
      for (const { reject } of entries) reject(error)
    }
  }
}

function listsOf(entries: readonly Entry[]): Entry[][] {
  const lists: Entry[][] = []
  let bytes = MAX_LIST_BYTES
  for (const entry of entries) {
    if (bytes >= MAX_LIST_BYTES) {
      lists.push([])
      bytes = 0
    }
    lists.at(-1)!.push(entry)
    bytes += String(entry.half).length + 1
  }
  return lists
}

/** The body of an op message. One half message stands there as 4.9 reads it. */
export function printOps(halves: readonly number[]): string {
  return halves.length === 1 ? String(halves[0]) : `${halves.join(',')},`
}

/** The half messages that an op message names, in either form; what is no number is passed over. */
export function parseOps({ tags, body }: { tags: string | undefined; body: Buffer }): number[] {
  if (tags !== TAG) return []
  return body
    .toString('latin1')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => /^\d{1,15}$/.test(text))
    .map(Number)
}
