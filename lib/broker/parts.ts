/** What the parts of a broker share. */
import type { Emitter } from '../base/signals.js'
import type { MessageStore } from '../store/message-store.js'
import type { StorePorts } from '../store/options.js'
import type { ResolvedBrokerOptions } from './broker-options.js'
import type { Decoders } from './compression/optional-decoders.js'

/** The outside world, replaceable in tests. */
export interface BrokerPorts extends StorePorts {
  /** A number from 0 to 1, by chance. */
  readonly random: () => number
  /** Loads what reads LZ4 and ZSTD, which consumers of this process need. @default the optional packages that are installed */
  readonly loadDecoders?: () => Promise<Decoders>
}

/** The events of a broker. */
export interface BrokerEvents {
  /**
   * A group could not handle a message: it will be tried again, or is a dead letter. `topic` and `messageId` are those of the
   * record that the group had, from its second attempt on a copy in its retry topic; `originTopic` and `uniqueKey` those that
   * the message was sent with.
   */
  sentBack: {
    group: string
    topic: string
    messageId: string
    originTopic: string
    uniqueKey: string | undefined
    isDead: boolean
  }
  /** Something that the broker goes on after: a file that cannot be written, a message that cannot be read. */
  problem: { error: unknown; during: string }
  /** The broker is closed. */
  closed: undefined
}

/** The names of the events. */
export const brokerEvents: Readonly<Record<keyof BrokerEvents, true>> = { sentBack: true, problem: true, closed: true }

/** What every part of a broker is built upon. */
export interface BrokerSurroundings {
  readonly store: MessageStore
  readonly options: ResolvedBrokerOptions
  readonly ports: BrokerPorts
  readonly events: Emitter<BrokerEvents>
  /** Tells of something that the broker goes on after. */
  readonly onProblem: (error: unknown, during: string) => void
  isClosing: boolean
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}
