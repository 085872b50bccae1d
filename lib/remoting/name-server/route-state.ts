/**
 * What a name server knows: which brokers there are, which topics they have, and when each was last heard of.
 *
 * A broker is a name; behind the name stand servers, each with a number (0 the primary) and an address. The queues
 * of a topic belong to the name, whichever server said so.
 */
import type { ConfigValue } from '../../format/config-json.js'

/** Which edition of its topics a broker has. Equal editions have equal topics. */
export interface DataVersion {
  readonly stateVersion: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly counter: number
}

/** The queues of a topic at one broker. */
export interface QueueData {
  readonly readQueueNums: number
  readonly writeQueueNums: number
  /** Bits: 4 read, 2 write, 1 inherited by topics that are made on first use. */
  readonly perm: number
  /** Bits: 1 unit, 2 unit subscription. */
  readonly topicSysFlag: number
}

/** Bit of {@link QueueData.perm}: messages may be sent. */
export const PERM_WRITE = 2
/** Bit of {@link QueueData.perm}: messages may be read. */
export const PERM_READ = 4

/** The servers behind a broker's name. */
export interface BrokerEntry {
  readonly cluster: string
  readonly brokerName: string
  /** Addresses by server number. */
  readonly addresses: Map<number, string>
  zoneName: string | undefined
  enableActingMaster: boolean
}

/** A server that is heard of. */
export interface LiveServer {
  readonly cluster: string
  readonly address: string
  readonly haAddress: string
  readonly dataVersion: DataVersion
  /** Without a word for so long, it is gone. */
  readonly timeoutMs: number
  /** When it was last heard of, monotonic. */
  lastHeard: number
  /** The connection it registered over; closed, the server is gone. `undefined` for one in this process. */
  readonly connection: object | undefined
}

/** All of it. */
export class RouteState {
  /** Brokers by name. */
  readonly brokers = new Map<string, BrokerEntry>()
  /** Names of brokers by cluster. */
  readonly clusters = new Map<string, Set<string>>()
  /** Queues by topic, then by broker. */
  readonly topics = new Map<string, Map<string, QueueData>>()
  /** Static queue mappings by topic, then by broker, as the brokers wrote them. */
  readonly mappings = new Map<string, Map<string, ConfigValue>>()
  /** Servers by {@link liveKey}. */
  readonly live = new Map<string, LiveServer>()
}

/** Under which key a server is known. */
export function liveKey(cluster: string, address: string): string {
  return `${cluster}\n${address}`
}

/** Whether two editions are the same. */
export function sameVersion(a: DataVersion, b: DataVersion): boolean {
  return a.counter === b.counter && a.timestamp === b.timestamp && a.stateVersion === b.stateVersion
}
