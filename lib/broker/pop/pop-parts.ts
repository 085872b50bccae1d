/** What the parts of pop consumption share. */
import type { Clock, Timers } from '../../base/system.js'
import type { MessageStore } from '../../store/message-store.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { InflateBody } from '../compression/inflate.js'
import type { Groups } from '../config/groups.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import type { Topics } from '../config/topics.js'
import type { MembershipPort } from '../consuming/consumers.js'
import type { SendBack } from '../consuming/send-back.js'
import type { FilterCache } from '../filter/filter-cache.js'
import type { Numbers } from '../numbers/numbers.js'
import type { Pipeline } from '../sending/pipeline.js'
import type { ConfigPort, PutPort, ReadPort } from '../store-port.js'
import type { CheckPoint, ReviveRecord } from './check-point.js'

/** What pop consumption is built upon. */
export interface PopParts {
  readonly store: ReadPort & Pick<PutPort, 'put'> & Pick<MessageStore, 'flush'>
  readonly config: ConfigPort
  readonly topics: Pick<Topics, 'find' | 'get' | 'ensure' | 'onChange'>
  readonly groups: Pick<Groups, 'find' | 'get' | 'isForbidden' | 'forConsuming' | 'checkForConsuming'>
  readonly offsets: Pick<ConsumerOffsets, 'find' | 'commit' | 'onMove' | 'place'>
  readonly filters: FilterCache
  /** Check points and acks go this way, so that they wait until they are due where the broker can let them wait. */
  readonly pipeline: Pick<Pipeline, 'put'>
  readonly sendBack: Pick<SendBack, 'put' | 'tellRetry'>
  /** Where what is handed out is counted, and what becomes of it. */
  readonly numbers: Pick<Numbers, 'queue'>
  readonly inflate: InflateBody
  /** Where consumers are members of their groups. */
  readonly members: Pick<MembershipPort, 'join' | 'leave'>
  /** Whether a group has members in other processes. */
  readonly hasRemote: (group: string) => boolean
  readonly nextClientId: () => string
  readonly brokerName: string
  readonly clusterName: string
  readonly clock: Clock
  readonly timers: Timers
  /** A number from 0 to 1, by chance. */
  readonly random: () => number
  readonly onProblem: (error: unknown, during: string) => void
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
  /** Whether everything that was due is where it belongs; while not, acks may still be on their way. */
  readonly isCaughtUp: () => boolean
}

/** A message that was popped. */
export interface PoppedMessage {
  readonly stored: StoredMessage
  /** What it was handed out with. */
  readonly point: CheckPoint
  readonly reviveQueueId: number
  /** What settles it. */
  readonly handle: string
  /** 1 for the first time that the group gets it. */
  readonly attempt: number
}

/** Puts a record of the revive topic. */
export type PutReviveRecord = (record: ReviveRecord, reviveQueueId: number) => Promise<void>
