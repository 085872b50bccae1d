/** The reading side of a store, which every store has: state, log, records, queues, searches. */

import { Emitter } from '../base/signals.js'
import { nextTurn } from '../base/system.js'
import type { DiskLock } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { findingWords } from '../format/finding-words.js'
import { CheckLevel } from '../format/record.js'
import { CommitLog } from '../log/commit-log.js'
import { inRanges, type LogRange } from '../log/ranges.js'
import { Seals } from '../log/seals.js'
import type { StoreLayout } from './layout.js'
import type { ResolvedOptions, StorePorts } from './options.js'
import { Arrivals } from './reading/arrivals.js'
import { Reader } from './reading/reader.js'
import { RecordReader } from './reading/record-reader.js'
import { Search } from './reading/search.js'
import type { RecoveredStore } from './recovery/recover.js'
import { type StoreEvents, StoreState, storeEvents } from './state.js'

/** What a store is built from. */
export interface StoreInput {
  readonly layout: StoreLayout
  readonly options: ResolvedOptions
  readonly ports: StorePorts
  readonly files: OpenFiles
  readonly lock: DiskLock | undefined
  readonly recovered: RecoveredStore
  /** Of a store that is only read: what told of its writer's views before they were loaded. */
  readonly tracesBefore: string | undefined
}

/** What reading needs, and writing builds on. */
export interface Foundation extends StoreInput {
  readonly state: StoreState
  readonly events: Emitter<StoreEvents>
  readonly log: CommitLog
  /** Ranges with whole-record CRCs; the one that is being written is open. */
  readonly ranges: LogRange[]
  /** Everything below may be served. */
  readonly visible: { end: number }
  readonly records: RecordReader
  readonly arrivals: Arrivals
  readonly reader: Reader
  readonly search: Search
  /** Damaged records that queries have left out. */
  readonly damaged: { readonly count: number }
  readonly seals: Seals
  /** Lets the event loop turn. */
  readonly pause: () => Promise<void>
  /** The same. @throws {MessageStoreError} `STORE_CLOSED` */
  readonly pauseWhileOpen: () => Promise<void>
}

/** Builds the reading side. */
export function layFoundation(input: StoreInput): Foundation {
  const { options, ports, recovered } = input
  const { chain, report } = recovered
  const state = stateAfter(input)
  const zerosWithin = options.flush.policy === 'sync' ? options.flush.maxUnflushedBytes : 0
  const log = new CommitLog(chain, report.end, { ...options.log, zerosWithin })
  const ranges = [...recovered.ranges]
  const visible = { end: report.end }
  const records = new RecordReader({
    blocks: log.blocks,
    segmentBytes: () => log.segmentBytes,
    levelAt: (address) => (inRanges(ranges, address) ? CheckLevel.record : CheckLevel.body),
    verify: options.log.verifyReads,
    visibleEnd: () => visible.end,
  })
  const pause = (): Promise<void> => nextTurn(ports.timers)
  const events = new Emitter<StoreEvents>(storeEvents)
  const damaged = { count: 0 }
  const pauseWhileOpen = async (): Promise<void> => {
    await pause()
    state.checkOpen()
  }
  return {
    ...input,
    pause,
    pauseWhileOpen,
    state,
    events,
    log,
    ranges,
    visible,
    records,
    arrivals: new Arrivals(ports.clock, ports.timers),
    reader: new Reader({
      records,
      logStart: () => log.start,
      segmentBytes: () => log.segmentBytes,
      gapsAreDamage: report.corruption.length > 0,
    }),
    seals: new Seals({ disk: ports.disk, path: input.layout.seals, chain, pause }),
    damaged,
    search: new Search({
      views: () => recovered.views,
      records,
      logStart: () => log.start,
      onDamaged: (commitLogOffset) => {
        damaged.count++
        events.emit('damagedRecord', { commitLogOffset })
      },
      pause: pauseWhileOpen,
    }),
  }
}

/** The state that recovery leaves a store in. */
function stateAfter({ options, recovered }: StoreInput): StoreState {
  const { corruption, noSpace } = recovered.report
  const first = corruption[0]
  if (first !== undefined) {
    const what = `the log is damaged from ${first.from} to ${first.to} (${findingWords(first.finding)}); mqlite repair mends it`
    return new StoreState('readOnly', { code: 'STORE_CORRUPT', what })
  }
  if (options.readOnly) return new StoreState('readOnly', { code: 'STORE_READ_ONLY', what: 'the store was opened to be read' })
  if (noSpace) return new StoreState('readOnly', { code: 'DISK_FULL', what: 'no space to keep what recovery would cut' })
  return new StoreState('open')
}
