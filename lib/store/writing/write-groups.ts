/**
 * Records from their append to their answer, in groups: those of one turn of the event loop are written
 * together, and those that wait for a flush share it.
 *
 * ```
 *  appended           ->  unwritten
 *  end of the turn: one positioned write
 *                     ->  async: visible, answered
 *                         sync:  undurable -> the shared flush -> visible, answered
 * ```
 *
 * Under `sync` a large group does not wait for the end of its turn when the disk is idle: while the disk has one half of
 * those who put again and again, the processor has the other. Still one flush runs at a time (`lib/log/flusher.ts`).
 *
 * 1. A message is in its queue and in the index only when it may be read: written (async) or durable (sync).
 * 2. If a write fails, everything that it was to write is taken back: it was never visible nor acknowledged.
 * 3. If a flush fails, nothing is taken back, for nobody knows what the disk has: all waiters are rejected
 *    and the store writes no more.
 */
import { MessageStoreError } from '../../base/errors.js'
import type { Clock, Timer, Timers } from '../../base/system.js'
import { DiskError } from '../../disk/disk.js'
import type { CommitLog } from '../../log/commit-log.js'
import type { Flusher } from '../../log/flusher.js'
import type { PendingPut } from './pending.js'

/** What groups are made of. */
export interface WriteGroupsOptions {
  readonly log: CommitLog
  readonly flusher: Flusher
  readonly clock: Clock
  readonly timers: Timers
  readonly policy: 'async' | 'sync'
  readonly flushTimeoutMs: number
  /** Puts a record that may now be read into the views. */
  readonly dispatch: (put: PendingPut) => void
  /** Called after a group of records became visible. */
  readonly onVisible: (puts: readonly PendingPut[]) => void
  /** Called after each write with the end and the time of its last record. */
  readonly onWritten: (end: number, timestamp: number) => void
  /** Called when the store must stop writing. */
  readonly onFailure: (error: unknown) => void
  /** Called when the disk was full. */
  readonly onNoSpace: () => void
  /** Waits for replicas; `undefined` when none are asked for. */
  readonly replicated: ((put: PendingPut) => Promise<void>) | undefined
}

/**
 * Smaller groups gain nothing: the processor is done with one before the disk is with the other, and two flushes take the
 * disk nearly twice as long as one.
 */
const MIN_GROUP_PUTS = 64

/** See the head of this file. */
export class WriteGroups {
  readonly #options: WriteGroupsOptions
  #unwritten: PendingPut[] = []
  #undurable: PendingPut[] = []
  #isTurnAsked = false
  /** So many puts are a group: half of those that were under way when the last flush ended. */
  #groupPuts = Number.POSITIVE_INFINITY
  #timeoutTimer: Timer | undefined
  #visibleEnd: number
  /** Called when puts have left the groups. */
  onProgress: () => void = () => {}

  constructor(options: WriteGroupsOptions) {
    this.#options = options
    this.#visibleEnd = options.log.end
  }

  /** Bytes of the log that are not visible yet. */
  get pendingBytes(): number {
    return this.#options.log.end - this.#visibleEnd
  }

  /** Takes a record that was appended. */
  add(put: PendingPut): void {
    this.#unwritten.push(put)
    this.#schedule()
  }

  /** Takes the records of a batch, which are written together. */
  addBatch(puts: readonly PendingPut[]): void {
    for (const put of puts) this.#unwritten.push(put)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#unwritten.length >= this.#groupPuts && this.#options.flusher.isIdle) this.write()
    else if (!this.#isTurnAsked) {
      this.#isTurnAsked = true
      this.#options.timers.endOfTurn(this.#endTurn)
    }
  }

