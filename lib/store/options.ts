/**
 * The options of a store: checked once, completed with defaults, frozen. The parts receive their own group.
 *
 * RocketMQ's sizes are the defaults, so that its brokers open our directories unconfigured. Sizes of an
 * existing directory are taken from its files; asking for others is an error.
 */
import { checkBoolean, checkCallback, checkChoice, wrongValue } from '../base/arguments.js'
import { shown } from '../base/errors.js'
import type { Clock, Timers } from '../base/system.js'
import type { Disk } from '../disk/disk.js'
import { parseHost } from '../format/host.js'
import { delayLevelsMs, parseDelayLevels } from '../format/tags.js'

/** Sizes of the hash index. */
export interface IndexOptions {
  /**
   * Whether messages are indexed by key. Off, index files are deleted; on again, they are made anew from the log.
   *
   * @default true
   */
  enabled?: boolean
  /** Hash slots of an index file. More slots, shorter chains: 4 bytes each. @default 5,000,000 */
  slots?: number
  /** Entries of an index file, one for each key: 20 bytes each. @default 20,000,000 */
  entries?: number
}

/** What happens as the disk fills; shares of the file system, 0 to 1. */
export interface DiskOptions {
  /** From here on expired segments are deleted at any hour. @default 0.75 */
  cleanAt?: number
  /** From here on segments are deleted before they expire. Off unless set: it deletes messages that are still wanted. */
  forceAt?: number
  /** From here on puts are refused, if less than 1 GiB is free. @default 0.9 */
  refuseAt?: number
}

/** Replication, seen from the primary. */
export interface ReplicationOptions {
  /** When a put is acknowledged: at once, when enough replicas have received it, or when they have flushed it. @default 'none' */
  ack?: 'none' | 'received' | 'flushed'
  /** How many replicas must acknowledge. @default 1 */
  replicas?: number
  /** Milliseconds until a put that still waits gets `FLUSH_SLAVE_TIMEOUT`. @default 3000 */
  timeoutMs?: number
  /** With too few replicas: accept with the status `SLAVE_NOT_AVAILABLE` instead of refusing. @default false */
  degrade?: boolean
}

/** Options of {@link MessageStore.open}. Only the directory is required. */
export interface StoreOptions {
  /** When a put is acknowledged: `sync` after the flush that it shares with others, `async` before it. @default 'async' */
  flush?: 'async' | 'sync'
  /** With `async`: longest time in which an acknowledged message can be lost to a power failure. @default 500 */
  flushIntervalMs?: number
  /** With `sync`: a put that still waits then gets the status `FLUSH_DISK_TIMEOUT`. @default 5000 */
  flushTimeoutMs?: number
  /** Puts wait while as much as this is not yet durable. Recovery relies on it. A batch may take half of it. @default 128 MiB */
  maxUnflushedBytes?: number
  /** Most bytes of puts that are not acknowledged; puts wait above it. @default 64 MiB */
  maxPendingBytes?: number
  /** Length of a CommitLog segment. @default 1 GiB */
  segmentBytes?: number
  /** Entries of a ConsumeQueue segment, 20 bytes each. @default 300,000 */
  queueSegmentEntries?: number
  /** The hash index. */
  index?: IndexOptions
  /** Largest body. @default 4 MiB */
  maxMessageBytes?: number
  /**
   * `record`: every record carries a CRC of the whole record, 20 bytes. `body`: only RocketMQ's CRC of the body.
   *
   * @default 'record'
   */
  checksum?: 'record' | 'body'
  /**
   * What the delay levels mean, from level 1 on, as in RocketMQ's `messageDelayLevel`.
   *
   * @default '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h'
   */
  delayLevels?: string
  /** Whether reads check what they return. Off, rot in a record that is read goes unnoticed. @default true */
  verifyReads?: boolean
  /** Hours that a segment is kept after its last write. @default 72 */
  retentionHours?: number
  /** Local hour in which expired segments are deleted, or a list of such hours. @default 4 */
  deleteHour?: number | readonly number[]
  /** What happens as the disk fills. */
  disk?: DiskOptions
  /** Memory for blocks of the log read from the disk, and as much again for pages of the index. @default 16 MiB */
  readCacheBytes?: number
  /** Memory for the newest bytes of the log. @default 4 MiB */
  tailBytes?: number
  /** Most files open at once. @default 512 */
  openFiles?: number
  /** A replica takes its log from a primary and refuses puts. @default 'primary' */
  role?: 'primary' | 'replica'
  /** Replication, seen from the primary. */
  replication?: ReplicationOptions
  /** Address that goes into records and message ids, `ip:port`. @default '127.0.0.1:10911' */
  storeHost?: string
  /** Name of the broker that the store belongs to. @default 'mqlite' */
  brokerName?: string
  /** Takes no lock, changes no byte, follows a live writer. @default false */
  readOnly?: boolean
  /** Called during a long recovery with bytes done and bytes in all. */
  onProgress?: (progress: { phase: 'recovery'; doneBytes: number; totalBytes: number }) => void
}

