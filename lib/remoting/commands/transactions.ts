/** How clients end transactions, and how they are asked about those that they did not end. */
import { BrokerError } from '../../broker/errors.js'
import { halfRecord } from '../../broker/serving/half-record.js'
import { SystemProperty } from '../../broker/system-property.js'
import type { TransactionDecision } from '../../broker/transaction/transactions.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { brokerRequests, clientRequests, responseCodes } from '../codes.js'
import { answer, type Command, oneWayRequest } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'

/** What clients say in a message's flags, in the bits that tell of transactions. */
const decisions: ReadonlyMap<number, TransactionDecision> = new Map([
  [0, 'unknown'],
  [8, 'commit'],
  [12, 'rollback'],
])

/** See the head of this file. */
export function transactionHandlers({ served: { transactions } }: ServedBroker): Entries {
  const resume: Handler = async (command) => {
    await transactions.resume(requiredText(command, 'msgId'))
    return answer(command, responseCodes.SUCCESS)
  }
  return [
    [brokerRequests.RESUME_CHECK_HALF_MESSAGE, resume],
    [
      brokerRequests.END_TRANSACTION,
      async (command) => {
        const flags = requiredInt(command, 'commitOrRollback')
        const decision = decisions.get(flags)
        if (decision === undefined) throw new Refusal(responseCodes.INVALID_PARAMETER, `${flags} is no end of a transaction`)
        try {
          await transactions.end({
            group: requiredText(command, 'producerGroup'),
            queueOffset: requiredLong(command, 'tranStateTableOffset'),
            commitLogOffset: requiredLong(command, 'commitLogOffset'),
            decision,
            fromCheck: optionalFlag(command, 'fromTransactionCheck'),
          })
        } catch (error) {
          if (!(error instanceof BrokerError && error.details['isLate'] === true)) throw error
          throw new Refusal(responseCodes.ILLEGAL_OPERATION, error.message)
        }
        return answer(command, responseCodes.SUCCESS)
      },
    ],
  ]
}

/** The question how a transaction ended, which a client answers by ending it. */
export function transactionQuestion(half: StoredMessage, brokerName: string): Command {
  const { topic, queueOffset, commitLogOffset, messageId, uniqueKey, properties } = half
  const ext = {
    topic: properties[SystemProperty.realTopic] ?? topic,
    tranStateTableOffset: queueOffset,
    commitLogOffset,
    msgId: uniqueKey,
    transactionId: uniqueKey,
    offsetMsgId: messageId,
    bname: brokerName,
  }
  return oneWayRequest(clientRequests.CHECK_TRANSACTION_STATE, { ext, body: halfRecord(half) })
}
