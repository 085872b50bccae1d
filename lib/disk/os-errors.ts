/** What the operating system refuses, as a {@link DiskError} that names operation and path. */
import { InvariantError } from '../base/errors.js'
import { DiskError } from './disk.js'

/** Does something on the disk; what the system refuses is told as {@link DiskError}. */
export function attempt<Result>(operation: string, path: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    throw asDiskError(error, operation, path)
  }
}

/** The error as it is told to those above. */
export function asDiskError(error: unknown, operation: string, path: string): Error {
  if (error instanceof DiskError || error instanceof InvariantError) return error
  const code = codeOf(error)
  // What the operating system refuses has an errno code; ERR_... and the rest are mistakes of the caller.
  if (code === undefined || code.startsWith('ERR_')) return error instanceof Error ? error : new Error(String(error))
  return new DiskError(code, operation, path, error)
}

/** Nothing has that name, or one of its directories is a file. */
export function isAbsence(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** The code of an error of the operating system, or of Node. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
