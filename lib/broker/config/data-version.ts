/** RocketMQ's `DataVersion`: which of two states of a configuration file is the newer one. */
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { fieldsOf, numberOf } from './config-object.js'

/** A version: when the last change was made, and how many there were. */
export interface DataVersion {
  readonly stateVersion: number
  readonly timestamp: number
  readonly counter: number
}

/** The version in a file, or that of a new table. */
export function readDataVersion(value: ConfigValue | undefined, now: number): DataVersion {
  const fields = fieldsOf(value)
  return {
    stateVersion: numberOf(fields['stateVersion'], 0),
    timestamp: numberOf(fields['timestamp'], now),
    counter: numberOf(fields['counter'], 0),
  }
}

/** The version after one more change. */
export function nextDataVersion(before: DataVersion, now: number): DataVersion {
  return { stateVersion: before.stateVersion, timestamp: now, counter: before.counter + 1 }
}

/** As it stands in a file. */
export function printDataVersion({ counter, stateVersion, timestamp }: DataVersion): ConfigObject {
  return { counter, stateVersion, timestamp }
}
