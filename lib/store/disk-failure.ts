/** What the disk refuses, told in the store's own errors. */
import { MessageStoreError } from '../base/errors.js'
import { DiskError } from '../disk/disk.js'

/** Whether a file was not there: another process may have deleted it in this moment. */
export function isGone(error: unknown): boolean {
  if (error instanceof MessageStoreError) return error.code === 'DISK_ERROR' && isGone(error.cause)
  return error instanceof DiskError && error.code === 'ENOENT'
}

/** The error to throw for one that was caught: a `DiskError` becomes `DISK_FULL` or `DISK_ERROR`, others stay. */
export function storeErrorOf(error: unknown): unknown {
  if (!(error instanceof DiskError)) return error
  return new MessageStoreError(error.isSpace ? 'DISK_FULL' : 'DISK_ERROR', error.message, { cause: error })
}
