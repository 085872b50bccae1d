/**
 * What clients are told of our errors: the one table from them to RocketMQ's codes.
 *
 * Producers try another broker after 1, 2, 14, 16 and 17, and give up after any other code: so what another broker
 * could do better gets one of these.
 */
import { type ErrorCode, errorCodes, MessageStoreError } from '../../base/errors.js'
import { BrokerError, type BrokerErrorCode } from '../../broker/errors.js'
import type { PutStatus } from '../../store/message.js'
import { type ResponseCode, responseCodes } from '../codes.js'
import { Refusal } from '../errors.js'
import type { Handler } from '../handling.js'

const {
  SYSTEM_ERROR,
  SYSTEM_BUSY,
  MESSAGE_ILLEGAL,
  SERVICE_NOT_AVAILABLE,
  NO_PERMISSION,
  TOPIC_NOT_EXIST,
  SUBSCRIPTION_PARSE_FAILED,
  SUBSCRIPTION_NOT_LATEST,
  SUBSCRIPTION_GROUP_NOT_EXIST,
  INVALID_PARAMETER,
} = responseCodes

/** The broker's refusals. */
export const brokerOutcomes: Readonly<Record<BrokerErrorCode, ResponseCode>> = {
  BROKER_CLOSED: SERVICE_NOT_AVAILABLE,
  TOPIC_UNKNOWN: TOPIC_NOT_EXIST,
  TOPIC_REFUSED: NO_PERMISSION,
  GROUP_UNKNOWN: SUBSCRIPTION_GROUP_NOT_EXIST,
  NO_PERMISSION,
  QUEUE_UNKNOWN: INVALID_PARAMETER,
  DELAY_INVALID: MESSAGE_ILLEGAL,
  FILTER_INVALID: SUBSCRIPTION_PARSE_FAILED,
  SUBSCRIPTION_CONFLICT: SUBSCRIPTION_NOT_LATEST,
  NAME_TAKEN: INVALID_PARAMETER,
  GROUP_IN_USE: SYSTEM_ERROR,
  DELIVERY_SETTLED: INVALID_PARAMETER,
  DELIVERY_UNKNOWN: INVALID_PARAMETER,
  BODY_UNREADABLE: MESSAGE_ILLEGAL,
  TRANSACTION_UNKNOWN: SYSTEM_ERROR,
  MESSAGE_REPEATED: MESSAGE_ILLEGAL,
  QUOTA_EXCEEDED: NO_PERMISSION,
  BACKLOG_FULL: SYSTEM_BUSY,
}

/** The store's refusals and failures. */
export const storeOutcomes: Readonly<Record<ErrorCode, ResponseCode>> = {
  STORE_CLOSED: SERVICE_NOT_AVAILABLE,
  STORE_LOCKED: SERVICE_NOT_AVAILABLE,
  STORE_READ_ONLY: SERVICE_NOT_AVAILABLE,
  STORE_CORRUPT: SERVICE_NOT_AVAILABLE,
  STORE_FAILED: SERVICE_NOT_AVAILABLE,
  STORE_INCOMPATIBLE: SERVICE_NOT_AVAILABLE,
  DISK_FULL: SERVICE_NOT_AVAILABLE,
  DISK_ERROR: SYSTEM_ERROR,
  MESSAGE_TOO_LARGE: MESSAGE_ILLEGAL,
  MESSAGE_ILLEGAL,
  TOPIC_INVALID: INVALID_PARAMETER,
  REPLICAS_NOT_ENOUGH: SYSTEM_ERROR,
  REPLICA_DIVERGED: SYSTEM_ERROR,
  OFFSET_OVERFLOW: SYSTEM_ERROR,
}

/** How a put ended. All four mean that the message is stored. */
export const putOutcomes: Readonly<Record<PutStatus, ResponseCode>> = {
  PUT_OK: responseCodes.SUCCESS,
  FLUSH_DISK_TIMEOUT: responseCodes.FLUSH_DISK_TIMEOUT,
  FLUSH_SLAVE_TIMEOUT: responseCodes.FLUSH_SLAVE_TIMEOUT,
  SLAVE_NOT_AVAILABLE: responseCodes.SLAVE_NOT_AVAILABLE,
}

/**
 * The refusal that tells a client of an error, or the error itself when it is none of ours.
 *
 * What the client did wrong is told as it is. Of what failed here it learns the code alone: the text may name files.
 */
export function refusalOf(error: unknown): unknown {
  if (error instanceof BrokerError) return new Refusal(brokerOutcomes[error.code], error.message)
  if (error instanceof MessageStoreError) {
    const { code, reaction, message } = error
    return new Refusal(storeOutcomes[code], reaction === 'reject' ? message : `${code}: ${errorCodes[code].meaning}`)
  }
  // A number or text beyond what it may be. What is wrong with types is a mistake of ours.
  if (error instanceof RangeError) return new Refusal(INVALID_PARAMETER, error.message)
  return error
}

/** A handler whose errors are told as {@link refusalOf} says. */
export function withOutcomes(handler: Handler): Handler {
  return (request, connection) => {
    try {
      const answered = handler(request, connection)
      if (!(answered instanceof Promise)) return answered
      return answered.catch((error: unknown) => {
        throw refusalOf(error)
      })
    } catch (error) {
      throw refusalOf(error)
    }
  }
}
