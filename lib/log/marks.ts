/**
 * What mqlite knows of its own log, beside RocketMQ's files, under `ext/`.
 *
 * `ext/durable` holds the durable watermark. It is written in place after every flush of the log and as a
 * rule not flushed itself, so after a power loss it may be old: then it says less than is true, which is
 * safe. `ext/clean` is the mark of a clean close: it is written last, and removed before anything else when
 * a store is opened for writing. Both have the form of `MarkLayout` in `lib/format/tables.ts`.
 *
 * The timestamps repeat those of RocketMQ's `checkpoint`; `lock` is when the file of that name was last
 * written, which a Java store does when it starts. When they differ, a Java store has run since, and the
 * marks count for nothing. The checkpoint is replaced while a flushed mark holds both its old and its new
 * timestamps, so no crash makes a mark of ours look foreign.
 */
import type { Disk, DiskFile } from '../disk/disk.js'
import { openIfThere } from '../disk/replace.js'
import { type Block, blockOf, zeroBlock } from '../format/block.js'
import { crc32 } from '../format/crc.js'
import { MarkLayout } from '../format/tables.js'

/** Bytes of a mark. */
export const MARK_BYTES = MarkLayout.bytes
const { magic: MAGIC_AT, version: VERSION_AT, logEnd: NUMBERS_AT, crc: CRC_AT } = MarkLayout.at
/** Numbers of 64 bits in a mark. */
const NUMBERS = 10
const VERSION = 1
/** Persistent: never renumber. */
const MAGIC = { durable: 0x4d514c44, clean: 0x4d514c43 } as const

/** Which mark. */
export type MarkKind = keyof typeof MAGIC

/** The timestamps that RocketMQ keeps in `checkpoint`, milliseconds since 1970. */
export interface CheckpointTimes {
  /** Records stored by then are durable. */
  readonly physicMs: number
  /** Records stored by then have durable queue entries. */
  readonly logicsMs: number
  /** Records stored by then are in a durable index file. */
  readonly indexMs: number
}

/** The content of a mark. */
export interface Mark {
  /** `durable`: everything below survives power loss. `clean`: where the log ends. */
  readonly logEnd: number
  /** Every record below has its queue and index entries in flushed files. */
  readonly viewsEnd: number
  /** When `lock` was last written, milliseconds. */
  readonly lockMs: number
  /** No record begins this far behind what is durable; 0 when that is not known. */
  readonly unflushedBound: number
  readonly checkpoint: CheckpointTimes
  /** The checkpoint that is being written, or the same. */
  readonly nextCheckpoint: CheckpointTimes
}

function numbersOf({ logEnd, viewsEnd, lockMs, unflushedBound, checkpoint, nextCheckpoint }: Mark): number[] {
  const times = ({ physicMs, logicsMs, indexMs }: CheckpointTimes): number[] => [physicMs, logicsMs, indexMs]
  return [logEnd, viewsEnd, lockMs, ...times(checkpoint), ...times(nextCheckpoint), unflushedBound]
}

/** Writes a mark into {@link MARK_BYTES} bytes. */
export function encodeMark(kind: MarkKind, mark: Mark, block: Block = zeroBlock(MARK_BYTES)): Block {
  const { view } = block
  view.setUint32(MAGIC_AT, MAGIC[kind])
  view.setUint32(VERSION_AT, VERSION)
  numbersOf(mark).forEach((value, i) => {
    view.setBigInt64(NUMBERS_AT + 8 * i, BigInt(value))
  })
  view.setUint32(CRC_AT, crc32(block, 0, CRC_AT))
  return block
}

/** Reads a mark, or `undefined` when the bytes are not a whole one of that kind. */
export function decodeMark(kind: MarkKind, bytes: Uint8Array): Mark | undefined {
  if (bytes.length < MARK_BYTES) return undefined
  const block = blockOf(bytes)
  const { view } = block
  const isWhole =
    view.getUint32(MAGIC_AT) === MAGIC[kind] &&
    view.getUint32(VERSION_AT) === VERSION &&
    view.getUint32(CRC_AT) === crc32(block, 0, CRC_AT)
  if (!isWhole) return undefined
  const numbers = Array.from({ length: NUMBERS }, (_, i) => Number(view.getBigInt64(NUMBERS_AT + 8 * i)))
  if (!numbers.every(Number.isSafeInteger)) return undefined
  const at = (i: number): number => numbers[i]!
  const times = (i: number): CheckpointTimes => ({ physicMs: at(i), logicsMs: at(i + 1), indexMs: at(i + 2) })
  const ends = { logEnd: at(0), viewsEnd: at(1), unflushedBound: at(9) }
  return { ...ends, lockMs: at(2), checkpoint: times(3), nextCheckpoint: times(6) }
}

/** Reads a mark from a file; `undefined` when it is absent or damaged. */
export function readMark(disk: Disk, path: string, kind: MarkKind): Mark | undefined {
  const file = openIfThere(disk, path)
  if (file === undefined) return undefined
  try {
    const bytes = Buffer.alloc(MARK_BYTES)
    return file.readAt(bytes, 0) === MARK_BYTES ? decodeMark(kind, bytes) : undefined
  } finally {
    file.close()
  }
}

/** The file of the durable watermark, kept open: it is written after every flush. */
export class DurableMark {
  readonly #file: DiskFile
  readonly #block = zeroBlock(MARK_BYTES)

  constructor(disk: Disk, path: string) {
    this.#file = disk.open(path, { write: true, create: true })
  }

  /** Writes the mark in place; it reaches the disk when the system sees fit. */
  write(mark: Mark): void {
    this.#file.writeAt(encodeMark('durable', mark, this.#block).bytes, 0)
  }

  /** Makes the mark durable. */
  flush(): Promise<void> {
    return this.#file.flush()
  }

  /** Closes the file. */
  close(): void {
    this.#file.close()
  }
}
