/**
 * How far back a broker will read the log: messages that wait for their time, and half messages that nobody has decided.
 * Retention leaves them until they are put again further on, however long nobody ran the broker.
 */
import { MessageStoreError } from '../../base/errors.js'
import { SCHEDULE_TOPIC } from '../../format/tags.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import type { ReadPort } from '../store-port.js'
import type { Transactions } from '../transaction/transactions.js'
import type { Schedule } from './schedule.js'
import type { Timer } from './timer.js'
import { nextOffsetOf } from './timer-fetch.js'

/** What is asked. */
export interface NeededParts {
  readonly store: Pick<ReadPort, 'get'>
  readonly schedule: Pick<Schedule, 'waitingFrom'>
  readonly timer: Pick<Timer, 'waitingFrom'>
  readonly transactions: Pick<Transactions, 'undecidedFrom'>
}

/** Address of the first record that is still needed; `Infinity` for none. @throws what the store throws */
export async function neededFrom({ store, schedule, timer, transactions }: NeededParts): Promise<number> {
  const addresses = [transactions.undecidedFrom, await addressOf(store, TIMER_TOPIC, 0, timer.waitingFrom)]
  for (const [queueId, offset] of schedule.waitingFrom.entries())
    addresses.push(await addressOf(store, SCHEDULE_TOPIC, queueId, offset))
  return Math.min(...addresses)
}

/** Where the first message of a queue stands that is at or behind an offset and can be read. */
async function addressOf(store: Pick<ReadPort, 'get'>, topic: string, queueId: number, from: number): Promise<number> {
  let offset = from
  for (;;) {
    try {
      const { messages, nextOffset, maxOffset } = await store.get({ topic, queueId, offset, maxMessages: 1 })
      if (messages.length > 0) return messages[0]!.commitLogOffset
      if (nextOffset <= offset || offset >= maxOffset) return Number.POSITIVE_INFINITY
      offset = nextOffset
    } catch (error) {
      const next = error instanceof MessageStoreError ? nextOffsetOf(error) : undefined
      if (next === undefined || next <= offset) throw error
      offset = next
    }
  }
}
