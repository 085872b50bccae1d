/**
 * Every fixed-width layout of a store directory, declared once.
 *
 * All integers are big-endian two's complement. The hot codecs take their offsets from here, the tables in
 * `docs/format.md` are printed from here, and an import fails when the fields do not add up.
 */
import { struct } from './struct.js'

/** A record, up to the hosts. Every record starts with it. (`MessageExtEncoder`.) */
export const RecordHead = struct('RecordHead', 48, {
  totalSize: [0, 'i32', 'length of the record, this field included'],
  magic: [4, 'i32', 'version of the layout: 0xDAA320A7 (1) or 0xDAA320AB (2)'],
  bodyCrc: [8, 'i32', 'CRC-32 of the stored body, lower 31 bits; 0 for an empty body'],
  queueId: [12, 'i32', 'queue of the topic'],
  flag: [16, 'i32', "the sender's, kept as it is"],
  queueOffset: [20, 'i64', 'ordinal in the queue; 0 for prepared and rolled-back transactions'],
  commitLogOffset: [28, 'i64', 'address of the first byte of this record in the log'],
  sysFlag: [36, 'i32', 'bits: compression, transaction, IPv6 hosts, inner batch'],
  bornTimestamp: [40, 'i64', 'when the sender made the message, milliseconds since 1970'],
})

/** What follows `bornHost`. */
export const RecordStored = struct('RecordStored', 8, {
  storeTimestamp: [0, 'i64', 'when the store took the message, milliseconds since 1970'],
})

/** What follows `storeHost`; the body comes next. */
export const RecordBodyHead = struct('RecordBodyHead', 16, {
  reconsumeTimes: [0, 'i32', 'how often the message was delivered again'],
  preparedTransactionOffset: [4, 'i64', 'address of the prepared message, for a commit or rollback'],
  bodyLength: [12, 'i32', 'bytes of the body'],
})

/** A host with an IPv4 address. */
export const HostV4 = struct('HostV4', 8, {
  address: [0, '4 bytes', 'IPv4 address'],
  port: [4, 'i32', ''],
})

/** A host with an IPv6 address. */
export const HostV6 = struct('HostV6', 20, {
  address: [0, '16 bytes', 'IPv6 address'],
  port: [16, 'i32', ''],
})

/** Fills a segment behind its last record. */
export const BlankHead = struct('BlankHead', 8, {
  length: [0, 'i32', 'bytes up to the end of the segment, this field included'],
  magic: [4, 'i32', '0xCBD43194'],
})

/** An entry of a ConsumeQueue. (`ConsumeQueue`.) */
export const QueueEntry = struct('QueueEntry', 20, {
  commitLogOffset: [0, 'i64', 'address of the record'],
  size: [8, 'i32', 'bytes of the record; 2^31 - 1 marks a filler'],
  tagsCode: [12, 'i64', 'Java hash of the tags; for a delayed message the time when it is due'],
})

/** An entry of a BatchConsumeQueue. (`BatchConsumeQueue`, since 5.0.) */
export const BatchQueueEntry = struct('BatchQueueEntry', 46, {
  commitLogOffset: [0, 'i64', 'address of the record'],
  size: [8, 'i32', 'bytes of the record'],
  tagsCode: [12, 'i64', 'as in a ConsumeQueue'],
  storeTimestamp: [20, 'i64', 'when the store took the batch, milliseconds since 1970'],
  baseOffset: [28, 'i64', 'queue offset of the first message of the batch'],
  batchSize: [36, 'i16', 'messages in the batch'],
  compactedOffset: [38, 'i32', 'of a compacted topic; -1 otherwise'],
  reserved: [42, 'i32', '0'],
})

/** The head of an IndexFile. (`IndexHeader`.) */
export const IndexHead = struct('IndexHead', 40, {
  beginTimestamp: [0, 'i64', "store timestamp of the first entry's record"],
  endTimestamp: [8, 'i64', "store timestamp of the last entry's record"],
  beginCommitLogOffset: [16, 'i64', "address of the first entry's record"],
  endCommitLogOffset: [24, 'i64', "address of the last entry's record"],
  hashSlotCount: [32, 'i32', 'slots in use'],
  indexCount: [36, 'i32', 'number of the next entry; starts at 1, so entry 0 is never used'],
})

/** A slot of an IndexFile. */
export const IndexSlot = struct('IndexSlot', 4, {
  newest: [0, 'i32', "number of the slot's newest entry, 0 for none"],
})

/** An entry of an IndexFile. (`IndexFile`.) */
export const IndexEntry = struct('IndexEntry', 20, {
  keyHash: [0, 'i32', 'Java hash of `topic#key` without its sign'],
  commitLogOffset: [4, 'i64', 'address of the record'],
  seconds: [12, 'i32', "store timestamp, whole seconds since the file's beginTimestamp"],
  previous: [16, 'i32', "number of the slot's entry before this one, 0 for none"],
})

/** `checkpoint`. (`StoreCheckpoint`; the last two fields since 5.0.) */
export const Checkpoint = struct('Checkpoint', 4096, {
  physicMsgTimestamp: [0, 'i64', 'records stored by then are durable, milliseconds since 1970'],
  logicsMsgTimestamp: [8, 'i64', 'records stored by then have durable queue entries'],
  indexMsgTimestamp: [16, 'i64', 'records stored by then are in a durable IndexFile'],
  masterFlushedOffset: [24, 'i64', "RocketMQ's; kept as it is"],
  confirmPhyOffset: [32, 'i64', "RocketMQ's; kept as it is"],
  unused: [40, '4056 zeros', ''],
})

/** `ext/durable` and `ext/clean`: the marks, in lib/log/marks.ts. */
export const MarkLayout = struct('Mark', 128, {
  magic: [0, 'u32', '0x4D514C44 (`MQLD`) in `ext/durable`, 0x4D514C43 (`MQLC`) in `ext/clean`'],
  version: [4, 'u32', '1'],
  logEnd: [8, 'i64', '`durable`: everything below survives power loss; `clean`: where the log ends'],
  viewsEnd: [16, 'i64', 'every record below has its queue and index entries in flushed files'],
  lockMs: [24, 'i64', 'when the file `lock` was last written, milliseconds since 1970'],
  physicMs: [32, 'i64', 'physicMsgTimestamp of the checkpoint'],
  logicsMs: [40, 'i64', 'logicsMsgTimestamp of the checkpoint'],
  indexMs: [48, 'i64', 'indexMsgTimestamp of the checkpoint'],
  nextPhysicMs: [56, 'i64', 'the same of the checkpoint that is being written'],
  nextLogicsMs: [64, 'i64', ''],
  nextIndexMs: [72, 'i64', ''],
  unflushedBound: [80, 'i64', 'no record begins this far behind what is durable; 0: not known'],
  unused: [88, '36 zeros', ''],
  crc: [124, 'u32', 'CRC-32 of bytes 0 to 123'],
})

/** What stands before each body in a client's batch. (`MessageDecoder.encodeMessage`.) */
export const ClientBatchHead = struct('ClientBatchHead', 20, {
  totalSize: [0, 'i32', 'length of the message in the batch, this field included'],
  magic: [4, 'i32', 'written as 0, not read'],
  crc: [8, 'i32', 'written as 0, not read'],
  flag: [12, 'i32', "the sender's, kept as it is"],
  bodyLength: [16, 'i32', 'bytes of the body'],
})
