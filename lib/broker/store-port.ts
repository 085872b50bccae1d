/** What the parts of a broker may ask of the store below them. */
import type { ConfigValue } from '../format/config-json.js'
import type { Message } from '../store/message.js'
import { type MessageStore, putFor } from '../store/message-store.js'
import type { AnswerOf } from '../store/writing/pending.js'

/** The configuration files that a broker keeps: see {@link MessageStore.config}. */
export interface ConfigPort {
  read(name: string): ConfigValue | undefined
  write(name: string, value: ConfigValue): Promise<void>
}

/** Putting messages. */
export type PutPort = Pick<MessageStore, 'put' | 'putBatch'>

/** Putting messages for others, who are told something else than where they are: see {@link putFor}. */
export interface PutForPort extends PutPort {
  putFor<Context, Answer>(message: Message, context: Context, answerOf: AnswerOf<Context, Answer>): Promise<Answer>
}

/** A store as the port for that. */
export function putForPort(store: MessageStore): PutForPort {
  return {
    put: (message) => store.put(message),
    putBatch: (messages, batchKey) => store.putBatch(messages, batchKey),
    putFor: (message, context, answerOf) => putFor(store, message, context, answerOf),
  }
}

/** Reading messages. */
export type ReadPort = Pick<MessageStore, 'get' | 'lookup' | 'bounds' | 'offsetByTime'>
