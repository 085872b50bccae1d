/** Requests as RocketMQ's consumers send them, and what comes back. */
import { blockOf } from '../../lib/format/block.js'
import type { ConfigValue } from '../../lib/format/config-json.js'
import { parseBody, printBody } from '../../lib/remoting/body-json.js'
import type { Command, CommandParts } from '../../lib/remoting/command.js'
import { StoredMessage } from '../../lib/store/stored-message.js'

/** What a test says of a member. */
export interface GivenMember {
  readonly clientId?: string
  readonly group?: string
  readonly model?: string
  /** How it consumes. */
  readonly type?: string
  /** Filters by topic; those that begin with `sql:` are SQL. */
  readonly topics?: Readonly<Record<string, string>>
  readonly version?: number
  readonly producers?: readonly string[]
}

/** A heartbeat of one consumer group, and of producers. */
export function heartbeat(given: GivenMember = {}): CommandParts {
  const { clientId = 'c1', group = 'G', model = 'CLUSTERING', topics = { T: '*' }, version = 1, producers = [] } = given
  const subscriptionDataSet = Object.entries(topics).map(([topic, filter]) => ({
    topic,
    subString: filter.replace(/^sql:/, ''),
    expressionType: filter.startsWith('sql:') ? 'SQL92' : 'TAG',
    subVersion: version,
    tagsSet: [],
    codeSet: [],
    classFilterMode: false,
  }))
  const consumer = {
    groupName: group,
    consumeType: given.type ?? 'CONSUME_PASSIVELY',
    messageModel: model,
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
    unitMode: false,
    subscriptionDataSet,
  }
  const producerDataSet = producers.map((groupName) => ({ groupName }))
  const consumerDataSet = group === '' ? [] : [consumer]
  return { body: printBody({ clientID: clientId, consumerDataSet, producerDataSet, heartbeatFingerprint: 0, withoutSub: false }) }
}

/** What a test says of a pull. */
export interface GivenPull {
  readonly group?: string
  readonly topic?: string
  readonly queueId?: number
  readonly offset?: number | string
  readonly max?: number
  readonly maxBytes?: number
  /** Sent with the pull; without one, the group's subscription counts. `sql:` begins SQL. */
  readonly filter?: string | undefined
  readonly isClassFilter?: boolean
  /** How long it may wait. */
  readonly waitMs?: number
  readonly commit?: number
  readonly version?: number
}

/** A pull, of all messages if nothing else is said. */
export function pull(given: GivenPull = {}): CommandParts {
  const { group = 'G', topic = 'T', queueId = 0, offset = 0, max = 32, maxBytes, waitMs = 0, commit, version = 0 } = given
  const filter = 'filter' in given ? given.filter : '*'
  const flags =
    (commit === undefined ? 0 : 1) | (waitMs > 0 ? 2 : 0) | (filter === undefined ? 0 : 4) | (given.isClassFilter ? 8 : 0)
  const ext = {
    consumerGroup: group,
    topic,
    queueId,
    queueOffset: offset,
    maxMsgNums: max,
    maxMsgBytes: maxBytes,
    sysFlag: flags,
    commitOffset: commit ?? 0,
    suspendTimeoutMillis: waitMs,
    subscription: filter?.replace(/^sql:/, ''),
    subVersion: version,
    expressionType: filter?.startsWith('sql:') ? 'SQL92' : undefined,
  }
  return { ext }
}

/** The messages of an answer, decoded from its records. */
export function messagesIn({ body }: Command): StoredMessage[] {
  const block = blockOf(body)
  const messages: StoredMessage[] = []
  for (let at = 0; at < body.length; at += block.view.getInt32(at)) messages.push(StoredMessage.fromRecord(block, at, 0))
  return messages
}

/** Their bodies as text. */
export function bodiesIn(command: Command): string[] {
  return messagesIn(command).map(({ body }) => body.toString())
}

/** The body of an answer. */
export function said({ body }: Command): ConfigValue {
  return parseBody(body)
}
