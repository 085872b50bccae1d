/** The files of `mqlite serve` that hold secrets: who may do what, and as whom it speaks to name servers. */
import { othersMayRead } from '../disk/node-disk.js'
import { ConfigSyntaxError, type ConfigValue, parseConfig } from '../format/config-json.js'
import { principalsOf } from '../remoting/auth/principals.js'
import { type AuthSettings, readAuthSettings, readCredentials } from '../remoting/auth/settings.js'
import type { Credentials } from '../remoting/auth/signature.js'
import { UsageError } from './command.js'
import { textOf } from './serve-files.js'

/** Largest file that is read, bytes. */
const MOST_BYTES = 4 * 1024 * 1024

/** Reads an ACL file: JSON in the form of {@link AuthSettings}. @throws {UsageError} as {@link readSecrets} */
export function readAclFile(path: string): AuthSettings {
  return readSecrets(path, (value) => {
    const settings = readAuthSettings(value, 'the ACL file')
    // What the server would refuse later is refused here, where the file can still be named.
    principalsOf(settings)
    return settings
  })
}

/** Reads a file with an access key and a secret key. @throws {UsageError} as {@link readSecrets} */
export function readCredentialsFile(path: string): Credentials {
  return readSecrets(path, (value) => readCredentials(value, 'the file of credentials'))
}

/**
 * Reads a file of JSON that has secrets. What is wrong with it is told without them.
 *
 * @throws {UsageError} when it is not there, may be read by others, or is none
 */
function readSecrets<Content>(path: string, read: (value: ConfigValue) => Content): Content {
  const text = textOf(path)
  if (othersMayRead(path)) throw new UsageError(`${path} has secrets and may be read by others: chmod 600 ${path}`)
  try {
    return read(parseConfig(text, { maxBytes: MOST_BYTES }))
  } catch (error) {
    if (error instanceof ConfigSyntaxError)
      throw new UsageError(`${path} is no JSON at line ${error.line}, column ${error.column}`)
    if (error instanceof TypeError || error instanceof RangeError) throw new UsageError(`${path}: ${error.message}`)
    throw error
  }
}
