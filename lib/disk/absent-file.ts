import { invariant } from '../base/errors.js'
import type { DiskFile } from './disk.js'

/** A file that is not there and holds nothing: what a store that is only read would have written. */
export function absentFile(path: string): DiskFile {
  const refuse = (): never => invariant(false, `no write to ${path}, which was opened to be read`) as never
  return { path, readAt: () => 0, size: () => 0, writeAt: refuse, resize: refuse, flush: refuse, close: () => {} }
}
