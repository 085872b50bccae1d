/** Reads messages that wait by their offsets, in pieces that fit into memory. */
import { MessageStoreError } from '../../base/errors.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import type { ReadPort } from '../store-port.js'

/** Most bytes of records that are read at once. */
const PIECE_BYTES = 1024 * 1024
/** Neighbours so near to each other are read together, with what is between them. */
const NEAR = 4

/**
 * Reads the messages at some of the offsets, from the first on, as far as a piece goes.
 *
 * @param offsets - best in runs that ascend
 * @param onLost - told of an offset that has no message that can be read
 * @returns the messages, `undefined` where one is lost; at least one when there is an offset
 */
export async function fetchWaiting(
  store: Pick<ReadPort, 'get'>,
  offsets: readonly number[],
  onLost: (queueOffset: number, error: unknown) => void,
): Promise<(StoredMessage | undefined)[]> {
  const found: (StoredMessage | undefined)[] = []
  let bytes = 0
  while (found.length < offsets.length && bytes < PIECE_BYTES) {
    const end = runEnd(offsets, found.length)
    const { messages, error } = await readRun(store, offsets[found.length]!, offsets[end - 1]!, PIECE_BYTES - bytes)
    const last = messages.at(-1)?.queueOffset ?? -1
    let i = 0
    const before = found.length
    while (found.length < end && offsets[found.length]! <= last) {
      const offset = offsets[found.length]!
      while (messages[i]!.queueOffset < offset) i++
      const message = messages[i]!.queueOffset === offset ? messages[i] : undefined
      if (message === undefined) onLost(offset, undefined)
      bytes += message?.size ?? 0
      found.push(message)
    }
    if (found.length > before) continue
    onLost(offsets[found.length]!, error)
    found.push(undefined)
  }
  return found
}

/** Where the run of near offsets that begins at `from` ends. */
function runEnd(offsets: readonly number[], from: number): number {
  let end = from + 1
  while (end < offsets.length) {
    const step = offsets[end]! - offsets[end - 1]!
    if (step <= 0 || step > NEAR) break
    end++
  }
  return end
}

async function readRun(
  store: Pick<ReadPort, 'get'>,
  offset: number,
  last: number,
  maxBytes: number,
): Promise<{ messages: StoredMessage[]; error?: unknown }> {
  try {
    return await store.get({ topic: TIMER_TOPIC, queueId: 0, offset, maxMessages: last - offset + 1, maxBytes })
  } catch (error) {
    // The first message of the run is damaged.
    if (nextOffsetOf(error) === undefined) throw error
    return { messages: [], error }
  }
}

/** Behind a damaged message, where the queue can be read on; `undefined` for an error of another kind. */
export function nextOffsetOf(error: unknown): number | undefined {
  const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
  return typeof next === 'number' ? next : undefined
}
