/** mqlite: Apache RocketMQ's message store, embedded. */
export { type ErrorCode, errorCodes, InvariantError, MessageStoreError, type Reaction } from './base/errors.js'
export type { Clock, Timer, Timers } from './base/system.js'
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
export type { GetRequest, GetStatus, Message, PutReceipt, PutStatus, QueryRequest, QueueBounds } from './store/message.js'
export { MessageStore } from './store/message-store.js'
export type { DiskOptions, IndexOptions, ReplicationOptions, StoreOptions, StorePorts } from './store/options.js'
export type { GetResult } from './store/reading/reader.js'
export type { RecoveryReport } from './store/recovery/recover.js'
export type { Replication } from './store/replication.js'
export type { StoreEvents, StoreStatus } from './store/state.js'
export type { StoredMessage } from './store/stored-message.js'
