/** The requests of consumers: they come and go, share queues, pull, say how far they are, and give messages back. */
import { ClientOffsets } from '../../broker/serving/client-offsets.js'
import { unsigned } from '../auth/signature.js'
import { responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import { Refusal, RemotingError } from '../errors.js'
import { optionalInt, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { ClientOwners } from './client-owners.js'
import { consumeRequests as codes } from './consume-codes.js'
import type { Entries, ServedBroker } from './entries.js'
import { groupQueueHandlers } from './group-queues.js'
import { heartbeatHandlers } from './heartbeat.js'
import { inquiryHandlers } from './inquiries.js'
import { popHandlers } from './pop.js'
import { pullHandlers } from './pull.js'
import { ResetPush } from './reset-push.js'

/** Time that a client may take to tell of itself. */
const RELAY_MS = 10_000

/** Clients from this version on say themselves how often a message is tried again: V3_4_9. */
const SAYS_MAX_RETRIES = 121

/** See the head of this file. @param servesSql - whether clients may filter with SQL; @param most - messages in one pull */
export function consumeHandlers(served: ServedBroker, servesSql = true, most?: number): Entries {
  const offsets = new ClientOffsets(served.served)
  const owners = new ClientOwners()
  const resets = new ResetPush(served, offsets)
  served.endListening.push(() => {
    resets.close()
    offsets.close()
  })
  return [
    ...heartbeatHandlers(served, owners, servesSql),
    ...pullHandlers(served, offsets, servesSql, most),
    ...popHandlers(served, servesSql),
    ...groupQueueHandlers(served, offsets, owners),
    ...inquiryHandlers(served),
    [codes.CONSUMER_SEND_MSG_BACK, sendBack(served)],
    [codes.GET_CONSUMER_RUNNING_INFO, runningInfo(served)],
    [codes.CONSUME_MESSAGE_DIRECTLY, consumeDirectly(served)],
  ]
}

function sendBack({ served }: ServedBroker): Handler {
  return async (command) => {
    const group = requiredText(command, 'group')
    const commitLogOffset = requiredLong(command, 'offset')
    const delayLevel = requiredInt(command, 'delayLevel')
    const says = command.version >= SAYS_MAX_RETRIES && command.extFields['maxReconsumeTimes'] !== undefined
    const choice = says ? { delayLevel, maxRetries: optionalInt(command, 'maxReconsumeTimes', 0) } : { delayLevel }
    served.base.checkOpen()
    served.groups.get(group)
    const stored = commitLogOffset < 0 ? undefined : await served.store.lookup({ commitLogOffset })
    if (stored === undefined) throw new Refusal(responseCodes.SYSTEM_ERROR, `look message by offset failed, ${commitLogOffset}`)
    await served.sendBack.put(stored, group, choice)
    return answer(command, responseCodes.SUCCESS)
  }
}

/** What a consumer tells of itself, passed on as it is. */
function runningInfo(served: ServedBroker): Handler {
  return (command) => relay(served, command)
}

/** A consumer is told to handle a message now; what came of it is passed on as it is. */
function consumeDirectly(served: ServedBroker): Handler {
  return async (command) => {
    const messageId = requiredText(command, 'msgId')
    const message = await served.served.store.lookup(messageId)
    if (message === undefined) throw new Refusal(responseCodes.SYSTEM_ERROR, `there is no message ${messageId}`)
    return relay(served, { ...command, body: message.record })
  }
}

async function relay({ served: { registry }, connections }: ServedBroker, command: Command): Promise<Command> {
  const group = requiredText(command, 'consumerGroup')
  const clientId = requiredText(command, 'clientId')
  const member = registry.find(group, clientId)
  const client = member === undefined ? undefined : connections.get(member.address)
  if (client === undefined) throw new Refusal(responseCodes.SYSTEM_ERROR, `The Consumer <${group}> <${clientId}> not online`)
  try {
    // A consumer that had the signature could ask in the administrator's name.
    const { code, remark, body } = await client.invoke({ ...unsigned(command), flag: 0 }, RELAY_MS)
    return answer(command, code, { remark, body })
  } catch (error) {
    if (!(error instanceof RemotingError)) throw error
    throw new Refusal(responseCodes.CONSUME_MSG_TIMEOUT, `client ${clientId} did not answer: ${error.message}`)
  }
}
