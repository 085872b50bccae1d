/** Reading that waits: a get with `waitMs`, and `follow`, which is one get after the other. */

import { checkQueue, checkRequest, checkSignal, checkWhole, wholeBetween } from '../../base/arguments.js'
import { abortReason } from '../../base/signals.js'
import type { Clock } from '../../base/system.js'
import { storeErrorOf } from '../disk-failure.js'
import { followFields, type GetRequest, getFields } from '../message.js'
import type { StoreState } from '../state.js'
import type { StoredMessage } from '../stored-message.js'
import type { Views } from '../views/views.js'
import type { Arrivals } from './arrivals.js'
import type { LiveLog } from './live-log.js'
import type { GetPlan, GetResult, Reader } from './reader.js'
import { compileTags } from './tag-filter.js'

/** What waiting reads need. */
export interface WaitingParts {
  readonly reader: Reader
  readonly find: Views['find']
  readonly arrivals: Arrivals
  readonly state: StoreState
  readonly clock: Pick<Clock, 'monotonic'>
  /** Lets the event loop turn. */
  readonly pause: () => Promise<void>
  /** Of a store that is only read: takes in what another process has written. */
  readonly live: Pick<LiveLog, 'catchUp' | 'asking' | 'isStale'> | undefined
}

/** What a timer can count. */
const MOST_WAIT_MS = 2 ** 31 - 1

/** Another process does not tell when it has written, so a reader that waits looks this often. */
const LOOK_EVERY_MS = 50

/** `follow` looks again this often even when nobody told it of a message: a read-only store follows another process. */
const FOLLOW_WAIT_MS = 5000

/** Checks a request and fills in defaults. @throws {TypeError} or {@link RangeError} */
export function planGet(request: GetRequest): GetPlan {
  checkRequest(request, getFields)
  const { topic, queueId = 0, offset, maxMessages = 32, maxBytes = 262_144, tags } = request
  checkQueue(topic, queueId)
  checkWhole('offset', offset, 0)
  checkWhole('maxMessages', maxMessages, 1)
  checkWhole('maxBytes', maxBytes, 1)
  return { topic, queueId, offset, maxMessages, maxBytes, filter: compileTags(tags) }
}

/** A get; with `waitMs` it waits until there is a message, or until `nextOffset` has moved on for long enough. */
export async function getWaiting(parts: WaitingParts, request: GetRequest): Promise<GetResult> {
  const { arrivals, state, clock, live } = parts
  state.checkOpen()
  let plan = planGet(request)
  const { signal, waitMs = 0 } = request
  wholeBetween('waitMs', waitMs, 0, MOST_WAIT_MS)
  checkSignal(signal)
  if (signal?.aborted) throw abortReason(signal)
  if (live?.isStale === true) await live.catchUp()
  let result = live === undefined ? look(parts, plan) : await lookBeside(live, parts, plan)
  if (live !== undefined && mayComeYet(result, plan)) {
    await live.catchUp()
    result = await lookBeside(live, parts, plan)
  }
  if (waitMs === 0) return result
  const deadline = clock.monotonic() + waitMs
  while (mayComeYet(result, plan)) {
    if (result.status === 'NO_MATCHED_MESSAGE') plan = { ...plan, offset: result.nextOffset }
    const rest = deadline - clock.monotonic()
    if (rest <= 0) return result
    const most = live === undefined ? rest : Math.min(rest, LOOK_EVERY_MS)
    if (plan.offset >= result.maxOffset) await arrivals.wait(plan.topic, plan.queueId, most, signal)
    // A long queue in which nothing matches must not keep the event loop, and the signal with it, waiting.
    else await parts.pause()
    if (signal?.aborted) throw abortReason(signal)
    state.checkOpen()
    await live?.catchUp()
    result = live === undefined ? look(parts, plan) : await lookBeside(live, parts, plan)
  }
  return result
}

function look({ reader, find }: WaitingParts, plan: GetPlan): GetResult {
  return reader.get(find(plan.topic, plan.queueId), plan)
}

/** Looks at a queue that another process may delete, or delete and make again. */
function lookBeside(live: Pick<LiveLog, 'asking'>, parts: WaitingParts, plan: GetPlan): Promise<GetResult> {
  const isDoubtful = ({ status }: GetResult): boolean => status === 'OFFSET_FOUND_NULL'
  return live.asking(() => look(parts, plan), plan, isDoubtful)
}

/** Whether waiting may help: the offset is the next one of the queue, or nothing matched so far. */
function mayComeYet(result: GetResult, plan: GetPlan): boolean {
  const { status } = result
  if (status === 'OFFSET_OVERFLOW_ONE' || status === 'NO_MATCHED_MESSAGE') return true
  return (status === 'NO_MESSAGE_IN_QUEUE' || status === 'NO_MATCHED_LOGIC_QUEUE') && plan.offset === 0
}

/** All messages of a queue from an offset on, without end; the next batch is read when the last one is used up. */
export function follow(parts: WaitingParts, request: Omit<GetRequest, 'waitMs'>): AsyncIterableIterator<StoredMessage> {
  checkRequest(request, followFields)
  return following(parts, request)
}

async function* following(parts: WaitingParts, request: Omit<GetRequest, 'waitMs'>): AsyncGenerator<StoredMessage> {
  let { offset } = request
  const { signal } = request
  while (!signal?.aborted) {
    let result: GetResult
    try {
      result = await getWaiting(parts, { ...request, offset, waitMs: FOLLOW_WAIT_MS })
    } catch (error) {
      if (signal?.aborted || parts.state.status === 'closing' || parts.state.status === 'closed') return
      throw storeErrorOf(error)
    }
    for (const message of result.messages) {
      yield message
      if (signal?.aborted) return
    }
    offset = result.nextOffset
  }
}