  readonly #endTurn = (): void => {
    this.#isTurnAsked = false
    this.write()
  }

  /** Writes what was appended. Called at the end of the turn, and before when there is need. */
  write(): void {
    const puts = this.#unwritten
    if (puts.length === 0) return
    this.#unwritten = []
    const { log, flusher, policy, onWritten } = this.#options
    try {
      log.writeTail()
    } catch (error) {
      this.#takeBack(puts, error)
      return
    }
    onWritten(log.writtenEnd, puts[puts.length - 1]!.receipt.storeTimestamp)
    if (policy === 'async') {
      this.#complete(puts)
    } else {
      for (const put of puts) if (!put.waits) put.resolve()
      this.#undurable = this.#undurable.length === 0 ? puts : this.#undurable.concat(puts)
      this.#watchTimeouts(puts)
    }
    flusher.written()
  }

  /** To be called after each flush that succeeded. */
  durable(): void {
    const { durableEnd } = this.#options.log
    const puts = this.#undurable
    let count = 0
    while (count < puts.length && puts[count]!.end <= durableEnd) count++
    if (count > 0) {
      if (this.#options.policy === 'sync') {
        this.#groupPuts = Math.max(MIN_GROUP_PUTS, (puts.length + this.#unwritten.length) / 2)
      }
      this.#undurable = count === puts.length ? [] : puts.slice(count)
      this.#complete(count === puts.length ? puts : puts.slice(0, count))
    } else this.onProgress()
  }

  /** Rejects everything that is not answered. */
  fail(error: unknown): void {
    const puts = [...this.#undurable, ...this.#unwritten]
    this.#undurable = []
    this.#unwritten = []
    for (const put of puts) put.reject(error)
    this.onProgress()
  }

  /** Stops timers. */
  close(): void {
    this.#timeoutTimer?.cancel()
  }

  /** Makes records visible and answers them. */
  #complete(puts: readonly PendingPut[]): void {
    const { dispatch, onVisible, onFailure, replicated } = this.#options
    try {
      for (const put of puts) dispatch(put)
    } catch (error) {
      // The records are in the log and some views know of them: only recovery can put that right.
      const unknown = storeFailed('a message could not be entered into its queue and the index', error)
      onFailure(unknown)
      this.#rejectAll(puts, unknown)
      return
    }
    this.#visibleEnd = puts[puts.length - 1]!.end
    onVisible(puts)
    for (const put of puts) {
      if (put.isAnswered) continue
      if (replicated === undefined || !put.waits) put.resolve()
      else {
        replicated(put).then(
          () => put.resolve(),
          (error) => put.reject(error),
        )
      }
    }
    this.onProgress()
  }

  /** Undoes a turn whose write failed: offsets, tails, torn bytes. */
  #takeBack(puts: readonly PendingPut[], error: unknown): void {
    const { onFailure, onNoSpace } = this.#options
    for (let i = puts.length - 1; i >= 0; i--) {
      const { queue, receipt, count, further } = puts[i]!
      if (count > 0) queue.nextOffset = receipt.queueOffset
      for (const place of further ?? []) place.queue.nextOffset = Math.min(place.queue.nextOffset, place.queueOffset)
    }
    const undone = this.#undo()
    if (error instanceof DiskError && error.isSpace) onNoSpace()
    else if (isGrave(error)) onFailure(error)
    undone.then(
      () => this.#rejectAll(puts, refusal(error)),
      (undoError) => {
        // Even for want of space: what is left of the write could come to light under the next one.
        const unknown = storeFailed('a torn write could not be zeroed', undoError)
        onFailure(unknown)
        this.#rejectAll(puts, unknown)
      },
    )
  }

  /** Takes back what was not written whole. Only when that is durable can no crash bring it to light again. */
  async #undo(): Promise<void> {
    const { log } = this.#options
    const torn = log.undoUnwritten()
    if (torn !== undefined) await log.chain.flush(torn.from, torn.to)
  }

  #rejectAll(puts: readonly PendingPut[], error: unknown): void {
    for (const put of puts) put.reject(error)
    this.onProgress()
  }

  /** Gives puts that wait longer than the flush timeout their answer; they stay in the log. */
  #watchTimeouts(puts: readonly PendingPut[]): void {
    const { clock, flushTimeoutMs, timers } = this.#options
    const deadline = clock.monotonic() + flushTimeoutMs
    for (const put of puts) put.deadline = deadline
    this.#timeoutTimer ??= timers.after(flushTimeoutMs, this.#checkTimeouts)
  }

  readonly #checkTimeouts = (): void => {
    this.#timeoutTimer = undefined
    const { clock, timers, flushTimeoutMs } = this.#options
    const now = clock.monotonic()
    for (const put of this.#undurable) {
      if (put.isAnswered || put.deadline > now) continue
      for (const receipt of put.receipts) receipt.status = 'FLUSH_DISK_TIMEOUT'
      put.resolve()
    }
    if (this.#undurable.length > 0) this.#timeoutTimer = timers.after(Math.min(flushTimeoutMs, 100), this.#checkTimeouts)
  }
}

/** Whether a failed write concerns more than its own puts: a failing disk, a broken invariant. */
function isGrave(error: unknown): boolean {
  return error instanceof DiskError ? error.code === 'EIO' : !(error instanceof MessageStoreError)
}

/** The error for puts whose write failed and was taken back. */
function refusal(error: unknown): MessageStoreError {
  if (error instanceof MessageStoreError) return error
  const code = !(error instanceof DiskError) ? 'STORE_FAILED' : error.isSpace ? 'DISK_FULL' : 'DISK_ERROR'
  return new MessageStoreError(code, `the log could not be written: ${causeText(error)}`, { cause: error })
}

/** The answer when nobody knows whether a message was stored. */
function storeFailed(what: string, cause: unknown): MessageStoreError {
  return new MessageStoreError('STORE_FAILED', `${what}: ${causeText(cause)}`, { cause })
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
