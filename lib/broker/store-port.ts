/** What the parts of a broker may ask of the store below them. */
import type { ConfigValue } from '../format/config-json.js'
import type { MessageStore } from '../store/message-store.js'

/** The configuration files that a broker keeps: see {@link MessageStore.config}. */
export interface ConfigPort {
  read(name: string): ConfigValue | undefined
  write(name: string, value: ConfigValue): Promise<void>
}

/** Putting messages. */
export type PutPort = Pick<MessageStore, 'put' | 'putBatch'>

/** Reading messages. */
export type ReadPort = Pick<MessageStore, 'get' | 'lookup' | 'bounds' | 'offsetByTime'>
