/** What a store directory holds: files, their lengths, and the space that they take. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { bytes, type Cell } from './print.js'

/** A row for each part of the directory: its name, files, length, space. */
export function sizesOf(directory: string): Cell[][] {
  const parts = new Map<string, { files: number; length: number; taken: number }>()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(directory.length + 1).split('/')[0]!
    const { size, blocks } = statSync(path)
    const part = parts.get(name) ?? { files: 0, length: 0, taken: 0 }
    parts.set(name, { files: part.files + 1, length: part.length + size, taken: part.taken + blocks * 512 })
  }
  return [...parts].sort().map(([name, { files, length, taken }]) => [name, files, bytes(length), bytes(taken)])
}
