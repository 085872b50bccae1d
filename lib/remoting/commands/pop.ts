/** The requests of clients that pop: take messages for a while, settle them, look what is there, and wait for something. */
import { fieldsOf } from '../../broker/config/config-object.js'
import { BrokerError } from '../../broker/errors.js'
import type { LookRequest } from '../../broker/pop/looking.js'
import type { PoppedMessage } from '../../broker/pop/pop-parts.js'
import type { PopTurn } from '../../broker/pop/popping.js'
import { type AdmittedPop, ClientPops, type SettledMessage } from '../../broker/serving/client-pops.js'
import { parseBody } from '../body-json.js'
import { responseCodes } from '../codes.js'
import { answer, type Command, type CommandParts } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, optionalInt, optionalLong, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { listIn, nameIn } from './client-body.js'
import { popRequests as codes } from './consume-codes.js'
import type { Entries, ServedBroker } from './entries.js'
import { HeldPulls } from './held-pulls.js'
import { handlesIn, poppedFields } from './pop-fields.js'
import { MOST_WAIT_MS, refusedPull } from './pull.js'
import { inTurn, type ReadingTurns, takesMore } from './reading-turns.js'

const { SUCCESS, POLLING_FULL, POLLING_TIMEOUT, PULL_NOT_FOUND, MESSAGE_ILLEGAL, NO_MESSAGE } = responseCodes

/** See the head of this file. @param servesSql - whether clients may filter with SQL */
export function popHandlers(served: ServedBroker, servesSql: boolean): Entries {
  const pops = new ClientPops(served.served, servesSql)
  const held = new HeldPulls(served)
  return [
    [codes.POP_MESSAGE, popping(pops, held, served.turns)],
    [codes.ACK_MESSAGE, acknowledging(pops)],
    [codes.BATCH_ACK_MESSAGE, acknowledgingAll(pops)],
    [codes.CHANGE_MESSAGE_INVISIBLETIME, changing(pops)],
    [codes.PEEK_MESSAGE, inTurn(served.turns, peeking(served, pops))],
    [codes.NOTIFICATION, notifying(served, pops)],
    [codes.POLLING_INFO, (command) => answer(command, SUCCESS, { ext: { pollingNum: held.count(keyOf(readLook(command))) } })],
  ]
}

function popping(pops: ClientPops, held: HeldPulls, turns: ReadingTurns): Handler {
  return async (command, connection) => {
    const { rules } = held
    const pollMs = Math.min(requiredLong(command, 'pollTime'), MOST_WAIT_MS)
    let admitted: AdmittedPop
    try {
      admitted = await pops.admit(readPop(command))
    } catch (error) {
      return refusedPull(command, error)
    }
    const answerWith = (found: readonly PoppedMessage[]): Command => {
      const rest = pops.rest(admitted)
      if (found.length === 0) return notFound(command, POLLING_TIMEOUT, rest)
      const body = Buffer.concat(found.map((one) => pops.recordOf(one, admitted.topic)))
      return answer(command, SUCCESS, { remark: 'FOUND', ext: poppedFields(found, rest), body })
    }
    const isAnswered = await turns.run(connection, async () => {
      const found = takesMore(connection) ? await pops.pop(admitted, 0) : undefined
      const mayWait = pollMs > 0 && held.hasRoomFor(connection, command)
      if (found?.length === 0 && mayWait) return false
      // At once, so that what it adds to what the client has not taken is seen by the next one.
      const isFull = found === undefined || (found.length === 0 && pollMs > 0)
      connection.send(command, isFull ? notFound(command, POLLING_FULL, 0) : answerWith(found))
      return true
    })
    if (isAnswered) return undefined
    connection.hold(command)
    // Only what is sent is popped: what comes while the client takes no answers is left to others.
    const turn: PopTurn = (pop) => turns.run(connection, () => (takesMore(connection) ? pop() : []))
    const waited = await held.hold(connection, { command, key: keyOf(admitted), rules }, (signal) =>
      pops.pop(admitted, pollMs, { signal, turn }),
    )
    // At once, so that what many such answers add to what the client has not taken is seen by each.
    if (waited.kind === 'done') connection.send(command, answerWith(waited.result))
    return undefined
  }
}

function readPop(command: Command): Parameters<ClientPops['admit']>[0] {
  const { exp, expType, attemptId } = command.extFields
  return {
    group: requiredText(command, 'consumerGroup'),
    topic: requiredText(command, 'topic'),
    queueId: requiredInt(command, 'queueId'),
    maxMessages: requiredInt(command, 'maxMsgNums'),
    invisibleMs: requiredLong(command, 'invisibleTime'),
    filter: exp === undefined || exp === '' ? undefined : { text: exp, type: expType, isClassFilter: false },
    startAt: requiredInt(command, 'initMode') === 0 ? 'first' : 'last',
    isOrdered: optionalFlag(command, 'order'),
    ...(attemptId === undefined ? {} : { attemptId }),
  }
}

