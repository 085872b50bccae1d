/** Whether a store may be read and written, and what it tells. */
import { type ErrorCode, MessageStoreError } from '../base/errors.js'
import type { RecoveryReport } from './recovery/recover.js'

/** `readOnly`: opened so, or damaged. `failed`: a flush failed; readable until closed. */
export type StoreStatus = 'open' | 'readOnly' | 'failed' | 'closing' | 'closed'

/** The events of a store. */
export interface StoreEvents {
  /** Opening is done. */
  recovery: RecoveryReport
  /**
   * A segment of the log was deleted: it had `expired`, or the `disk` was too full to wait for that.
   * `lastWriteMs` is when it was last written, by what was believed: `newestStoreTimestamp`, or the time of its file
   * where the former lies in the future; `Infinity` when neither can be.
   */
  segmentDeleted: {
    commitLogOffset: number
    bytes: number
    path: string
    reason: 'expired' | 'disk'
    newestStoreTimestamp: number
    lastWriteMs: number
  }
  /** A queue lost its messages from `minOffset` up to, without, `maxOffset`, because somebody asked for it. */
  queuePurged: {
    topic: string
    queueId: number
    minOffset: number
    maxOffset: number
    /** Whether the queue itself is gone. */
    deleted: boolean
  }
  /** Puts are refused, or accepted again, for want of space. */
  diskFull: { full: boolean; freeBytes: number; usedShare: number }
  /** A query left a record out because it is damaged; whether it has the key nobody can tell. */
  damagedRecord: { commitLogOffset: number }
  /** A configuration file cannot be read, and its spare copy was taken, which is of the change before the last. */
  spareCopy: { path: string; why: string }
  /** The store writes no more. */
  failed: { error: unknown }
  /** The store is closed. */
  closed: undefined
}

/** The names of the events. */
export const storeEvents: Readonly<Record<keyof StoreEvents, true>> = {
  recovery: true,
  segmentDeleted: true,
  queuePurged: true,
  diskFull: true,
  damagedRecord: true,
  spareCopy: true,
  failed: true,
  closed: true,
}

/** See the head of this file. */
export class StoreState {
  #status: StoreStatus
  #reason: { code: ErrorCode; what: string; cause?: unknown } | undefined
  #diskFull: string | undefined

  constructor(status: 'open' | 'readOnly', reason?: { code: ErrorCode; what: string }) {
    this.#status = status
    this.#reason = reason
  }

  /** What state the store is in. */
  get status(): StoreStatus {
    return this.#status
  }

  /** @throws {MessageStoreError} `STORE_CLOSED` */
  checkOpen(): void {
    if (this.#status === 'closing' || this.#status === 'closed')
      throw new MessageStoreError('STORE_CLOSED', `the store is ${this.#status}`)
  }

  /** @throws {MessageStoreError} the reason why the store may not be written */
  checkWritable(): void {
    if (this.#status === 'open' && this.#diskFull === undefined) return
    this.checkSound()
    throw new MessageStoreError('DISK_FULL', this.#diskFull ?? 'no space')
  }

  /** @throws {MessageStoreError} the reason why the log may not grow, want of space apart */
  checkSound(): void {
    this.checkOpen()
    if (this.#reason === undefined) return
    const { code, what, cause } = this.#reason
    throw new MessageStoreError(code, what, cause === undefined ? {} : { cause })
  }

  /** Refuses puts while there is a reason; `undefined` accepts them again. */
  setDiskFull(what: string | undefined): void {
    this.#diskFull = what
  }

  /** The store can only be read, from the beginning. */
  refuseWriting(code: ErrorCode, what: string): void {
    this.#status = 'readOnly'
    this.#reason = { code, what }
  }

  /** The store must not write any more. Returns whether this was news. */
  fail(cause: unknown): boolean {
    if ((this.#status !== 'open' && this.#status !== 'closing') || this.failure !== undefined) return false
    if (this.#status === 'open') this.#status = 'failed'
    this.#reason = { code: 'STORE_FAILED', what: `writing has stopped: ${String((cause as Error)?.message ?? cause)}`, cause }
    return true
  }

  /** The error for a store that failed, while it was open or while it was being closed. */
  get failure(): MessageStoreError | undefined {
    if (this.#reason?.code !== 'STORE_FAILED') return undefined
    const { code, what, cause } = this.#reason
    return new MessageStoreError(code, what, { cause })
  }

  /** Moves on to closing, then closed. */
  close(status: 'closing' | 'closed'): void {
    this.#status = status
  }
}
