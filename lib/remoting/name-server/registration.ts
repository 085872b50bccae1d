/** What a broker says of itself when it registers: ext fields for the server, a body for its topics. */
import { promisify } from 'node:util'
import { crc32, inflate, inflateSync } from 'node:zlib'
import type { ConfigValue } from '../../format/config-json.js'
import { CRC_MASK } from '../../format/crc.js'
import { printBody } from '../body-json.js'
import { nameServerRequests, responseCodes } from '../codes.js'
import { type Command, request } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, optionalInt, optionalLong, requiredLong, requiredText } from '../ext-fields.js'
import type { Steps } from './json-walk.js'
import { malformed, type Topics, topicsOfJson, topicsOfRows } from './registered-topics.js'
import type { QueueData } from './route-state.js'
import type { Registration } from './route-table.js'

/** What is known of a topic where it is made. */
export interface TopicEntry extends QueueData {
  readonly topic: string
  /** Whether its messages are kept in one order over all queues. @default false */
  readonly order?: boolean
}

/** A compressed body inflates to so many bytes at most. */
const MAX_INFLATED_BYTES = 16 * 1024 * 1024
/** A body of so many bytes is read at once. */
const SMALL_BYTES = 16 * 1024
const inflating = promisify(inflate)

/** Whether a registration is read within a millisecond. */
export function isSmallRegistration(command: Command): boolean {
  return command.body.length <= SMALL_BYTES && !optionalFlag(command, 'compressed')
}

/**
 * Reads a registration.
 *
 * @throws {Refusal} when something that must be there is not, or the body is not what its check sum says
 */
export function decodeRegistration(command: Command): Registration {
  const server = serverOf(command)
  const steps = topicsOf(command, (body) => inflateSync(body, { maxOutputLength: MAX_INFLATED_BYTES }))
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return { ...server, ...value }
  }
}

/**
 * The same in steps, inflated beside the event loop.
 *
 * @param pause - `undefined` while there is time to go on at once
 */
export async function decodeInSteps(command: Command, pause: () => Promise<void> | undefined): Promise<Registration> {
  const server = serverOf(command)
  let body: Buffer | undefined
  if (optionalFlag(command, 'compressed'))
    body = await inflating(command.body, { maxOutputLength: MAX_INFLATED_BYTES }).catch(() => undefined)
  const steps = topicsOf(command, () => body)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return { ...server, ...value }
    await pause()
  }
}

function topicsOf(command: Command, inflated: (body: Buffer) => Buffer | undefined): Steps<Topics> {
  const { body, version } = command
  if (!optionalFlag(command, 'compressed')) return topicsOfJson(body, version)
  let rows: Buffer | undefined
  try {
    rows = inflated(body)
  } catch {
    // Told below.
  }
  if (rows === undefined) throw malformed('a compressed body that cannot be inflated')
  return topicsOfRows(rows, version)
}

function serverOf(command: Command): Omit<Registration, keyof Topics> {
  const { extFields, body } = command
  const sum = optionalInt(command, 'bodyCrc32', 0)
  if (sum !== 0 && (crc32(body) & CRC_MASK) !== sum) throw new Refusal(responseCodes.SYSTEM_ERROR, 'crc32 not match')
  const timeoutMs = optionalLong(command, 'heartbeatTimeoutMillis', 0)
  return {
    brokerName: requiredText(command, 'brokerName'),
    address: requiredText(command, 'brokerAddr'),
    cluster: requiredText(command, 'clusterName'),
    haAddress: requiredText(command, 'haServerAddr'),
    brokerId: requiredLong(command, 'brokerId'),
    zoneName: extFields['__ZONE_NAME'],
    enableActingMaster: extFields['enableActingMaster'] === undefined ? undefined : optionalFlag(command, 'enableActingMaster'),
    ...(timeoutMs > 0 ? { timeoutMs } : {}),
  }
}

/** A request that registers a broker. */
export function encodeRegistration(given: Omit<Registration, 'topics'> & { readonly topics: readonly TopicEntry[] }): Command {
  const { brokerName, address, cluster, haAddress, brokerId, enableActingMaster = false, timeoutMs, dataVersion, topics } = given
  const table = Object.create(null) as Record<string, ConfigValue>
  for (const { topic, order = false, ...queues } of topics) {
    table[topic] = { attributes: {}, order, topicFilterType: 'SINGLE_TAG', topicName: topic, ...queues }
  }
  const body = printBody({
    filterServerList: [],
    topicConfigSerializeWrapper: { dataVersion: { ...dataVersion }, topicConfigTable: table },
  })
  return request(nameServerRequests.REGISTER_BROKER, {
    ext: {
      brokerName,
      brokerAddr: address,
      clusterName: cluster,
      haServerAddr: haAddress,
      brokerId,
      enableActingMaster,
      compressed: false,
      heartbeatTimeoutMillis: timeoutMs,
      bodyCrc32: crc32(body) & CRC_MASK,
    },
    body,
  })
}
