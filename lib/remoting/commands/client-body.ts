/** The bodies in which clients tell of themselves: heartbeats, and questions whether a subscription can be served. */
import { booleanOf, fieldsOf, numberOf } from '../../broker/config/config-object.js'
import { checkFilterLength } from '../../broker/filter/filter-fault.js'
import { filterExpressionOf } from '../../broker/filter/message-filter.js'
import type { ConsumeFrom, ConsumeModel, ConsumerFacts, ConsumeType, Subscription } from '../../broker/group/members.js'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { parseTags } from '../../format/tags.js'
import { parseBody } from '../body-json.js'
import { responseCodes } from '../codes.js'
import { Refusal } from '../errors.js'

/** A group or topic has at most so many characters, and so has a client id. */
const MOST_NAME_LENGTH = 255
/** A client has at most so many groups, and topics in each. */
const MOST_ENTRIES = 4096

/** A consumer group as a client tells of it. */
export interface ToldConsumer {
  readonly group: string
  readonly facts: ConsumerFacts
}

/** A heartbeat. */
export interface Heartbeat {
  readonly clientId: string
  readonly producerGroups: readonly string[]
  readonly consumers: readonly ToldConsumer[]
  /** Of everything that it says: two that are the same say the same. 0: the client does not compare. */
  readonly fingerprint: number
  /** The client says only that it is still there: what its groups want is as its last whole heartbeat said. */
  readonly isShort: boolean
}

const consumeTypes: readonly ConsumeType[] = ['CONSUME_PASSIVELY', 'CONSUME_ACTIVELY', 'CONSUME_POP']
const models: readonly ConsumeModel[] = ['CLUSTERING', 'BROADCASTING']
const places: readonly ConsumeFrom[] = [
  'CONSUME_FROM_LAST_OFFSET',
  'CONSUME_FROM_FIRST_OFFSET',
  'CONSUME_FROM_TIMESTAMP',
  'CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST',
  'CONSUME_FROM_MIN_OFFSET',
  'CONSUME_FROM_MAX_OFFSET',
]

/** Reads a heartbeat. @throws {Refusal} when it is none; {@link BrokerError} `FILTER_INVALID` */
export function readHeartbeat(body: Buffer): Heartbeat {
  const fields = fieldsOf(parseBody(body))
  return {
    clientId: nameIn(fields, 'clientID'),
    producerGroups: listIn(fields, 'producerDataSet').map((one) => nameIn(fieldsOf(one), 'groupName')),
    consumers: listIn(fields, 'consumerDataSet').map(readConsumer),
    fingerprint: numberOf(fields['heartbeatFingerprint'], 0),
    isShort: booleanOf(fields['withoutSub'], false),
  }
}

/** Reads the subscription that a client asks about; `undefined` when it asks about none. */
export function readAskedSubscription(body: Buffer): Subscription | undefined {
  const data = fieldsOf(parseBody(body))['subscriptionData']
  return data === undefined || data === null ? undefined : readSubscription(fieldsOf(data))
}

/** A subscription as administrators see it. */
export function printSubscription(topic: string, { expression, kind, version }: Subscription): ConfigObject {
  const tags = kind === 'TAG' ? tagsOf(expression) : undefined
  return {
    classFilterMode: false,
    codeSet: [...new Set(tags?.hashes)],
    expressionType: kind,
    subString: expression,
    subVersion: version,
    tagsSet: [...new Set(tags?.tags)],
    topic,
  }
}

/** A list in a body. @throws {Refusal} when it is none, or too long */
export function listIn(fields: ConfigObject, name: string): readonly ConfigValue[] {
  const list = fields[name]
  if (list === undefined || list === null) return []
  if (!Array.isArray(list) || list.length > MOST_ENTRIES) throw wrong(`${name} must be a list of at most ${MOST_ENTRIES}`)
  return list as readonly ConfigValue[]
}

/** A name in a body. @throws {Refusal} when it is none */
export function nameIn(fields: ConfigObject, name: string): string {
  const text = fields[name]
  if (typeof text === 'string' && text !== '' && text.length <= MOST_NAME_LENGTH) return text
  throw wrong(`${name} must be a text of 1 to ${MOST_NAME_LENGTH} characters`)
}

/** One of some words in a body, the first when it is none of them. */
export function wordIn<Word extends string>(fields: ConfigObject, name: string, words: readonly Word[]): Word {
  return words.find((word) => word === fields[name]) ?? words[0]!
}

function readConsumer(value: ConfigValue): ToldConsumer {
  const fields = fieldsOf(value)
  const subscriptions = new Map<string, Subscription>()
  for (const one of listIn(fields, 'subscriptionDataSet')) {
    const data = fieldsOf(one)
    subscriptions.set(nameIn(data, 'topic'), readSubscription(data))
  }
  return {
    group: nameIn(fields, 'groupName'),
    facts: {
      consumeType: wordIn(fields, 'consumeType', consumeTypes),
      model: wordIn(fields, 'messageModel', models),
      consumeFrom: wordIn(fields, 'consumeFromWhere', places),
      subscriptions,
    },
  }
}

function readSubscription(data: ConfigObject): Subscription {
  const text = typeof data['subString'] === 'string' ? data['subString'] : undefined
  const type = typeof data['expressionType'] === 'string' ? data['expressionType'] : undefined
  const filter = filterExpressionOf({ text, type, isClassFilter: booleanOf(data['classFilterMode'], false) })
  const kind = typeof filter === 'string' ? 'TAG' : 'SQL92'
  const expression = typeof filter === 'string' ? filter : filter.sql
  checkFilterLength(kind === 'TAG' ? 'tag' : 'SQL', expression)
  return { expression, kind, version: numberOf(data['subVersion'], 0) }
}

/** An empty text is all messages, and one that names no tag cannot be served; neither has tags. */
function tagsOf(expression: string): ReturnType<typeof parseTags> {
  try {
    return parseTags(expression)
  } catch {
    return undefined
  }
}

function wrong(what: string): Refusal {
  return new Refusal(responseCodes.SYSTEM_ERROR, what)
}
