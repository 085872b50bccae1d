/**
 * The names of a file system in memory: directories, files, and the way from a path to either.
 *
 * `MemoryDisk` changes one tree in place. A copy of a tree shares the bytes of its files until they are
 * written to, so copies cost one small object per file.
 */

import { type DirectoryEntry, DiskError, type EntryKind } from './disk.js'
import type { PagedBytes } from './paged-bytes.js'

/** A file: its bytes, and what `stat` tells of it. */
export class MemoryFile {
  readonly kind = 'file'
  readonly serial: number
  content: PagedBytes
  modifiedMs: number

  constructor(serial: number, content: PagedBytes, modifiedMs: number) {
    this.serial = serial
    this.content = content
    this.modifiedMs = modifiedMs
  }
}

/** A directory: names and what they stand for. */
export class MemoryDirectory {
  readonly kind = 'directory'
  readonly serial: number
  entries: Map<string, MemoryNode>
  modifiedMs: number

  constructor(serial: number, entries: Map<string, MemoryNode>, modifiedMs: number) {
    this.serial = serial
    this.entries = entries
    this.modifiedMs = modifiedMs
  }
}

/** A symbolic link. Nothing follows it: it is there so that its refusal can be tested. */
export class MemoryLink {
  readonly kind = 'link'
  readonly serial: number
  readonly modifiedMs: number

  constructor(serial: number, modifiedMs: number) {
    this.serial = serial
    this.modifiedMs = modifiedMs
  }
}

/** What a name stands for. */
export type MemoryNode = MemoryFile | MemoryDirectory | MemoryLink

const knownNames = new Map<string, readonly string[]>()

/** Splits a path into names. A relative path starts at the root as well. */
export function namesOf(path: string): readonly string[] {
  let names = knownNames.get(path)
  if (names === undefined) {
    // A simulation asks for the same few paths a million times.
    if (knownNames.size > 10_000) knownNames.clear()
    knownNames.set(path, (names = splitPath(path)))
  }
  return names
}

function splitPath(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

/** A tree of names with its root directory. */
export class MemoryTree {
  readonly root: MemoryDirectory
  #nextSerial: number

  /** Without a root the tree is empty. `nextSerial` must be above every serial in it. */
  constructor(root?: MemoryDirectory, nextSerial = 2) {
    this.root = root ?? new MemoryDirectory(1, new Map(), 0)
    this.#nextSerial = nextSerial
  }

  /** The serial that the next node gets. */
  get nextSerial(): number {
    return this.#nextSerial
  }

  /** A number that no other node of this tree has. */
  takeSerial(): number {
    this.#nextSerial += 1
    return this.#nextSerial - 1
  }

  /** What is at a path. */
  find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root
    for (const name of namesOf(path)) {
      if (!(node instanceof MemoryDirectory)) return undefined
      node = node.entries.get(name)
    }
    return node
  }

  /** The directory that holds (or would hold) the last name of a path, and that name. @throws {DiskError} `ENOENT`, `ENOTDIR` */
  parentOf(path: string, operation: string): { directory: MemoryDirectory; name: string } {
    const names = namesOf(path)
    const name = names.at(-1)
    if (name === undefined) throw new DiskError('EBUSY', operation, path)
    return { directory: this.#walk(names, names.length - 1, operation, path), name }
  }

  /** A directory that must be there. @throws {DiskError} `ENOENT`, `ENOTDIR`, naming `asked` */
  directory(path: string, operation: string, asked = path): MemoryDirectory {
    const names = namesOf(path)
    return this.#walk(names, names.length, operation, asked)
  }

  #walk(names: readonly string[], count: number, operation: string, asked: string): MemoryDirectory {
    let node: MemoryNode = this.root
    for (let at = 0; at < count; at += 1) {
      if (!(node instanceof MemoryDirectory)) throw new DiskError('ENOTDIR', operation, asked)
      const next = node.entries.get(names[at] as string)
      if (next === undefined) throw new DiskError('ENOENT', operation, asked)
      node = next
    }
    if (!(node instanceof MemoryDirectory)) throw new DiskError('ENOTDIR', operation, asked)
    return node
  }

  /** The entries of a directory, sorted by name. */
  list(directory: MemoryDirectory): DirectoryEntry[] {
    const entries = [...directory.entries].map(([name, node]) => ({ name, kind: node.kind as EntryKind }))
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Every file with its path, in order of names. */
  *files(directory: MemoryDirectory = this.root, prefix = ''): Generator<{ path: string; file: MemoryFile }> {
    for (const { name } of this.list(directory)) {
      const node = directory.entries.get(name)
      if (node instanceof MemoryFile) yield { path: `${prefix}/${name}`, file: node }
      else if (node instanceof MemoryDirectory) yield* this.files(node, `${prefix}/${name}`)
    }
  }

  /** An independent copy that shares bytes until they change. */
  copy(): MemoryTree {
    return new MemoryTree(copyNode(this.root), this.#nextSerial)
  }
}

/** Copies a directory and everything below it, sharing bytes. A file with two names stays one file. */
function copyNode(root: MemoryDirectory): MemoryDirectory {
  const copies = new Map<MemoryNode, MemoryNode>()
  const copyOf = (node: MemoryNode): MemoryNode => {
    const known = copies.get(node)
    if (known !== undefined) return known
    const copy =
      node instanceof MemoryFile
        ? new MemoryFile(node.serial, node.content.fork(), node.modifiedMs)
        : node instanceof MemoryDirectory
          ? copyDirectory(node)
          : new MemoryLink(node.serial, node.modifiedMs)
    copies.set(node, copy)
    return copy
  }
  const copyDirectory = (directory: MemoryDirectory) => {
    const entries = new Map<string, MemoryNode>()
    for (const [name, node] of directory.entries) entries.set(name, copyOf(node))
    return new MemoryDirectory(directory.serial, entries, directory.modifiedMs)
  }
  return copyDirectory(root)
}
