/** The file that tells `mqlite serve` who may do what. */
import { nodeDisk, othersMayRead } from '../disk/node-disk.js'
import { readWhole } from '../disk/replace.js'
import { ConfigSyntaxError, parseConfig } from '../format/config-json.js'
import { type AuthSettings, readAuthSettings } from '../remoting/auth/settings.js'
import { UsageError } from './command.js'

/** Largest file that is read, bytes. */
const MOST_BYTES = 4 * 1024 * 1024

/**
 * Reads an ACL file: JSON in the form of {@link AuthSettings}. What is wrong with it is told without its secrets.
 *
 * @throws {UsageError} when it is not there, may be read by others, or is none
 */
export function readAclFile(path: string): AuthSettings {
  const bytes = readWhole(nodeDisk, path)
  if (bytes === undefined) throw new UsageError(`there is no file ${path}`)
  if (othersMayRead(path)) throw new UsageError(`${path} has secrets and may be read by others: chmod 600 ${path}`)
  try {
    return readAuthSettings(parseConfig(bytes.toString('utf8'), { maxBytes: MOST_BYTES }), 'the ACL file')
  } catch (error) {
    if (error instanceof ConfigSyntaxError)
      throw new UsageError(`${path} is no JSON at line ${error.line}, column ${error.column}`)
    if (error instanceof TypeError || error instanceof RangeError) throw new UsageError(`${path}: ${error.message}`)
    throw error
  }
}
