/** How much of everything a peer may ask for. Each limit holds for one connection, unless it says otherwise. */
import { checkRequest, checkWhole, type FieldNames } from '../base/arguments.js'

/** Bounds of frames and their headers. */
export interface FrameLimits {
  /** Longest frame with its length field, bytes. At most 16 MiB, RocketMQ's own limit. @default 16 MiB */
  readonly maxFrameBytes: number
  /** Longest header, bytes. @default 192 KiB */
  readonly maxHeaderBytes: number
  /** Most ext fields. @default 256 */
  readonly maxExtFields: number
  /** Longest name of an ext field, bytes. @default 64 */
  readonly maxExtNameBytes: number
  /**
   * Longest value of an ext field, bytes. Properties may have 32,767; those that have more shall be told so, and not
   * lose their connection, when they have as many characters of any script. @default 128 KiB
   */
  readonly maxExtValueBytes: number
}

/** Bounds of one connection. */
export interface ConnectionLimits extends FrameLimits {
  /** Requests of the peer that are being worked on; above it nothing more is read. @default 256 */
  readonly maxRequests: number
  /** Their bytes; above it nothing more is read. One request may always be. @default 4 MiB */
  readonly maxRequestBytes: number
  /** Requests to the peer that wait for an answer; above it further ones are refused. @default 4,096 */
  readonly maxInvocations: number
  /** Answers that the peer has not taken, bytes; above it nothing more is read. @default 4 MiB */
  readonly maxUnreadBytes: number
  /** Answers not taken, bytes, with which a peer is cut off when it stays above for `stalledMs`. @default 16 MiB */
  readonly maxStalledBytes: number
  /** See `maxStalledBytes`. @default 10 s */
  readonly stalledMs: number
  /** Time without a byte in either direction after which a connection is closed. @default 120 s */
  readonly idleMs: number
  /** Time for which a frame that is not whole is waited for before its rate is looked at, again and again. @default 10 s */
  readonly slowFrameMs: number
  /** Bytes a second that must have come of it in that time. @default 1,024 */
  readonly minBytesPerSecond: number
  /** How often these times are looked at: a peer may be late by so much. @default 5 s */
  readonly watchMs: number
}

/** Bounds of a server. */
export interface ServerLimits extends ConnectionLimits {
  /** Connections of all peers. Further ones take the place of strangers, or are closed. @default 1,024 */
  readonly maxConnections: number
  /**
   * Strangers, where senders are asked who they are: connections over which nobody has spoken yet who is known. Further
   * ones take the place of the oldest. @default 64
   */
  readonly maxStrangers: number
  /** Connections from one address. This machine's own programs share one, so it is not limited. @default 128 */
  readonly maxConnectionsPerAddress: number
  /**
   * Time in which a connection must bring its first whole frame, of somebody who is known where that is asked; it has
   * longer while a frame is on its way, and where nobody is asked while half of the places are free. @default 5 s
   */
  readonly silentMs: number
  /**
   * Bytes held for all peers together: frames that are not whole, requests in work, answers not taken. Above it the
   * worst is cut off; above half of it in requests alone, each with 2 KiB for what is made of it, who has one in work is
   * read no further. @default 256 MiB
   */
  readonly maxTotalBytes: number
}

const KIB = 1024
const MIB = 1024 * KIB

/** RocketMQ's limit for a frame; its decoder refuses longer ones. */
export const MAX_FRAME_BYTES = 16 * MIB

/** What holds when nothing else is said. */
export const standardLimits: ServerLimits = {
  maxFrameBytes: MAX_FRAME_BYTES,
  maxHeaderBytes: 192 * KIB,
  maxExtFields: 256,
  maxExtNameBytes: 64,
  maxExtValueBytes: 128 * KIB,
  maxRequests: 256,
  maxRequestBytes: 4 * MIB,
  maxInvocations: 4096,
  maxUnreadBytes: 4 * MIB,
  maxStalledBytes: 16 * MIB,
  stalledMs: 10_000,
  idleMs: 120_000,
  slowFrameMs: 10_000,
  minBytesPerSecond: 1024,
  watchMs: 5000,
  maxConnections: 1024,
  maxStrangers: 64,
  maxConnectionsPerAddress: 128,
  silentMs: 5000,
  maxTotalBytes: 256 * MIB,
}

const limitNames: FieldNames = new Set(Object.keys(standardLimits))

/**
 * The limits with some of them replaced.
 *
 * @throws {TypeError} {@link RangeError} for a limit that there is not, or that is no positive whole number, and for frames
 *   beyond 16 MiB
 */
export function resolveLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  checkRequest(given, limitNames, 'limits')
  for (const [name, value] of Object.entries(given)) {
    checkWhole(`limits.${name}`, value, 1)
  }
  const limits = { ...standardLimits, ...given }
  if (limits.maxFrameBytes > MAX_FRAME_BYTES) {
    throw new RangeError(`maxFrameBytes must be at most ${MAX_FRAME_BYTES}, got ${limits.maxFrameBytes}`)
  }
  return Object.freeze(limits)
}
