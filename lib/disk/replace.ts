/** Small files: read whole, replaced whole. */
import type { Disk } from './disk.js'

/** The bytes of a file, or `undefined` when there is none. @throws {DiskError} when it cannot be read */
export function readWhole(disk: Disk, path: string): Buffer | undefined {
  if (disk.stat(path)?.kind !== 'file') return undefined
  const file = disk.open(path, {})
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
