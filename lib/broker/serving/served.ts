/**
 * What a broker offers to clients in other processes: the same parts that its own door uses, and the rules that only
 * such clients meet. A facade turns each request into one call of these; it has no rules of its own.
 */
import type { MessageStore } from '../../store/message-store.js'
import type { Groups } from '../config/groups.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import type { RequestModes } from '../config/request-modes.js'
import type { Topics } from '../config/topics.js'
import type { SendBack } from '../consuming/send-back.js'
import type { FilterCache } from '../filter/filter-cache.js'
import type { QueueLocks } from '../group/queue-locks.js'
import type { ClientRegistry } from '../group/registry.js'
import type { BrokerMetrics } from '../numbers/metrics.js'
import type { Numbers } from '../numbers/numbers.js'
import type { BrokerSurroundings } from '../parts.js'
import type { Pop } from '../pop/pop.js'
import type { Backlog } from '../sending/backlog.js'
import type { Pipeline } from '../sending/pipeline.js'
import type { ProducingMember } from '../transaction/transaction-producer.js'
import type { Transactions } from '../transaction/transactions.js'

/** See the head of this file. */
export interface ServedParts {
  readonly base: BrokerSurroundings
  readonly store: MessageStore
  readonly topics: Topics
  readonly groups: Groups
  readonly offsets: ConsumerOffsets
  readonly registry: ClientRegistry<ProducingMember>
  readonly locks: QueueLocks
  /** Whether groups that leave the sharing of queues to the broker pull or pop. */
  readonly requestModes: RequestModes
  readonly pipeline: Pipeline
  readonly pop: Pop
  readonly sendBack: SendBack
  readonly filters: FilterCache
  /** Where what is sent and delivered is counted. */
  readonly numbers: Numbers
  readonly transactions: Transactions
  readonly metrics: BrokerMetrics
  /** The bound of unread messages, if there is one. */
  readonly backlog: Backlog | undefined
}