function notFound(command: Command, code: number, restNum: number): Command {
  const ext = { popTime: 0, invisibleTime: 0, reviveQid: 0, restNum }
  return answer(command, code, { remark: 'NO_MESSAGE_IN_QUEUE', ext })
}

/** What names no message that is out is answered as RocketMQ answers an offset that is not there. */
function settling(settle: (command: Command) => Promise<NonNullable<CommandParts['ext']>>): Handler {
  return async (command) => {
    try {
      return answer(command, SUCCESS, { ext: await settle(command) })
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      if (error.code === 'QUEUE_UNKNOWN') throw new Refusal(MESSAGE_ILLEGAL, error.message)
      if (error.code !== 'DELIVERY_UNKNOWN' && error.code !== 'DELIVERY_SETTLED') throw error
      throw new Refusal(NO_MESSAGE, error.message)
    }
  }
}

function acknowledging(pops: ClientPops): Handler {
  return settling(async (command) => {
    await pops.ack(readSettled(command))
    return {}
  })
}

function readSettled(command: Command): SettledMessage {
  return {
    group: requiredText(command, 'consumerGroup'),
    topic: requiredText(command, 'topic'),
    queueId: requiredInt(command, 'queueId'),
    offset: requiredLong(command, 'offset'),
    handle: requiredText(command, 'extraInfo'),
  }
}

function acknowledgingAll(pops: ClientPops): Handler {
  return async (command) => {
    const fields = fieldsOf(parseBody(command.body))
    const acks = listIn(fields, 'acks').map(fieldsOf)
    if (acks.length === 0) return answer(command, NO_MESSAGE)
    for (const ack of acks) {
      const owner = { group: nameIn(ack, 'c'), topic: nameIn(ack, 't') }
      await pops.ackAll(owner, handlesIn(ack, nameIn(fields, 'brokerName')))
    }
    return answer(command, SUCCESS)
  }
}

function changing(pops: ClientPops): Handler {
  return settling(async (command) => {
    const next = await pops.changeInvisible(readSettled(command), requiredLong(command, 'invisibleTime'))
    return { popTime: next.popTime, invisibleTime: next.invisibleMs, reviveQid: next.reviveQueueId }
  })
}

function peeking({ served: { pop, base } }: ServedBroker, pops: ClientPops): Handler {
  return async (command) => {
    const request = readLook(command)
    await pops.admitGroup(request.group)
    const most = Math.min(Math.max(requiredInt(command, 'maxMsgNums'), 1), 32)
    const found = await pop.looking.peek(request, most)
    const restNum = pop.looking.rest(request)
    if (found.length === 0) return notFound(command, PULL_NOT_FOUND, restNum)
    const ext = { popTime: base.ports.clock.now(), invisibleTime: 0, reviveQid: 0, restNum }
    return answer(command, SUCCESS, { remark: 'FOUND', ext, body: Buffer.concat(found.map(({ record }) => record)) })
  }
}

function notifying(broker: ServedBroker, pops: ClientPops): Handler {
  const { pop } = broker.served
  const held = new HeldPulls(broker)
  return async (command, connection) => {
    const { rules } = held
    const request = readLook(command)
    await pops.admitGroup(request.group)
    const pollMs = Math.min(optionalLong(command, 'pollTime', 0), MOST_WAIT_MS)
    const told = (hasMsg: boolean, pollingFull = false): Command => answer(command, SUCCESS, { ext: { hasMsg, pollingFull } })
    const has = await pop.looking.has(request, 0)
    if (has || pollMs <= 0) return told(has)
    if (!held.hasRoomFor(connection, command)) return told(false, true)
    connection.hold(command)
    const waited = await held.hold(connection, { command, key: keyOf(request), rules }, (signal) =>
      pop.looking.has(request, pollMs, signal),
    )
    if (waited.kind === 'done') connection.send(command, told(waited.result))
    return undefined
  }
}

function readLook(command: Command): LookRequest {
  const { attemptId } = command.extFields
  return {
    group: requiredText(command, 'consumerGroup'),
    topic: requiredText(command, 'topic'),
    queueId: optionalInt(command, 'queueId', -1),
    isOrdered: optionalFlag(command, 'order'),
    ...(attemptId === undefined ? {} : { attemptId }),
  }
}

function keyOf({ topic, group, queueId }: Pick<LookRequest, 'topic' | 'group' | 'queueId'>): string {
  return `${queueId} ${topic}@${group}`
}
