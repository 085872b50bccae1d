/**
 * Finds what is undecided in a directory, whoever wrote it: from the committed offsets on, the op messages are read,
 * then the half messages that none of them names.
 */
import { MessageStoreError } from '../../base/errors.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { ClampedOffset, ConsumerOffsets } from '../config/offsets.js'
import { HALF_TOPIC, OP_TOPIC } from '../config/system-topics.js'
import type { ReadPort } from '../store-port.js'
import { copiedFrom, immunityOf, transactionOf } from './half-message.js'
import { parseOps } from './op-log.js'
import { type Pending, Undecided } from './undecided.js'

/** The group under which RocketMQ's brokers keep the offsets of the half and the op queue. */
export const TRANSACTION_GROUP = 'CID_RMQ_SYS_TRANS'

const READ_MESSAGES = 512
const READ_BYTES = 1024 * 1024

/** What rebuilding needs. */
export interface RebuildParts {
  readonly store: Pick<ReadPort, 'get' | 'bounds'>
  readonly offsets: Pick<ConsumerOffsets, 'find'>
  /** Offsets that stood beyond the end of their queue: what they said of decisions is lost as well. */
  readonly clampedOffsets: readonly ClampedOffset[]
  readonly timeoutMs: number
}

/** See the head of this file. @throws what the store throws; a damaged message is passed over */
export async function rebuildUndecided(parts: RebuildParts): Promise<Undecided> {
  const { store, offsets, clampedOffsets, timeoutMs } = parts
  const isTrusted = !clampedOffsets.some(({ group }) => group === TRANSACTION_GROUP)
  const startOf = (topic: string): number => {
    const { minOffset } = store.bounds(topic, 0)
    return isTrusted ? Math.max(minOffset, offsets.find(topic, TRANSACTION_GROUP, 0) ?? 0) : minOffset
  }
  const [firstHalf, firstOp] = [startOf(HALF_TOPIC), startOf(OP_TOPIC)]
  const undecided = new Undecided(firstHalf, firstOp)
  const decided = new Set<number>()
  for await (const op of messagesOf(store, OP_TOPIC, firstOp)) {
    const halves = parseOps(op)
    undecided.noteOp({ queueOffset: op.queueOffset, halves })
    for (const half of halves) if (half >= firstHalf) decided.add(half)
  }
  const newest = new Map<string, Pending>()
  let next = firstHalf
  for await (const half of messagesOf(store, HALF_TOPIC, firstHalf)) {
    while (next < half.queueOffset) undecided.skip(next++)
    next = half.queueOffset + 1
    takeIn(half, undecided, decided, newest, timeoutMs)
  }
  for (const { maxOffset } = store.bounds(HALF_TOPIC, 0); next < maxOffset; ) undecided.skip(next++)
  return undecided
}

function takeIn(
  half: StoredMessage,
  undecided: Undecided,
  decided: ReadonlySet<number>,
  newest: Map<string, Pending>,
  timeoutMs: number,
): void {
  const origin = copiedFrom(half)
  if (decided.has(half.queueOffset) || (origin !== undefined && decided.has(origin))) {
    undecided.skip(half.queueOffset)
    return
  }
  // A crash may have come between a copy and the op message for the old one: it is one transaction all the same.
  const transaction = transactionOf(half)
  const older = newest.get(transaction)
  if (older !== undefined) {
    undecided.move(older, half)
    return
  }
  const { queueOffset, commitLogOffset, storeTimestamp, bornTimestamp } = half
  const dueAt = bornTimestamp + (immunityOf(half, timeoutMs) ?? timeoutMs)
  const pending = undecided.add({ queueOffset, commitLogOffset, storeTimestamp, bornTimestamp, dueAt })
  // A producer that was not asked since knows it by its first offset.
  if (origin !== undefined) undecided.alias(pending, origin)
  newest.set(transaction, pending)
}

/** The messages of a queue from an offset to its end, but those that are damaged. */
async function* messagesOf(store: Pick<ReadPort, 'get'>, topic: string, offset: number): AsyncGenerator<StoredMessage> {
  for (;;) {
    try {
      const request = { topic, queueId: 0, offset, maxMessages: READ_MESSAGES, maxBytes: READ_BYTES }
      const { messages, nextOffset } = await store.get(request)
      yield* messages
      if (nextOffset <= offset) return
      offset = nextOffset
    } catch (error) {
      const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
      if (typeof next !== 'number' || next <= offset) throw error
      offset = next
    }
  }
}
