/** What is refused of the calls of a consumer, before they do anything. */
import { checkFunction, checkQueue, checkRequest, checkWhole, fieldNames, wholeBetween } from '../../base/arguments.js'
import type { RunOptions, SeekTarget } from './consumer.js'
import { checkTarget } from './start-offset.js'

const runFields = fieldNames<keyof RunOptions>({ concurrency: true })
const batchFields = fieldNames<'maxMessages'>({ maxMessages: true })
const seekFields = fieldNames<keyof SeekTarget>({ topic: true, queueId: true, to: true })

/** Each call that may be under way has a place in memory, used or not. */
const MOST_CALLS = 65_536

/** How many calls of a handler may be under way. @throws {TypeError} {@link RangeError} */
export function concurrencyOf(handler: unknown, options: RunOptions): number {
  checkFunction('handler', handler)
  checkRequest(options, runFields, 'the options object of run')
  return wholeBetween('concurrency', options.concurrency === undefined ? 1 : options.concurrency, 1, MOST_CALLS)
}

/** How many messages a handler gets at once. @throws {TypeError} {@link RangeError} */
export function batchSizeOf(handler: unknown, options: { readonly maxMessages?: number }): number {
  checkFunction('handler', handler)
  checkRequest(options, batchFields, 'the options object of runBatches')
  const { maxMessages = 32 } = options
  checkWhole('maxMessages', maxMessages, 1)
  return maxMessages
}

/** @throws {TypeError} {@link RangeError} when a consumer cannot go on there */
export function checkSeek(target: SeekTarget): void {
  checkRequest(target, seekFields, 'the target of seek')
  const { topic, queueId = 0, to } = target
  checkQueue(topic, queueId)
  checkTarget(to)
}
