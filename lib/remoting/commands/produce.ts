/** The requests of producers: a message, a batch of messages, an answer to a message. */
import { type ClientReceipt, ClientSend } from '../../broker/serving/client-send.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import { Refusal } from '../errors.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'
import { putOutcomes } from './outcome.js'
import { ReplyPush } from './reply-push.js'
import { LETTERS, receiptFields, sentMessage, WORDS } from './send-header.js'

/** See the head of this file. */
export function produceHandlers(served: ServedBroker): Entries {
  const sends = new ClientSend(served.served)
  const replies = new ReplyPush(served)
  const sending =
    (names: typeof WORDS, always: boolean): Handler =>
    async (command, from) => {
      const message = sentMessage(command, names, from, served)
      const isBatch = always || message.isBatch
      return accepted(command, await (isBatch ? sends.sendBatch(message) : sends.send(message)))
    }
  const replying =
    (names: typeof WORDS): Handler =>
    async (command, from) => {
      const message = sentMessage(command, names, from, served)
      return replies.answer(command, message, () => sends.send(message))
    }
  return [
    [codes.SEND_MESSAGE, sending(WORDS, false)],
    [codes.SEND_MESSAGE_V2, sending(LETTERS, false)],
    [codes.SEND_BATCH_MESSAGE, sending(LETTERS, true)],
    [codes.SEND_REPLY_MESSAGE, replying(WORDS)],
    [codes.SEND_REPLY_MESSAGE_V2, replying(LETTERS)],
    [codes.RECALL_MESSAGE, refuseRecall],
  ]
}

/** Handles to take a delayed message back are not given out, as by a broker of RocketMQ that is not told to. */
const refuseRecall: Handler = () => {
  throw new Refusal(responseCodes.NO_PERMISSION, 'recall failed, operation is forbidden')
}

/** What a producer is told of what it sent. */
function accepted(command: Command, receipt: ClientReceipt): Command {
  const { status } = receipt.puts[0]!
  const remark = status === 'PUT_OK' ? undefined : status
  return answer(command, putOutcomes[status], { remark, ext: receiptFields(receipt) })
}
