/**
 * What of a simulated disk would survive power loss, and what is still under way.
 *
 * ```
 *   file        durable content  +  pending writes and resizes, in order
 *   directory   durable names    +  pending changes of names, in one order for the whole disk
 * ```
 *
 * A file or directory without a state here is durable as it is. A crash takes, for every sector, any of
 * the versions it went through since it was durable; for every length likewise and independently; and for
 * the names either a prefix of the changes (a journal) or any subset of them (all that POSIX promises).
 */

import { MemoryDirectory, MemoryFile, MemoryLink, type MemoryNode, MemoryTree } from '../../lib/disk/memory-tree.js'
import { type PagedBytes, pageBytes } from '../../lib/disk/paged-bytes.js'
import type { Chooser, Random } from './random.js'

/** How a crash treats what is pending. */
export interface CrashModel {
  /** The unit that is written whole or not at all. */
  readonly sectorBytes: 512 | 4096
  /**
   * 'ordered': names persist in order, as in a journal. 'any': each by itself; a move between directories may even lose both
   * names.
   */
  readonly directories: 'ordered' | 'any'
  /** What shows where a file grew but its data did not arrive: zeros, or what the disk held before. */
  readonly newArea: 'zeros' | 'garbage'
}

interface PendingWrite {
  readonly sequence: number
  readonly position: number
  readonly bytes: Uint8Array
  /** Never reaches the disk, though a flush reports that it did. */
  readonly isLost: boolean
  /** Arrives somewhere else than where it was meant to, or nowhere. */
  readonly isAstray: boolean
  readonly sizeAfter: number
}

interface PendingResize {
  readonly sequence: number
  readonly bytes: undefined
  readonly sizeAfter: number
}

interface FileState {
  durable: PagedBytes
  pending: (PendingWrite | PendingResize)[]
  /** The cache shows something that a flush will not bring to the disk: after a failed flush or a lost write. */
  hasDiverged: boolean
}

interface NameChange {
  readonly directory: MemoryDirectory
  readonly name: string
  /** What the name stands for afterwards; undefined when it is gone. */
  readonly node: MemoryNode | undefined
  /** What it stood for before. */
  readonly previous: MemoryNode | undefined
  isDurable: boolean
}

interface NameOperation {
  readonly sequence: number
  readonly changes: readonly NameChange[]
}

/** Tracks durability for one tree. */
export class Durability {
  readonly #files = new Map<MemoryFile, FileState>()
  readonly #names = new Map<MemoryDirectory, Map<string, MemoryNode>>()
  #operations: NameOperation[] = []
  #sequence = 0
  #flushes = 0

  /** The number of the last change; a flush covers what has one up to that of its start. */
  get sequence(): number {
    return this.#sequence
  }

  /** Grows with every change and with every flush that ends. */
  get changeCount(): number {
    return this.#sequence + this.#flushes
  }

