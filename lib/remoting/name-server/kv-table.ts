/**
 * Small settings that clients and administrators keep at a name server: a text under a namespace and a key. RocketMQ
 * itself keeps the order of topics there.
 *
 * They are written through: whoever puts one has it kept when the answer comes. The text is that of RocketMQ's
 * `kvConfig.json`.
 */
import { type ConfigObject, type ConfigValue, parseConfig, printConfig } from '../../format/config-json.js'
import { responseCodes } from '../codes.js'
import { Refusal } from '../errors.js'

/** Namespace of the order of topics: `broker:queues;broker:queues` by topic. */
export const ORDER_NAMESPACE = 'ORDER_TOPIC_CONFIG'

/** Bytes of all settings together. Whoever can connect can put some. */
const MAX_BYTES = 4 * 1024 * 1024

/** Where the settings are kept. */
export interface KvFile {
  /** The text that was last saved, `undefined` before the first. */
  load(): Uint8Array | undefined
  /** Keeps a text. When it returns, the text is kept. */
  save(text: Uint8Array): void
}

/** See the head of this file. Without a file they last as long as the process. */
export class KvTable {
  readonly #file: KvFile | undefined
  readonly #namespaces = new Map<string, Map<string, string>>()
  #bytes = 0

  /** @throws {ConfigSyntaxError} when the file is no configuration file */
  constructor(file?: KvFile) {
    this.#file = file
    const text = file?.load()
    if (text === undefined) return
    const namespaces = objectIn(objectIn(parseConfig(text))['configTable'])
    for (const [namespace, table] of Object.entries(namespaces)) {
      for (const [key, value] of Object.entries(objectIn(table))) if (typeof value === 'string') this.#set(namespace, key, value)
    }
  }

  /** The text under a key. */
  get(namespace: string, key: string): string | undefined {
    return this.#namespaces.get(namespace)?.get(key)
  }

  /** All keys and texts of a namespace, `undefined` when nothing was ever put there. */
  list(namespace: string): ReadonlyMap<string, string> | undefined {
    return this.#namespaces.get(namespace)
  }

  /** Puts a text. @throws {Refusal} when there would be too much of it all */
  put(namespace: string, key: string, value: string): void {
    if (this.#bytes + namespace.length + key.length + value.length > MAX_BYTES) {
      throw new Refusal(responseCodes.SYSTEM_ERROR, 'too many settings')
    }
    this.#set(namespace, key, value)
    this.#save()
  }

  /** Takes a text away, if it is there. */
  delete(namespace: string, key: string): void {
    const table = this.#namespaces.get(namespace)
    const value = table?.get(key)
    if (table === undefined || value === undefined) return
    table.delete(key)
    this.#bytes -= namespace.length + key.length + value.length
    this.#save()
  }

  #set(namespace: string, key: string, value: string): void {
    const table = this.#namespaces.get(namespace) ?? new Map<string, string>()
    const before = table.get(key)
    this.#bytes += value.length - (before === undefined ? -namespace.length - key.length : before.length)
    this.#namespaces.set(namespace, table.set(key, value))
  }

  #save(): void {
    if (this.#file === undefined) return
    const configTable = Object.create(null) as Record<string, ConfigObject>
    for (const [namespace, table] of this.#namespaces) configTable[namespace] = objectOfTexts(table)
    this.#file.save(Buffer.from(printConfig({ configTable })))
  }
}

/** Texts as an object that can be written; it has no prototype. */
export function objectOfTexts(texts: ReadonlyMap<string, string>): ConfigObject {
  const object = Object.create(null) as Record<string, string>
  for (const [key, value] of texts) object[key] = value
  return object
}

function objectIn(value: ConfigValue | undefined): ConfigObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)
    ? (value as ConfigObject)
    : {}
}
