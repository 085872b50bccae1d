/** Where things are in a store directory. */
import { MessageStoreError } from '../base/errors.js'
import type { Disk } from '../disk/disk.js'

/** The paths of a store. RocketMQ's, and our own under `ext/`. */
export interface StoreLayout {
  readonly root: string
  readonly commitLog: string
  readonly consumeQueue: string
  readonly batchConsumeQueue: string
  readonly index: string
  readonly config: string
  readonly checkpoint: string
  readonly abort: string
  readonly lock: string
  readonly ext: string
  readonly extLock: string
  readonly durable: string
  readonly clean: string
  readonly ranges: string
  readonly seals: string
  readonly views: string
  readonly purged: string
  readonly temporary: string
}

/** The layout under a directory. */
export function layoutOf(root: string): StoreLayout {
  const ext = `${root}/ext`
  return {
    root,
    commitLog: `${root}/commitlog`,
    consumeQueue: `${root}/consumequeue`,
    batchConsumeQueue: `${root}/batchconsumequeue`,
    index: `${root}/index`,
    config: `${root}/config`,
    checkpoint: `${root}/checkpoint`,
    abort: `${root}/abort`,
    lock: `${root}/lock`,
    ext,
    extLock: `${ext}/lock`,
    durable: `${ext}/durable`,
    clean: `${ext}/clean`,
    ranges: `${ext}/ranges`,
    seals: `${ext}/seals`,
    views: `${ext}/views`,
    purged: `${ext}/purged`,
    temporary: `${ext}/tmp`,
  }
}

/** One of these in a directory makes it one that a store may be opened in. */
const MARKS_OF_A_STORE = ['commitlog', 'consumequeue', 'checkpoint', 'ext', 'abort', 'lock', 'config', 'index']

/** One of these makes it a store that was in use; other programs have a `config` or an `index` too. */
const TRACES_OF_USE = [
  ['commitlog', 'directory'],
  ['consumequeue', 'directory'],
  ['batchconsumequeue', 'directory'],
  ['abort', 'file'],
  ['ext/durable', 'file'],
  ['ext/clean', 'file'],
  ['ext/views', 'file'],
] as const

/** @throws {MessageStoreError} `STORE_INCOMPATIBLE` when the directory is not a store, or nothing that may become one */
export function checkIsStore(disk: Disk, root: string, mayBeNew: boolean): void {
  const stat = disk.stat(root)
  if (stat === undefined) {
    if (mayBeNew) return
    throw new MessageStoreError('STORE_INCOMPATIBLE', `${root} does not exist`)
  }
  if (stat.kind === 'file' || stat.kind === 'other')
    throw new MessageStoreError('STORE_INCOMPATIBLE', `${root} is not a directory`)
  const names = disk.list(root).map((entry) => entry.name)
  const isStore = mayBeNew
    ? names.some((name) => MARKS_OF_A_STORE.includes(name))
    : TRACES_OF_USE.some(([name, kind]) => disk.stat(`${root}/${name}`)?.kind === kind)
  if (isStore) return
  if (names.length > 0) {
    throw new MessageStoreError(
      'STORE_INCOMPATIBLE',
      `${root} is not a store: it holds ${names.slice(0, 3).join(', ')} and no commitlog`,
    )
  }
  if (!mayBeNew) throw new MessageStoreError('STORE_INCOMPATIBLE', `${root} is not a store: it is empty`)
}
