/** How a file of the hash index is opened. */
import type { DiskFile } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import type { PageCache } from '../disk/page-cache.js'
import type { IndexHeader } from '../format/index-layout.js'
import type { IndexRow } from './manifest.js'

/** What was compared with a manifest. */
export type CheckedIndex = Pick<IndexRow, 'count' | 'entriesCrc' | 'slotsCrc'>

/** How to open a file of the index. */
export interface IndexFileOptions {
  readonly files: OpenFiles
  readonly path: string
  readonly slots: number
  readonly entries: number
  readonly writable: boolean
  /** Where queries keep what they read; shared by the files of an index. */
  readonly pages?: PageCache
  /** Of a new file, which is made at its first flush; an existing one brings its own header. */
  readonly fresh?: { readonly header: IndexHeader; readonly make: () => DiskFile }
  /** What a manifest says of an existing file. */
  readonly row?: IndexRow | undefined
  /** What was found to be in it before: only what came since need be read to compare it. */
  readonly checked?: CheckedIndex | undefined
}
