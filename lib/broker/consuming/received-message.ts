/** A message as a consumer sees it: whatever way it took, it has its own topic and its own body. */
import type { StoredMessage } from '../../store/stored-message.js'
import type { InflateBody } from '../compression/inflate.js'
import { isCompressed } from '../compression/sys-flag.js'
import { SystemProperty } from '../system-property.js'

/** What a consumer sees of a message. A {@link StoredMessage} is one. */
export type ReceivedMessage = Pick<
  StoredMessage,
  | 'topic'
  | 'queueId'
  | 'queueOffset'
  | 'commitLogOffset'
  | 'size'
  | 'body'
  | 'tags'
  | 'keys'
  | 'uniqueKey'
  | 'properties'
  | 'bornTimestamp'
  | 'storeTimestamp'
  | 'bornHost'
  | 'storeHost'
  | 'reconsumeTimes'
  | 'sysFlag'
  | 'flag'
  | 'bodyCrc'
  | 'messageId'
>

/** What a consumer sees otherwise than it is stored. */
export interface Restored {
  /** Topic that the message was first sent to. */
  readonly topic: string
  /** All properties. */
  readonly properties: Readonly<Record<string, string>>
}

/** The message that stands in a queue, as the consumer of a group sees it. */
export function receivedMessage(stored: StoredMessage, inflate: InflateBody, restored?: Restored): ReceivedMessage {
  const isRetried = stored.topic.startsWith('%RETRY%')
  const isSmaller = isCompressed(stored.sysFlag)
  if (!isRetried && !isSmaller && restored === undefined) return stored
  return new RestoredMessage(stored, isSmaller ? inflate : undefined, restored)
}

/** A message under its first topic, inflated when it is asked for. Everything else is the record's. */
class RestoredMessage implements ReceivedMessage {
  /** Topic that the message was first sent to. */
  readonly topic: string
  readonly #stored: StoredMessage
  readonly #inflate: InflateBody | undefined
  readonly #restored: Restored | undefined
  #body: Buffer | undefined

  constructor(stored: StoredMessage, inflate: InflateBody | undefined, restored: Restored | undefined) {
    this.#stored = stored
    this.#inflate = inflate
    this.#restored = restored
    this.topic = restored?.topic ?? stored.properties[SystemProperty.retryTopic] ?? stored.topic
  }

  get body(): Buffer {
    return (this.#body ??= this.#inflate === undefined ? this.#stored.body : this.#inflate(this.#stored))
  }

  get queueId(): number {
    return this.#stored.queueId
  }

  get queueOffset(): number {
    return this.#stored.queueOffset
  }

  get commitLogOffset(): number {
    return this.#stored.commitLogOffset
  }

  get size(): number {
    return this.#stored.size
  }

  get tags(): string | undefined {
    return this.#stored.tags
  }

  get keys(): string[] {
    return this.#stored.keys
  }

  get uniqueKey(): string | undefined {
    return this.#stored.uniqueKey
  }

  get properties(): Readonly<Record<string, string>> {
    return this.#restored?.properties ?? this.#stored.properties
  }

  get bornTimestamp(): number {
    return this.#stored.bornTimestamp
  }

  get storeTimestamp(): number {
    return this.#stored.storeTimestamp
  }

  get bornHost(): string {
    return this.#stored.bornHost
  }

  get storeHost(): string {
    return this.#stored.storeHost
  }

  get reconsumeTimes(): number {
    return this.#stored.reconsumeTimes
  }

  get sysFlag(): number {
    return this.#stored.sysFlag
  }

  get flag(): number {
    return this.#stored.flag
  }

  get bodyCrc(): number {
    return this.#stored.bodyCrc
  }

  get messageId(): string {
    return this.#stored.messageId
  }
}
