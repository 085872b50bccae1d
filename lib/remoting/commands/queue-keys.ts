/**
 * Tables whose keys are queues, as fastjson writes them: the key stands as an object where JSON wants a text.
 *
 * ```
 *  {"offsetTable":{{"brokerName":"a","queueId":0,"topic":"T"}:{"maxOffset":7},...}}
 * ```
 */
import type { MessageQueue } from '../../broker/group/message-queue.js'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { printBody } from '../body-json.js'

/** A queue with what is said of it. */
export type QueueKeyed = readonly [MessageQueue, ConfigValue]

/** Text of one such table. */
export function queueKeyedText(entries: readonly QueueKeyed[]): string {
  const members = entries.map(([{ brokerName, queueId, topic }, value]) => {
    return `${printBody({ brokerName, queueId, topic }).toString()}:${printBody(value).toString()}`
  })
  return `{${members.join(',')}}`
}

/** Text of a body with one such table, and further members. */
export function queueKeyedBody(name: string, entries: readonly QueueKeyed[], others: ConfigObject = {}): Buffer {
  const rest = Object.entries(others).map(([member, value]) => `,${JSON.stringify(member)}:${printBody(value!).toString()}`)
  return Buffer.from(`{${JSON.stringify(name)}:${queueKeyedText(entries)}${rest.join('')}}`)
}
