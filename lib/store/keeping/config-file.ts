/**
 * RocketMQ's configuration files, `config/*.json`, with the spare copy `*.json.bak` of the state before.
 *
 * RocketMQ overwrites the file in place, so a crash can tear it; then the spare copy counts. Here both are
 * replaced as a whole, the spare copy first. (`ConfigManager`.)
 */
import { MessageStoreError } from '../../base/errors.js'
import type { Disk } from '../../disk/disk.js'
import { readWhole, replaceFile } from '../../disk/replace.js'
import { ConfigSyntaxError, type ConfigValue, parseConfig, printConfig } from '../../format/config-json.js'

/**
 * Reads a configuration file, or its spare copy when it is absent, empty or torn; `undefined` without either.
 *
 * @param onSpare - told why the spare copy counts: it is of the change before the last
 * @throws {MessageStoreError} `STORE_INCOMPATIBLE` when there is a file and neither can be read
 */
export function readConfig(disk: Disk, path: string, onSpare?: (why: string) => void): ConfigValue | undefined {
  let wrong: ConfigSyntaxError | undefined
  for (const candidate of [path, `${path}.bak`]) {
    const bytes = readWhole(disk, candidate)
    if (bytes === undefined || bytes.length === 0) continue
    try {
      const value = parseConfig(bytes)
      if (candidate !== path) onSpare?.(wrong?.message ?? 'it is empty or not there')
      return value
    } catch (error) {
      if (!(error instanceof ConfigSyntaxError)) throw error
      wrong ??= error
    }
  }
  if (wrong === undefined) return undefined
  throw new MessageStoreError('STORE_INCOMPATIBLE', `${path} is no configuration file: ${wrong.message}`, { cause: wrong })
}

/** Replaces a configuration file; what it held becomes the spare copy, unless that is torn and the spare copy all there is. */
export async function writeConfig(disk: Disk, path: string, value: ConfigValue): Promise<void> {
  disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
  const before = readWhole(disk, path)
  if (before !== undefined && isWhole(before)) await replaceFile(disk, `${path}.bak`, before)
  await replaceFile(disk, path, Buffer.from(printConfig(value), 'utf8'))
}

function isWhole(bytes: Buffer): boolean {
  try {
    return bytes.length > 0 && parseConfig(bytes) !== undefined
  } catch (error) {
    if (error instanceof ConfigSyntaxError) return false
    throw error
  }
}

/** The topics whose attribute `queue.type` says that their records hold batches, from `config/topics.json`. */
export function readBatchTopics(disk: Disk, directory: string): Set<string> {
  return batchTopicsOf(readConfig(disk, `${directory}/topics.json`))
}

/** The same from what the file holds. */
export function batchTopicsOf(topics: ConfigValue | undefined): Set<string> {
  const found = new Set<string>()
  const config = fieldsOf(topics)
  for (const [topic, settings] of Object.entries(fieldsOf(config['topicConfigTable']))) {
    const attributes = fieldsOf(fieldsOf(settings)['attributes'])
    // 5.x writes the name of an attribute with the sign of its last change, or without.
    const type = attributes['queue.type'] ?? attributes['+queue.type']
    if (type === 'BatchCQ') found.add(topic)
  }
  return found
}

function fieldsOf(value: ConfigValue | undefined): Readonly<Record<string, ConfigValue | undefined>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  // A table that is empty, or whose topics all have numbers for names, is read as a map.
  return value instanceof Map ? Object.fromEntries(value) : (value as Record<string, ConfigValue>)
}