  /** Writes, resizes and changes of names that a crash may take back. */
  get pendingCount(): number {
    let count = this.#operations.length
    for (const { pending } of this.#files.values()) count += pending.length
    return count
  }

  /** Notes a write, before it is made. `onDisk` is where and whether it arrives, if not where it was meant to. */
  write(file: MemoryFile, position: number, source: Uint8Array, onDisk: { position?: number; isLost?: boolean } = {}): void {
    const state = this.#stateOf(file)
    const isLost = onDisk.isLost ?? false
    const at = onDisk.position ?? position
    const isAstray = isLost || at !== position
    if (isAstray) state.hasDiverged = true
    const sizeAfter = Math.max(file.content.size, position + source.length)
    state.pending.push({
      sequence: ++this.#sequence,
      position: at,
      bytes: Uint8Array.prototype.slice.call(source),
      isLost,
      isAstray,
      sizeAfter,
    })
  }

  /** Notes a change of length, before it is made. */
  resize(file: MemoryFile, bytes: number): void {
    this.#stateOf(file).pending.push({ sequence: ++this.#sequence, bytes: undefined, sizeAfter: bytes })
  }

  /** Notes changes of names that belong together, just after they were made. */
  names(changes: readonly Omit<NameChange, 'isDurable'>[]): void {
    for (const { directory } of changes) {
      if (this.#names.has(directory)) continue
      const durable = new Map(directory.entries)
      for (const { name, previous } of changes.filter((change) => change.directory === directory)) {
        if (previous === undefined) durable.delete(name)
        else durable.set(name, previous)
      }
      this.#names.set(directory, durable)
    }
    const noted = changes.map((change) => ({ ...change, isDurable: false }))
    this.#operations.push({ sequence: ++this.#sequence, changes: noted })
  }

  /** The content of a file becomes durable, up to a change. */
  flushFile(file: MemoryFile, sequence: number): void {
    this.#flushes += 1
    const state = this.#files.get(file)
    if (state === undefined) return
    const covered = state.pending.filter((change) => change.sequence <= sequence)
    const rest = state.pending.slice(covered.length)
    if (rest.length === 0 && !state.hasDiverged) {
      this.#files.delete(file)
      return
    }
    for (const change of covered) applyChange(state.durable, change)
    // The kernel writes whole pages: a page written to again carries along what an earlier failed flush left in it.
    if (rest.length === 0 && !covered.some((change) => change.bytes !== undefined && change.isAstray)) {
      for (const change of covered)
        if (change.bytes !== undefined) takePages(state.durable, file.content, change.position, change.bytes.length)
    }
    state.pending = rest
  }

  /** A flush fails: the pages count as clean, and what was pending is not on the disk and never will be. */
  failFile(file: MemoryFile, sequence: number): void {
    this.#flushes += 1
    const state = this.#files.get(file)
    if (state === undefined) return
    state.pending = state.pending.filter((change) => change.sequence > sequence)
    state.hasDiverged = true
  }

  /** What the disk holds of a file: what is read once the cache has been dropped. Pending writes stay in the cache. */
  evicted(file: MemoryFile): PagedBytes | undefined {
    const state = this.#files.get(file)
    if (state === undefined) return undefined
    const content = state.durable.fork()
    for (const change of state.pending) applyChange(content, change)
    return content
  }

  /** The durable content of a file. To be changed only to damage it. */
  durableContent(file: MemoryFile): PagedBytes {
    return this.#files.get(file)?.durable ?? file.content
  }

  /** The names of a directory become durable, up to a change. */
  flushNames(directory: MemoryDirectory, sequence: number): void {
    this.#flushes += 1
    const durable = this.#names.get(directory)
    if (durable === undefined) return
    let isRest = false
    for (const operation of this.#operations) {
      for (const change of operation.changes) {
        if (change.directory !== directory || change.isDurable) continue
        if (operation.sequence > sequence) {
          isRest = true
          continue
        }
        applyName(durable, change)
        change.isDurable = true
      }
    }
    if (!isRest) this.#names.delete(directory)
    this.#operations = this.#operations.filter(({ changes }) => changes.some((change) => !change.isDurable))
  }

  /** A tree as it is found after a crash. Nothing here changes: any number of crashes can be taken of one moment. */
  crash(tree: MemoryTree, model: CrashModel, chooser: Chooser, random: Random | undefined): MemoryTree {
    const names = this.#crashedNames(model, chooser)
    const copies = new Map<MemoryNode, MemoryNode>()
    const copyOf = (node: MemoryNode, path: string): MemoryNode => {
      const known = copies.get(node)
      if (known !== undefined) return known
      const garbage = model.newArea === 'garbage' ? random : undefined
      const copy =
        node instanceof MemoryFile
          ? new MemoryFile(node.serial, this.#crashedContent(node, model, chooser, garbage), node.modifiedMs)
          : node instanceof MemoryDirectory
            ? copyDirectory(node, path)
            : new MemoryLink(node.serial, node.modifiedMs)
      copies.set(node, copy)
      return copy
    }
    const copyDirectory = (directory: MemoryDirectory, path: string) => {
      const entries = new Map<string, MemoryNode>()
      for (const [name, node] of names.get(directory) ?? directory.entries) entries.set(name, copyOf(node, `${path}/${name}`))
      return new MemoryDirectory(directory.serial, entries, directory.modifiedMs)
    }
    return new MemoryTree(copyDirectory(tree.root, ''), tree.nextSerial)
  }

  #stateOf(file: MemoryFile): FileState {
    let state = this.#files.get(file)
    if (state === undefined) {
      state = { durable: file.content.fork(), pending: [], hasDiverged: false }
      this.#files.set(file, state)
    }
    return state
  }

  #crashedNames(model: CrashModel, chooser: Chooser): Map<MemoryDirectory, Map<string, MemoryNode>> {
    const names = new Map<MemoryDirectory, Map<string, MemoryNode>>()
    for (const [directory, durable] of this.#names) names.set(directory, new Map(durable))
    if (this.#operations.length === 0) return names
    chooser.begin?.()
    const apply = (change: NameChange) => {
      const entries = names.get(change.directory)
      if (entries !== undefined && !change.isDurable) applyName(entries, change)
    }
    if (model.directories === 'ordered') {
      // A flush of one directory commits the journal, and with it every change before.
      const committed = this.#operations.findLastIndex(({ changes }) => changes.some((change) => change.isDurable)) + 1
      const kept = committed + chooser.choose(this.#operations.length - committed + 1)
      for (const { changes } of this.#operations.slice(0, kept)) changes.forEach(apply)
      return names
    }
    for (const { changes } of this.#operations) {
      const isWithinOne = changes.every(({ directory }) => directory === changes[0]?.directory)
      if (isWithinOne) {
        if (chooser.choose(2) === 1) changes.forEach(apply)
      } else {
        for (const change of changes) if (chooser.choose(2) === 1) apply(change)
      }
    }
    return names
  }

  /** @param garbage - where garbage comes from, if it may show */
  #crashedContent(file: MemoryFile, model: CrashModel, chooser: Chooser, garbage: Random | undefined): PagedBytes {
    const state = this.#files.get(file)
    if (state === undefined) return file.content.fork()
    const content = state.durable.fork()
    if (state.pending.length === 0) return content
    chooser.begin?.()
    const size = crashedSize(content, state.pending, chooser)
    const sectors = versionsOfSectors(state.pending, size, model.sectorBytes)
    for (const [sector, versions] of sectors) {
      const kept = chooser.choose(versions.length + 1)
      const from = sector * model.sectorBytes
      const to = Math.min(from + model.sectorBytes, size)
      if (kept === 0 && garbage !== undefined && !state.durable.hasPageAt(from) && garbage.chance(0.5)) {
        content.write(garbage.bytes(to - from), from)
      }
      for (let at = 0; at < kept; at += 1) {
        const { position, bytes } = versions[at] as PendingWrite
        const start = Math.max(from, position)
        const end = Math.min(to, position + bytes.length)
        if (start < end) content.write(bytes.subarray(start - position, end - position), start)
      }
    }
    return content
  }
}

/** Chooses one of the lengths that the file went through, and cuts the durable content as far as that implies. */
function crashedSize(content: PagedBytes, pending: FileState['pending'], chooser: Chooser): number {
  const sizes = [content.size]
  for (const { sizeAfter } of pending) if (sizeAfter !== sizes.at(-1)) sizes.push(sizeAfter)
  const kept = sizes.length === 1 ? 0 : chooser.choose(sizes.length)
  for (const size of sizes.slice(1, kept + 1)) content.resize(size)
  return content.size
}

/** For each sector that pending writes touch within the length: those writes, in order. */
function versionsOfSectors(pending: FileState['pending'], size: number, sectorBytes: number): Map<number, PendingWrite[]> {
  const sectors = new Map<number, PendingWrite[]>()
  for (const change of pending) {
    if (change.bytes === undefined) {
      // What was written before a cut does not come back.
      for (const sector of sectors.keys()) if (sector * sectorBytes >= change.sizeAfter) sectors.delete(sector)
      continue
    }
    if (change.isLost || change.bytes.length === 0) continue
    const last = Math.floor((Math.min(change.position + change.bytes.length, size) - 1) / sectorBytes)
    for (let sector = Math.floor(change.position / sectorBytes); sector <= last; sector += 1) {
      const versions = sectors.get(sector)
      if (versions === undefined) sectors.set(sector, [change])
      else versions.push(change)
    }
  }
  return sectors
}

function applyChange(content: PagedBytes, change: PendingWrite | PendingResize): void {
  if (change.bytes === undefined) {
    content.resize(change.sizeAfter)
    return
  }
  if (!change.isLost) content.write(change.bytes, change.position)
  if (content.size < change.sizeAfter) content.resize(change.sizeAfter)
}

function takePages(to: PagedBytes, from: PagedBytes, position: number, length: number): void {
  const last = Math.floor((position + length - 1) / pageBytes)
  for (let index = Math.floor(position / pageBytes); index <= last; index += 1) to.takePage(from, index)
}

function applyName(entries: Map<string, MemoryNode>, change: NameChange): void {
  if (change.node === undefined) entries.delete(change.name)
  else entries.set(change.name, change.node)
}
