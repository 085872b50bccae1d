/**
 * Directories that RocketMQ wrote, kept in `test/golden/VERSION/` for tests without Java: `store.tar.gz` and,
 * in `dump.json`, what RocketMQ said of its content. `make-golden.ts` makes them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { Described } from './data.js'
import type { Generation } from './java-build.js'
import type { QueueState, Sizes } from './shell.js'

/** The sizes of the golden stores. */
export const goldenSizes: Sizes = { segmentBytes: 65_536, queueSegmentEntries: 20, indexSlots: 31, indexEntries: 40 }

/** What RocketMQ said. */
export interface Dump {
  readonly queues: readonly QueueState[]
  readonly keys: Readonly<Record<string, readonly number[]>>
  readonly times: Readonly<Record<string, number>>
  /** All records, in the order of the log. */
  readonly records: readonly Described[]
}

const root = fileURLToPath(new URL('../../../test/golden', import.meta.url))
const TAR_BLOCK = 512

/** Where the files of a generation lie. */
export function goldenFolder(generation: Generation): string {
  return join(root, generation)
}

/** What RocketMQ said of its golden store. */
export function readDump(generation: Generation): Dump {
  return JSON.parse(readFileSync(join(goldenFolder(generation), 'dump.json'), 'utf8')) as Dump
}

/** Unpacks the golden store of a generation into an empty directory. */
export function unpackGolden(generation: Generation, directory: string): void {
  const tar = gunzipSync(readFileSync(join(goldenFolder(generation), 'store.tar.gz')))
  let longName: string | undefined
  for (let at = 0; tar[at] !== 0; ) {
    const name = longName ?? text(tar, at, 100)
    const size = Number.parseInt(text(tar, at + 124, 12), 8)
    const kind = text(tar, at + 156, 1)
    at += TAR_BLOCK
    // GNU's way: the name of the next entry stands in an entry of its own.
    longName = kind === 'L' ? text(tar, at, size) : undefined
    if (kind === '0') {
      const path = join(directory, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, tar.subarray(at, at + size))
    }
    at += Math.ceil(size / TAR_BLOCK) * TAR_BLOCK
  }
}

function text(tar: Buffer, at: number, length: number): string {
  return tar.toString('utf8', at, at + length).replace(/\0.*$/s, '')
}
