/** mqlite: Apache RocketMQ's message store, embedded. */
export { type ErrorCode, errorCodes, InvariantError, MessageStoreError, type Reaction } from './base/errors.js'
export type { Clock, Timer, Timers } from './base/system.js'
export type { RedriveRequest, RedriveResult } from './broker/administration/redrive.js'
export type { ResetOffset, ResetRequest } from './broker/administration/reset-offsets.js'
export { Broker } from './broker/broker.js'
export type { BacklogOptions, BrokerOptions, IdempotenceOptions, TransactionOptions } from './broker/broker-options.js'
export type { GroupConfig, GroupSettings } from './broker/config/group-config.js'
export type { Groups } from './broker/config/groups.js'
export type { ClampedOffset } from './broker/config/offsets.js'
export type { QuotaOptions } from './broker/config/quotas.js'
export type { TopicConfig, TopicSettings } from './broker/config/topic-config.js'
export type { Topics } from './broker/config/topics.js'
export type { Consumer, ConsumerEvents, RunOptions, SeekTarget } from './broker/consuming/consumer.js'
export type { ConsumerOptions } from './broker/consuming/consumer-options.js'
export type { Delivery, RetryOptions } from './broker/consuming/delivery.js'
export type { ReceivedMessage } from './broker/consuming/received-message.js'
export type { StartAt } from './broker/consuming/start-offset.js'
export { BrokerError, type BrokerErrorCode, brokerErrorCodes } from './broker/errors.js'
export type { FilterExpression } from './broker/filter/message-filter.js'
export { consistentHash } from './broker/group/consistent-hash.js'
export { machineRoom, machineRoomNearby, type RoomResolver } from './broker/group/machine-rooms.js'
export type { MessageQueue } from './broker/group/message-queue.js'
export { type AllocationStrategy, average, averageByCircle, byConfig } from './broker/group/strategies.js'
export type { OnceOptions } from './broker/idempotence/once-options.js'
export type { ChannelPayloads } from './broker/numbers/channels.js'
export type { BrokerMetrics } from './broker/numbers/metrics.js'
export {
  PROMETHEUS_CONTENT_TYPE,
  type PrometheusOptions,
  prometheusText,
  registerPrometheus,
} from './broker/numbers/prometheus.js'
export type { PrometheusModule } from './broker/numbers/prometheus-module.js'
export type {
  BacklogNumbers,
  BrokerNumbers,
  ConsumedNumbers,
  GroupNumbers,
  GroupQueueNumbers,
  GroupTopicNumbers,
  MemberNumbers,
  TopicNumbers,
  TopicQueueNumbers,
} from './broker/numbers/snapshot.js'
export type { BrokerEvents, BrokerPorts } from './broker/parts.js'
export type { PopConsumer, PopOptions } from './broker/pop/pop-consumer.js'
export type { PopDelivery, PopRetryOptions } from './broker/pop/pop-delivery.js'
export type { PopConsumerOptions } from './broker/pop/pop-options.js'
export type { SendReceipt, SendRequest } from './broker/sending/send-request.js'
export type {
  LocalTransaction,
  TransactionDecider,
  TransactionProducer,
  TransactionProducerOptions,
  TransactionReceipt,
  UndecidedMessage,
} from './broker/transaction/transaction-producer.js'
export type { TransactionDecision } from './broker/transaction/transactions.js'
export type {
  DirectoryEntry,
  Disk,
  DiskFile,
  DiskLock,
  DiskSpace,
  EntryKind,
  OpenMode,
  PathStat,
} from './disk/disk.js'
export type { FeedRequest, LogChunk } from './replication/log-feed.js'
export type { RangeDigest } from './replication/range-digest.js'
export type { ReplicaLink, ReplicaProgress } from './replication/replica-acks.js'
export { type RepairedRange, type RepairOptions, type RepairReport, repairStore } from './store/checking/repair.js'
export type { VerifyOptions, VerifyProgress } from './store/checking/verify.js'
export {
  type FindingKind,
  findingKinds,
  type Remedy,
  type Severity,
  type VerifyFinding,
  type VerifyReport,
} from './store/checking/verify-report.js'
export type {
  GetRequest,
  GetStatus,
  Message,
  PutReceipt,
  PutStatus,
  QueryRequest,
  QueueBounds,
  QueueName,
} from './store/message.js'
export { MessageStore } from './store/message-store.js'
export type { DiskOptions, IndexOptions, ReplicationOptions, StoreOptions, StorePorts } from './store/options.js'
export type { GetResult } from './store/reading/reader.js'
export type { RecoveryReport } from './store/recovery/recover.js'
export type { Replication } from './store/replication.js'
export type { StoreEvents, StoreStatus } from './store/state.js'
export type { StoredMessage } from './store/stored-message.js'
