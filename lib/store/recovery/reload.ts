/**
 * Loads the views of a writer that is followed again, after it has changed what they rest on.
 *
 * A reader keeps in memory what the writer had not flushed when it was opened, and everything since. Each time the
 * writer flushes its views it replaces `ext/views`; then what it has flushed is read from its files, and memory holds
 * only the rest. So memory is bounded by what the writer leaves unflushed, and purges, deleted topics, sizes and files
 * that came later are seen.
 */
import type { Disk } from '../../disk/disk.js'
import { OpenFiles } from '../../disk/open-files.js'
import type { SegmentChain } from '../../disk/segment-chain.js'
import type { LogRange } from '../../log/ranges.js'
import type { StoreLayout } from '../layout.js'
import { Views } from '../views/views.js'
import { indexSizesIn, inspect, planOf, type RecoverInput, recordBounds, scanRanges, scanStart } from './recover.js'

/** Views that have everything that their writer has flushed. */
export interface ReloadedViews {
  readonly views: Views
  readonly files: OpenFiles
  /** Records from here on have to be entered. */
  readonly from: number
  readonly ranges: readonly LogRange[]
}

/** Loads what is in files. @param before - the views that are to be replaced */
export function reloadViews(
  { layout, options, ports }: Omit<RecoverInput, 'files'>,
  chain: SegmentChain,
  before: Views,
): ReloadedViews {
  const files = new OpenFiles(ports.disk, options.openFiles)
  try {
    const found = inspect(ports.disk, layout, chain)
    const { plan, trustedEnd, manifest } = planOf(found, chain, false)
    const bounds = recordBounds(chain, plan)
    const known = {
      logStart: chain.start,
      trustedEnd,
      recordBounds: bounds,
      manifest,
      indexSizes: indexSizesIn(found),
      isLive: true,
      checkedIndex: before.index?.checked,
    }
    const views = new Views({ layout, options, ports, files }, known)
    return { views, files, from: scanStart(plan.scanFrom, views, chain), ranges: scanRanges(found) }
  } catch (error) {
    files.closeAll()
    throw error
  }
}

/** What tells that the writer has changed what the views rest on: each of these files is replaced, never written in place. */
export function viewTraces(disk: Disk, { views, purged, ranges }: StoreLayout): string {
  return [views, purged, ranges]
    .map((path) => disk.stat(path))
    .map((stat) => (stat === undefined ? '-' : `${stat.identity}/${stat.modifiedMs}/${stat.bytes}`))
    .join(' ')
}
