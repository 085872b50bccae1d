/** Requests as RocketMQ's clients send them. */
import { encodeClientBatch } from '../../lib/format/client-batch.js'
import { encodeProperties } from '../../lib/format/properties.js'
import type { CommandParts } from '../../lib/remoting/command.js'

/** What a test says of a message. */
export interface GivenMessage {
  readonly topic?: string
  readonly body?: string | Buffer
  readonly properties?: Readonly<Record<string, string>>
  readonly queueId?: number
  readonly template?: string
  readonly queues?: number
  readonly sysFlag?: number
  readonly flag?: number
  readonly bornTimestamp?: number
  readonly reconsumeTimes?: number
  readonly maxReconsumeTimes?: number
  readonly isBatch?: boolean
}

/** Properties as clients write them: a text. */
export function propertyText(properties: Readonly<Record<string, string>>): string {
  return encodeProperties(properties).toString()
}

/** The message of request 10, whose fields are whole words. */
export function inWords(given: GivenMessage = {}): CommandParts {
  const { topic = 'T', body = 'hello', properties = {}, queueId = 0, template = 'TBW102', queues = 4 } = given
  const { sysFlag = 0, flag = 0, bornTimestamp = 1_700_000_000_000, reconsumeTimes, maxReconsumeTimes } = given
  const ext = {
    producerGroup: 'PG',
    topic,
    defaultTopic: template,
    defaultTopicQueueNums: queues,
    queueId,
    sysFlag,
    bornTimestamp,
    flag,
    properties: propertyText(properties),
    reconsumeTimes,
    unitMode: false,
    maxReconsumeTimes,
    batch: given.isBatch,
  }
  return { ext, body: Buffer.from(body) }
}

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm']

/** The message of request 310, whose fields are letters. */
export function inLetters(given: GivenMessage = {}): CommandParts {
  const { ext, body } = inWords(given)
  return { ext: Object.fromEntries(Object.values(ext!).map((value, i) => [letters[i]!, value])), body }
}

/** The body of a batch. */
export function batchBody(messages: readonly { body: string; properties?: Readonly<Record<string, string>> }[]): Buffer {
  return encodeClientBatch(
    messages.map(({ body, properties = {} }) => ({ flag: 0, body: Buffer.from(body), properties: encodeProperties(properties) })),
  )
}
