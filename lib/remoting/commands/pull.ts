/** Pulls: the request decoded, one call of the broker, the records as they stand in the log. */
import type { ClientOffsets } from '../../broker/serving/client-offsets.js'
import {
  type AdmittedPull,
  MOST_BYTES,
  PullRefusal,
  type PullRefusalReason,
  type PullRequest,
  type PullResult,
  Pulls,
} from '../../broker/serving/pull.js'
import { responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import { optionalInt, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { consumeRequests as codes } from './consume-codes.js'
import type { Entries, ServedBroker } from './entries.js'
import { HeldPulls } from './held-pulls.js'
import { takesMore } from './reading-turns.js'

/** Bits of a pull's `sysFlag`. */
const PullFlag = { commit: 1, suspend: 2, subscription: 4, classFilter: 8 } as const

/** No pull or pop waits longer, milliseconds. */
export const MOST_WAIT_MS = 10 * 60_000

const outcomeCodes: Readonly<Record<PullResult['outcome'], number>> = {
  found: responseCodes.SUCCESS,
  notYet: responseCodes.PULL_NOT_FOUND,
  again: responseCodes.PULL_RETRY_IMMEDIATELY,
  moved: responseCodes.PULL_OFFSET_MOVED,
}

const { NO_PERMISSION, SUBSCRIPTION_NOT_EXIST, SUBSCRIPTION_NOT_LATEST, SYSTEM_ERROR } = responseCodes

/** Answers to refusals; RocketMQ numbers what is not permitted (`forbiddenType`). */
const refusalCodes: Readonly<Record<PullRefusalReason, { readonly code: number; readonly forbiddenType?: number }>> = {
  groupMayNotConsume: { code: NO_PERMISSION, forbiddenType: 2 },
  topicNotReadable: { code: NO_PERMISSION, forbiddenType: 3 },
  groupMayNotBroadcast: { code: NO_PERMISSION, forbiddenType: 4 },
  topicForbidden: { code: NO_PERMISSION, forbiddenType: 5 },
  groupNotHere: { code: SUBSCRIPTION_NOT_EXIST },
  notSubscribed: { code: SUBSCRIPTION_NOT_EXIST },
  subscriptionOld: { code: SUBSCRIPTION_NOT_LATEST },
  sqlNotServed: { code: SYSTEM_ERROR },
}

/** See the head of this file. @param servesSql - whether clients may filter with SQL; @param most - messages in one answer */
export function pullHandlers(broker: ServedBroker, offsets: ClientOffsets, servesSql: boolean, most?: number): Entries {
  const { served, turns } = broker
  const pulls = new Pulls(served, offsets, servesSql, most)
  const held = new HeldPulls(broker)
  offsets.onReset((place) => held.wake(keyOf(place)))
  const pull: Handler = async (command, connection) => {
    const { rules } = held
    const request = readPull(command)
    let admitted: AdmittedPull
    try {
      admitted = await pulls.admit(request)
    } catch (error) {
      return refusedPull(command, error)
    }
    const { topic, group, queueId } = request
    const answerWith = (result: PullResult): Command => {
      const taken = takesMore(connection) ? result : postponed(command, result)
      pulls.count(admitted, taken)
      return answerOf(command, taken)
    }
    const flags = requiredInt(command, 'sysFlag')
    if (flags & PullFlag.commit) offsets.commit(topic, group, queueId, requiredLong(command, 'commitOffset'))
    const waitMs = flags & PullFlag.suspend ? Math.min(requiredLong(command, 'suspendTimeoutMillis'), MOST_WAIT_MS) : 0
    const isAnswered = await turns.run(connection, async () => {
      const result = (takesMore(connection) ? undefined : pulls.later(admitted)) ?? (await pulls.now(admitted))
      if (result.outcome === 'notYet' && waitMs > 0 && held.hasRoomFor(connection, command)) return false
      // At once, so that what many such answers add to what the client has not taken is seen by each.
      connection.send(command, answerWith(result))
      return true
    })
    if (isAnswered) return undefined
    connection.hold(command)
    const waited = await held.hold(connection, { command, key: keyOf(request), rules }, (signal) =>
      pulls.wait(admitted, waitMs, signal),
    )
    if (waited.kind === 'closed') return undefined
    const late = waited.kind === 'done' ? waited.result : await pulls.now(admitted)
    connection.send(command, answerWith(late))
    return undefined
  }
  return [
    [codes.PULL_MESSAGE, pull],
    [codes.LITE_PULL_MESSAGE, pull],
  ]
}

function readPull(command: Command): PullRequest {
  const flags = requiredInt(command, 'sysFlag')
  const { subscription: text, expressionType: type } = command.extFields
  const isClassFilter = (flags & PullFlag.classFilter) !== 0
  return {
    group: requiredText(command, 'consumerGroup'),
    topic: requiredText(command, 'topic'),
    queueId: requiredInt(command, 'queueId'),
    offset: requiredLong(command, 'queueOffset'),
    maxMessages: requiredInt(command, 'maxMsgNums'),
    maxBytes: optionalInt(command, 'maxMsgBytes', MOST_BYTES),
    filter: flags & PullFlag.subscription ? { text, type, isClassFilter } : undefined,
    subscriptionVersion: requiredLong(command, 'subVersion'),
  }
}

/** The answer to a pull or pop that is refused. @throws what is no refusal of its own */
export function refusedPull(command: Command, error: unknown): Command {
  if (!(error instanceof PullRefusal)) throw error
  const { code, forbiddenType } = refusalCodes[error.reason]
  return answer(command, code, { remark: error.message, ext: { forbiddenType } })
}

function answerOf(command: Command, { outcome, status, messages, nextOffset, minOffset, maxOffset }: PullResult): Command {
  const ext = { suggestWhichBrokerId: 0, nextBeginOffset: nextOffset, minOffset, maxOffset }
  const body = messages.length === 0 ? undefined : Buffer.concat(messages.map(({ record }) => record))
  return answer(command, outcomeCodes[outcome], { remark: status, ext, body })
}

/** The client shall ask again for what was found. */
function postponed(command: Command, result: PullResult): PullResult {
  if (result.outcome !== 'found') return result
  return { ...result, outcome: 'notYet', messages: [], nextOffset: requiredLong(command, 'queueOffset') }
}

function keyOf({ topic, group, queueId }: { topic: string; group: string; queueId: number }): string {
  return `${queueId} ${topic}@${group}`
}
