/** Files that an operator names: configurations, keys, certificates. */
import { DiskError } from '../disk/disk.js'
import { readNamedFile } from '../disk/node-disk.js'
import { UsageError } from './command.js'

/** What a file holds. @throws {UsageError} when it cannot be read */
export function contentsOf(path: string): Buffer {
  try {
    return readNamedFile(path)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new UsageError(error.code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read: ${error.code}`)
  }
}

/** The same as text. @throws {UsageError} */
export function textOf(path: string): string {
  return contentsOf(path).toString('utf8')
}