/** The outside world, replaceable in tests. */
export interface StorePorts {
  /** The file system. @default that of this machine */
  readonly disk: Disk
  /** Tells the time: store times, retention. @default the clock of this machine */
  readonly clock: Clock
  /** Runs things later: flushes, timeouts, upkeep. @default those of this process */
  readonly timers: Timers
}

/** Options with every default filled in. `undefined` sizes are taken from existing files. */
export interface ResolvedOptions {
  readonly flush: Readonly<{
    policy: 'async' | 'sync'
    intervalMs: number
    timeoutMs: number
    maxUnflushedBytes: number
    maxPendingBytes: number
  }>
  readonly log: Readonly<{
    segmentBytes: number | undefined
    tailBytes: number
    readCacheBytes: number
    recordCrc: boolean
    verifyReads: boolean
  }>
  readonly views: Readonly<{
    queueSegmentEntries: number | undefined
    indexEnabled: boolean
    indexSlots: number | undefined
    indexEntries: number | undefined
  }>
  readonly message: Readonly<{ maxBodyBytes: number; storeHost: string; brokerName: string; delayLevelsMs: readonly number[] }>
  readonly retention: Readonly<{
    hours: number
    deleteHours: readonly number[]
    cleanAt: number
    forceAt: number | undefined
    refuseAt: number
  }>
  readonly replication: Readonly<Required<ReplicationOptions>> & { readonly role: 'primary' | 'replica' }
  readonly openFiles: number
  readonly readOnly: boolean
  readonly onProgress: StoreOptions['onProgress']
}

/** Sizes that a new store gets. RocketMQ's own. */
export const defaultSizes = {
  segmentBytes: 1024 * 1024 * 1024,
  queueSegmentEntries: 300_000,
  indexSlots: 5_000_000,
  indexEntries: 20_000_000,
} as const

const MIB = 1024 * 1024

/**
 * Checks options and fills in defaults.
 *
 * @throws {TypeError} for a wrong type or an unknown option, {@link RangeError} for a value out of range
 */
export function resolveOptions(options: StoreOptions = {}): ResolvedOptions {
  const root = new Group(options, '', "{ flush: 'sync' }")
  const index = new Group(root.group('index'), 'index.', '{ enabled: false }')
  const disk = new Group(root.group('disk'), 'disk.', '{ forceAt: 0.85 }')
  const replication = new Group(root.group('replication'), 'replication.', "{ ack: 'received', replicas: 1 }")
  const resolved: ResolvedOptions = {
    flush: {
      policy: root.choice('flush', ['async', 'sync'], 'async'),
      intervalMs: root.integer('flushIntervalMs', 1, 3_600_000, 500),
      timeoutMs: root.integer('flushTimeoutMs', 1, 3_600_000, 5000),
      maxUnflushedBytes: root.integer('maxUnflushedBytes', 4096, 16 * 1024 * MIB, 128 * MIB),
      maxPendingBytes: root.integer('maxPendingBytes', 4096, 16 * 1024 * MIB, 64 * MIB),
    },
    log: {
      segmentBytes: root.optionalInteger('segmentBytes', 1024, 2 ** 31 - 1),
      tailBytes: root.integer('tailBytes', 0, 1024 * MIB, 4 * MIB),
      readCacheBytes: root.integer('readCacheBytes', 0, 16 * 1024 * MIB, 16 * MIB),
      recordCrc: root.choice('checksum', ['record', 'body'], 'record') === 'record',
      verifyReads: root.boolean('verifyReads', true),
    },
    views: {
      queueSegmentEntries: root.optionalInteger('queueSegmentEntries', 1, 100_000_000),
      indexEnabled: index.boolean('enabled', true),
      indexSlots: index.optionalInteger('slots', 1, 500_000_000),
      indexEntries: index.optionalInteger('entries', 2, 100_000_000),
    },
    message: {
      maxBodyBytes: root.integer('maxMessageBytes', 1, 1024 * MIB, 4 * MIB),
      storeHost: root.host('storeHost', '127.0.0.1:10911'),
      brokerName: root.string('brokerName', 'mqlite'),
      delayLevelsMs: root.delayLevels('delayLevels'),
    },
    retention: {
      hours: root.number('retentionHours', 0, 24 * 36_500, 72),
      deleteHours: root.integers('deleteHour', 0, 23, 4),
      cleanAt: disk.number('cleanAt', 0, 1, 0.75),
      forceAt: disk.optionalNumber('forceAt', 0, 1),
      refuseAt: disk.number('refuseAt', 0, 1, 0.9),
    },
    replication: {
      role: root.choice('role', ['primary', 'replica'], 'primary'),
      ack: replication.choice('ack', ['none', 'received', 'flushed'], 'none'),
      replicas: replication.integer('replicas', 1, 64, 1),
      timeoutMs: replication.integer('timeoutMs', 1, 3_600_000, 3000),
      degrade: replication.boolean('degrade', false),
    },
    openFiles: root.integer('openFiles', 16, 1_000_000, 512),
    readOnly: root.boolean('readOnly', false),
    onProgress: root.callback('onProgress') as StoreOptions['onProgress'],
  }
  for (const group of [root, index, disk, replication]) group.refuseUnknown()
  for (const group of Object.values(resolved)) if (typeof group === 'object' && group !== null) Object.freeze(group)
  return Object.freeze(resolved)
}

