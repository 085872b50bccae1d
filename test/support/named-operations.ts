/**
 * A disk that gives every change a name by what it is for, and calls a hook before, after and in the
 * middle of it: the failpoints of the store, without a line of the store's code.
 *
 * A name is `what.verb`: `log.write`, `checkpoint.rename`, `durable.flush`, `queue.directory.flush`. Reads
 * have none. A file that is made under a temporary name is called by its verb: `checkpoint.new.write`.
 */
import type { Disk, DiskFile, OpenMode } from '../../lib/disk/disk.js'

/** The moments of an operation: before it, after it, and for writes after half of the bytes. */
export type Moment = 'before' | 'half' | 'after'

/** Told of each moment of each operation. */
export type Hook = (name: string, moment: Moment) => void

/** What a path below a store directory is for. */
export function partOf(root: string, path: string): string {
  if (root.startsWith(`${path}/`)) return 'parent'
  const inside = path.startsWith(root) ? path.slice(root.length) : path
  if (inside === '' || inside === '/') return 'store'
  for (const [pattern, part] of PARTS) if (pattern.test(inside)) return inside.replace(pattern, part)
  return `other(${inside})`
}

const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^\/commitlog$/, 'log.directory'],
  [/^\/commitlog\/.*/, 'log'],
  [/^\/consumequeue(\/[^/]+){0,2}$/, 'queue.directory'],
  [/^\/consumequeue\/.*/, 'queue'],
  [/^\/index$/, 'index.directory'],
  [/^\/index\/.*/, 'index'],
  [/^\/checkpoint$/, 'checkpoint'],
  [/^\/checkpoint\.tmp$/, 'checkpoint.new'],
  [/^\/abort$/, 'abort'],
  [/^\/ext$/, 'ext'],
  [/^\/ext\/tmp$/, 'temporary.directory'],
  [/^\/ext\/tmp\/index$/, 'index.new'],
  [/^\/ext\/tmp\/segment$/, 'segment.new'],
  [/^\/ext\/durable$/, 'durable'],
  [/^\/ext\/cut-.*/, 'evidence'],
  [/^\/ext\/(clean|ranges|views|seals)\.tmp$/, '$1.new'],
  [/^\/ext\/(clean|ranges|views|seals)$/, '$1'],
]

/** Wraps a disk; see the head of this file. */
export class NamedOperations implements Disk {
  readonly #disk: Disk
  readonly #root: string
  readonly #hook: Hook

  constructor(disk: Disk, root: string, hook: Hook) {
    this.#disk = disk
    this.#root = root
    this.#hook = hook
  }

  open(path: string, mode: OpenMode): DiskFile {
    const part = this.#part(path)
    if (!mode.create || this.#disk.stat(path) !== undefined) return new NamedFile(this.#disk.open(path, mode), part, this.#hook)
    return this.#around(`${part}.create`, () => new NamedFile(this.#disk.open(path, mode), part, this.#hook))
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.#disk.stat(path)
  }

  list(path: string): ReturnType<Disk['list']> {
    return this.#disk.list(path)
  }

  makeDirectory(path: string): void {
    if (this.#disk.stat(path) !== undefined) this.#disk.makeDirectory(path)
    else this.#around(`${this.#part(path)}.make`, () => this.#disk.makeDirectory(path))
  }

  rename(from: string, to: string): void {
    this.#around(`${this.#part(to)}.rename`, () => this.#disk.rename(from, to))
  }

  remove(path: string): void {
    if (this.#disk.stat(path) === undefined) this.#disk.remove(path)
    else this.#around(`${this.#part(path)}.remove`, () => this.#disk.remove(path))
  }

  async flushDirectory(path: string): Promise<void> {
    const name = `${this.#part(path)}.flush`
    this.#hook(name, 'before')
    await this.#disk.flushDirectory(path)
    this.#hook(name, 'after')
  }

  space(path: string): ReturnType<Disk['space']> {
    return this.#disk.space(path)
  }

  async lock(extLockPath: string, javaLockPath: string): ReturnType<Disk['lock']> {
    this.#hook('lock.take', 'before')
    const lock = await this.#disk.lock(extLockPath, javaLockPath)
    if ('heldBy' in lock) return lock
    this.#hook('lock.take', 'after')
    return {
      kind: lock.kind,
      release: () => this.#around('lock.release', () => lock.release()),
    }
  }

  #part(path: string): string {
    return partOf(this.#root, path)
  }

  #around<Result>(name: string, action: () => Result): Result {
    this.#hook(name, 'before')
    const result = action()
    this.#hook(name, 'after')
    return result
  }
}

class NamedFile implements DiskFile {
  readonly path: string
  readonly #file: DiskFile
  readonly #part: string
  readonly #hook: Hook

  constructor(file: DiskFile, part: string, hook: Hook) {
    this.path = file.path
    this.#file = file
    this.#part = part
    this.#hook = hook
  }

  readAt(target: Uint8Array, position: number): number {
    return this.#file.readAt(target, position)
  }

  writeAt(source: Uint8Array, position: number): void {
    const name = `${this.#part}.write`
    const half = source.length >> 1
    this.#hook(name, 'before')
    this.#file.writeAt(source.subarray(0, half), position)
    this.#hook(name, 'half')
    this.#file.writeAt(source.subarray(half), position + half)
    this.#hook(name, 'after')
  }

  resize(bytes: number): void {
    this.#hook(`${this.#part}.resize`, 'before')
    this.#file.resize(bytes)
    this.#hook(`${this.#part}.resize`, 'after')
  }

  size(): number {
    return this.#file.size()
  }

  async flush(): Promise<void> {
    this.#hook(`${this.#part}.flush`, 'before')
    await this.#file.flush()
    this.#hook(`${this.#part}.flush`, 'after')
  }

  close(): void {
    this.#file.close()
  }
}
