/** Small files: read whole, replaced whole; and directories that stay. */
import { type Disk, DiskError, type DiskFile } from './disk.js'

/** A file opened to be read, or `undefined` when there is none, also when another process has just deleted it. */
export function openIfThere(disk: Disk, path: string): DiskFile | undefined {
  if (disk.stat(path)?.kind !== 'file') return undefined
  try {
    return disk.open(path, {})
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The bytes of a file, or `undefined` when there is none. @throws {DiskError} when it cannot be read */
export function readWhole(disk: Disk, path: string): Buffer | undefined {
  const file = openIfThere(disk, path)
  if (file === undefined) return undefined
  try {
    const bytes = Buffer.alloc(file.size())
    const got = file.readAt(bytes, 0)
    return bytes.subarray(0, got)
  } finally {
    file.close()
  }
}

/**
 * Replaces a file so that after any crash either the old or the new content is there, never a part:
 * temporary file, flush, rename, flush of the directory.
 */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  const file = disk.open(temporary, { write: true, create: true })
  try {
    file.resize(0)
    file.writeAt(bytes, 0)
    await file.flush()
  } finally {
    file.close()
  }
  disk.rename(temporary, path)
  await disk.flushDirectory(path.slice(0, path.lastIndexOf('/')))
}

/**
 * Makes a directory with its missing parents, and makes their names survive power loss. A directory that was
 * there is flushed into its parent as well: whoever made it may have died before the flush.
 */
export async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  const parents = [parentOf(path)]
  for (let at = path; disk.stat(at) === undefined && parentOf(at) !== at; at = parentOf(at)) {
    if (at !== path) parents.push(parentOf(at))
  }
  disk.makeDirectory(path)
  for (const parent of parents) {
    try {
      await disk.flushDirectory(parent)
    } catch (error) {
      // A parent that this user may not read cannot be opened to flush it; the directory is there all the same.
      if (!(error instanceof DiskError && error.code === 'EACCES')) throw error
    }
  }
}

function parentOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at > 0 ? path.slice(0, at) : at === 0 ? '/' : '.'
}
