/** Prints of simulated disks: equal disks have equal prints, and in practice only those. */

import xxhash from 'xxhash-wasm'
import { MemoryDirectory, MemoryFile } from '../../lib/disk/memory-tree.js'
import type { SimDisk } from './sim-disk.js'

const { create64, h64Raw } = await xxhash()
let scratch = new Uint8Array(64 * 1024)

/** A number that tells the content of a disk: names, lengths and bytes of all files, and empty directories not. */
export function printOf(disk: SimDisk): bigint {
  const sum = create64()
  const add = (directory: MemoryDirectory): void => {
    for (const name of [...directory.entries.keys()].sort()) {
      const node = directory.entries.get(name)
      sum.update(name)
      if (node instanceof MemoryFile) sum.update(contentOf(node.content))
      else if (node instanceof MemoryDirectory) add(node)
      sum.update(')')
    }
  }
  add(disk.live.tree.root)
  return sum.digest()
}

/** A print for each file but those that a pattern names. */
export function printsOf(disk: SimDisk, but?: RegExp): Map<string, string> {
  const prints = new Map<string, string>()
  for (const { path, file } of disk.live.tree.files()) {
    if (but?.test(path)) continue
    prints.set(path, `${file.content.size} bytes, ${h64Raw(contentOf(file.content)).toString(16)}`)
  }
  return prints
}

function contentOf(content: { size: number; read(target: Uint8Array, position: number): number }): Uint8Array {
  if (content.size > scratch.length) scratch = new Uint8Array(content.size)
  const bytes = scratch.subarray(0, content.size)
  content.read(bytes, 0)
  return bytes
}