/** Reads the values of one group and remembers which names it knows. */
class Group {
  readonly #values: Record<string, unknown>
  readonly #prefix: string
  readonly #known = new Set<string>()

  /** @param example - a group of this name as it could be given, for who gives something else */
  constructor(values: unknown, prefix: string, example: string) {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      const what = prefix === '' ? 'options' : `option ${prefix.slice(0, -1)}`
      throw new TypeError(`${what} must be an object such as ${example}, got ${shown(values)}`)
    }
    this.#values = values as Record<string, unknown>
    this.#prefix = prefix
  }

  #take(name: string, preset?: unknown): unknown {
    this.#known.add(name)
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
    return value === undefined ? preset : value
  }

  #wrong(name: string, expected: string, value: unknown, sort: 'string' | 'number' = 'number'): never {
    throw wrongValue(sort, `option ${this.#prefix}${name}`, expected, value)
  }

  group(name: string): unknown {
    return this.#take(name, {})
  }

  #within(name: string, kind: string, least: number, most: number): number | undefined {
    const value = this.#take(name)
    if (value === undefined) return undefined
    const expected = `${kind} from ${least} to ${most}`
    if (typeof value === 'number' && value >= least && value <= most) return value
    return this.#wrong(name, expected, value)
  }

  optionalNumber(name: string, least: number, most: number): number | undefined {
    return this.#within(name, 'a number', least, most)
  }

  number(name: string, least: number, most: number, preset: number): number {
    return this.optionalNumber(name, least, most) ?? preset
  }

  optionalInteger(name: string, least: number, most: number): number | undefined {
    const value = this.#within(name, 'a whole number', least, most)
    if (value !== undefined && !Number.isInteger(value)) {
      this.#wrong(name, `a whole number from ${least} to ${most}`, value)
    }
    return value
  }

  integer(name: string, least: number, most: number, preset: number): number {
    return this.optionalInteger(name, least, most) ?? preset
  }

  /** One of them, or a list of some. */
  integers(name: string, least: number, most: number, preset: number): readonly number[] {
    const value = this.#take(name)
    if (!Array.isArray(value) || value.length === 0) return [this.integer(name, least, most, preset)]
    const isWithin = (one: unknown): boolean => Number.isInteger(one) && (one as number) >= least && (one as number) <= most
    if (value.every(isWithin)) return Object.freeze([...(value as number[])])
    const wrong: unknown = value.find((one) => !isWithin(one))
    return this.#wrong(name, `a whole number from ${least} to ${most}, or a list of such`, wrong)
  }

  boolean(name: string, preset: boolean): boolean {
    const value = this.#take(name, preset)
    checkBoolean(`option ${this.#prefix}${name}`, value)
    return value
  }

  string(name: string, preset: string): string {
    const value = this.#take(name, preset)
    return typeof value === 'string' && value !== '' ? value : this.#wrong(name, 'a string that is not empty', value, 'string')
  }

  host(name: string, preset: string): string {
    const value = this.string(name, preset)
    try {
      parseHost(value)
    } catch {
      this.#wrong(name, 'ip:port or [ipv6]:port', value, 'string')
    }
    return value
  }

  delayLevels(name: string): readonly number[] {
    const value = this.#take(name)
    if (value === undefined) return delayLevelsMs
    try {
      return parseDelayLevels(value as string)
    } catch {
      return this.#wrong(name, 'levels such as 1s 5s 10m 2h', value, 'string')
    }
  }

  choice<T extends string>(name: string, choices: readonly T[], preset: T): T {
    const value = this.#take(name, preset)
    checkChoice(`option ${this.#prefix}${name}`, value, choices)
    return value as T
  }

  callback(name: string): unknown {
    const value = this.#take(name)
    checkCallback(`option ${this.#prefix}${name}`, value)
    return value
  }

  refuseUnknown(): void {
    const unknown = Object.keys(this.#values).find((name) => !this.#known.has(name))
    if (unknown === undefined) return
    throw new TypeError(`unknown option ${this.#prefix}${unknown}; the options are ${[...this.#known].sort().join(', ')}`)
  }
}
