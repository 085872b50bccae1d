/** Leaves what waits to RocketMQ's broker, and to us: reads the queue once more and writes a unit for each that waits. */
import { nextTurn, type Timers } from '../../base/system.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import type { ReadPort } from '../store-port.js'
import { nextOffsetOf } from './timer-fetch.js'
import type { TimerState } from './timer-files.js'
import { type TimerLogPlace, TimerLogWriter } from './timer-log.js'
import { waitOf } from './timer-messages.js'
import type { TimerWaits } from './timer-waits.js'

const BATCH_MESSAGES = 512
const BATCH_BYTES = 1024 * 1024

/** What is handed over. */
export interface TimerHandover {
  readonly store: Pick<ReadPort, 'get'>
  readonly timers: Pick<Timers, 'endOfTurn'>
  readonly place: TimerLogPlace
  readonly state: TimerState
  readonly waits: Pick<TimerWaits, 'has'>
}

/** Writes the timer log. @returns how many units it has */
export async function writeTimerLog(handover: TimerHandover): Promise<number> {
  const { place, state, waits } = handover
  const { firstOffset, queueOffset: end } = state
  const writer = new TimerLogWriter(place)
  let last: StoredMessage | undefined
  for (let offset = firstOffset; offset < end; ) {
    const { messages, nextOffset } = await readSome(handover, offset, end)
    for (const message of messages) {
      const wait = waits.has(message.queueOffset) ? waitOf(message) : undefined
      if (wait !== undefined) await writer.add(message, wait.second, wait.cancels !== undefined)
      last = wait === undefined ? message : undefined
    }
    offset = nextOffset
    await nextTurn(handover.timers)
  }
  if (last?.queueOffset === end - 1) await writer.mark(last, state.second)
  await writer.finish()
  return writer.units
}

async function readSome({ store }: TimerHandover, offset: number, end: number): ReturnType<ReadPort['get']> {
  const maxMessages = Math.min(BATCH_MESSAGES, end - offset)
  try {
    const result = await store.get({ topic: TIMER_TOPIC, queueId: 0, offset, maxMessages, maxBytes: BATCH_BYTES })
    return result.nextOffset > offset ? result : { ...result, nextOffset: end }
  } catch (error) {
    // What is damaged is delivered by nobody.
    const nextOffset = nextOffsetOf(error)
    if (nextOffset === undefined) throw error
    return { status: 'NO_MATCHED_MESSAGE', messages: [], nextOffset, minOffset: 0, maxOffset: end }
  }
}
