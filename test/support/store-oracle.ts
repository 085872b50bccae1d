/**
 * Knows what a store was told and what it answered, and judges what is found after a crash.
 *
 * A log is one sequence, so what must be there is a prefix: if a message may not be lost, neither may any
 * before it. Three numbers therefore say what the store owes at a moment: how many messages it had been given,
 * how many of them must survive the end of the process, and how many the loss of power.
 */

import assert from 'node:assert/strict'
import type { PutReceipt } from '../../lib/store/message.js'
import type { Content, FoundMessage } from './sim-store.js'

/** A message that was given to the store, in the order of the log. */
export interface Submission {
  readonly number: number
  readonly bodyBytes: number
  readonly index: number
  /** Where it stands, once that is known. */
  place: Place | undefined
  /** When it was refused for certain, by the count of what the oracle had learned. */
  refusedAt: number
}

/** Where a message stands. */
export type Place = Omit<FoundMessage, 'number' | 'bodyBytes'>

/** What the store owes at one moment. */
export interface Debt {
  readonly submitted: number
  /** Messages that survive the end of the process. */
  readonly acknowledged: number
  /** Messages that survive power loss. */
  readonly durable: number
  /** Where the log may start. */
  readonly earliestStart: number
  readonly latestStart: number
  readonly moment: number
}

/** What happened to a process: ended alone, or with the power. */
export type Ending = 'kill' | 'power'

/** See the head of this file. */
export class StoreOracle {
  readonly #isSync: boolean
  #submissions: Submission[] = []
  #acknowledged = 0
  #durable = 0
  #earliestStart = 0
  #latestStart = () => 0
  #moment = 0

  constructor(policy: 'async' | 'sync') {
    this.#isSync = policy === 'sync'
  }

  /** The messages given so far. */
  get submissions(): readonly Submission[] {
    return this.#submissions
  }

  /** A message is about to be put. */
  submit(number: number, bodyBytes: number): Submission {
    const submission: Submission = {
      number,
      bodyBytes,
      index: this.#submissions.length,
      place: undefined,
      refusedAt: Number.POSITIVE_INFINITY,
    }
    this.#submissions.push(submission)
    return submission
  }

  /** A put resolved. */
  acknowledge(submission: Submission, receipt: PutReceipt): void {
    this.#moment++
    submission.place = receipt
    if (receipt.status !== 'PUT_OK') return
    this.#acknowledged = Math.max(this.#acknowledged, submission.index + 1)
    if (this.#isSync) this.#durable = Math.max(this.#durable, submission.index + 1)
  }

  /** A put rejected in a way that says that nothing was stored. */
  refuse(submission: Submission): void {
    submission.refusedAt = ++this.#moment
  }

  /** A flush resolved that began when so many messages had been given. */
  flushed(submitted: number): void {
    this.#moment++
    this.#durable = Math.max(this.#durable, submitted)
    this.#acknowledged = Math.max(this.#acknowledged, submitted)
  }

  /** Segments may be deleted from now on up to an address, which grows while messages that had to wait are written. */
  deleting(upTo: () => number): void {
    this.#moment++
    const before = this.#latestStart()
    this.#latestStart = () => Math.max(before, upTo())
  }

  /** A deletion is durable: the log starts there at the earliest. */
  deleted(start: number): void {
    this.#moment++
    this.#earliestStart = start
  }

  /** No more is being deleted: the log starts there at the latest. */
  doneDeleting(start: number): void {
    this.#moment++
    this.#latestStart = () => start
  }

  /** What the store owes now. */
  owes(): Debt {
    return {
      submitted: this.#submissions.length,
      acknowledged: this.#acknowledged,
      durable: this.#durable,
      earliestStart: this.#earliestStart,
      latestStart: this.#latestStart(),
      moment: this.#moment,
    }
  }

  /** Checks what was found after an ending at a moment. Returns how many of the messages given are left. */
  judge(content: Content, debt: Debt, ending: Ending): number {
    const { start, messages } = content
    assert.ok(
      start >= debt.earliestStart && start <= debt.latestStart,
      `the log starts at ${start}, expected ${debt.earliestStart} to ${debt.latestStart}`,
    )
    const required = ending === 'kill' ? debt.acknowledged : debt.durable
    const expected = this.#submissions.slice(0, debt.submitted).filter((submission) => isExpected(submission, debt, start))
    for (const [at, found] of messages.entries()) {
      const submission = expected[at]
      assert.ok(submission !== undefined, `message ${found.number} was never put, or was refused`)
      matchMessage(found, submission)
    }
    const missing = expected.slice(messages.length).find(({ index }) => index < required)
    assert.equal(missing?.number, undefined, `message ${missing?.number} had to survive, the log has ${messages.length} messages`)
    return expected[messages.length]?.index ?? debt.submitted
  }

  /** Goes on with a store that was recovered: what it holds is durable, and what it lost is gone. */
  recovered(content: Content, left: number): void {
    this.#moment++
    this.#submissions = this.#submissions.slice(0, left)
    const places = new Map(content.messages.map((message) => [message.number, message]))
    for (const submission of this.#submissions) submission.place ??= places.get(submission.number)
    this.#acknowledged = left
    this.#durable = left
    this.#earliestStart = content.start
    this.#latestStart = () => content.start
  }
}

/** Whether a submission can be in a log that starts there. */
function isExpected({ place, refusedAt }: Submission, debt: Debt, start: number): boolean {
  return refusedAt > debt.moment && (place === undefined || place.commitLogOffset >= start)
}

function matchMessage(found: FoundMessage, { number, bodyBytes, place }: Submission): void {
  assert.equal(found.number, number, 'messages stand in the order in which they were put')
  assert.equal(found.bodyBytes, bodyBytes, `length of the body of message ${number}`)
  if (place === undefined) return
  for (const field of ['topic', 'queueId', 'queueOffset', 'commitLogOffset', 'size', 'storeTimestamp'] as const) {
    assert.equal(found[field], place[field], `${field} of message ${number} is as it was acknowledged`)
  }
}
