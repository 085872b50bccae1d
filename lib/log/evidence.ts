/** Keeps bytes of the log that are about to be overwritten. */
import { type Disk, DiskError } from '../disk/disk.js'
import type { SegmentChain } from '../disk/segment-chain.js'

const STEP_BYTES = 256 * 1024

/**
 * Copies `[from, to)` of the log into a new file `cut-FROM-N` and flushes it with its name. Runs of zeros
 * stay holes. A copy that fails is removed, so that a full disk is not made fuller.
 *
 * @param what - begins the name: what was cut, or what was damaged
 * @returns the path of the file
 */
export async function keepEvidence(
  disk: Disk,
  directory: string,
  chain: SegmentChain,
  from: number,
  to: number,
  what: 'cut' | 'damaged' = 'cut',
): Promise<string> {
  let number = 0
  const pathOf = (n: number): string => `${directory}/${what}-${String(from).padStart(20, '0')}-${n}`
  while (disk.stat(pathOf(number)) !== undefined) number++
  const path = pathOf(number)
  const file = disk.open(path, { write: true, create: true })
  try {
    const buffer = Buffer.alloc(Math.min(STEP_BYTES, to - from))
    const zeros = Buffer.alloc(buffer.length)
    file.resize(to - from)
    for (let at = from; at < to; ) {
      const got = chain.has(at) ? chain.readAt(buffer.subarray(0, Math.min(buffer.length, to - at)), at) : 0
      if (got === 0) {
        at = nextSegment(chain, at)
        continue
      }
      if (buffer.compare(zeros, 0, got, 0, got) !== 0) file.writeAt(buffer.subarray(0, got), at - from)
      at += got
    }
    await file.flush()
    file.close()
    await disk.flushDirectory(directory)
    return path
  } catch (error) {
    if (error instanceof DiskError) removeQuietly(disk, path)
    throw error
  }
}

function nextSegment(chain: SegmentChain, address: number): number {
  return address - (address % chain.segmentBytes) + chain.segmentBytes
}

function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch {
    // The first error is the one to tell; a leftover copy does no harm.
  }
}
