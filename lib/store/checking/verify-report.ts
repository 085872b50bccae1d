/**
 * What `verify` tells: findings with a kind, a place, what was found and what was expected.
 *
 * Findings that follow one another, such as a thousand missing entries of one queue, become one with a
 * count. At most {@link MAX_FINDINGS} are kept, so that a ruined store cannot fill the memory.
 */

/** How bad a finding is: data is gone or cannot be reached; something is not as it should be; it harms nobody. */
export type Severity = 'damage' | 'warning' | 'note'

/** What mends it: nothing needs to be done; the views are made again from the log; the log needs `repair`. */
export type Remedy = 'nothing' | 'rebuild' | 'repair'

/** The kinds of findings. `mqlite repair` does what `rebuild` and `repair` ask for. */
export const findingKinds = {
  recordDamaged: { severity: 'damage', remedy: 'repair', meaning: 'bytes in the log that are no intact record' },
  recordsMissing: { severity: 'damage', remedy: 'repair', meaning: 'zeros in the log where records had been' },
  segmentMissing: { severity: 'damage', remedy: 'repair', meaning: 'a segment in the middle of the log is not there' },
  sealBroken: {
    severity: 'warning',
    remedy: 'nothing',
    meaning: 'a full segment that has changed since it was sealed; its records may still be intact',
  },
  blankDirty: { severity: 'note', remedy: 'nothing', meaning: 'bytes in the unused rest of a segment' },
  behindEnd: { severity: 'warning', remedy: 'nothing', meaning: 'bytes behind the end of the log' },
  unflushedTail: { severity: 'note', remedy: 'nothing', meaning: 'a torn write that opening the store cuts off' },
  queueMissing: { severity: 'damage', remedy: 'rebuild', meaning: 'records of a queue that has no files' },
  entryMissing: { severity: 'damage', remedy: 'rebuild', meaning: 'records without an entry in their queue' },
  entryWrong: { severity: 'damage', remedy: 'rebuild', meaning: 'queue entries that say something else than the record' },
  entryDangling: { severity: 'damage', remedy: 'rebuild', meaning: 'queue entries that point to no record of their queue' },
  entryDisorder: { severity: 'damage', remedy: 'rebuild', meaning: 'queue entries whose addresses do not ascend' },
  viewFileDamaged: {
    severity: 'warning',
    remedy: 'rebuild',
    meaning: 'a queue or index file that is not what was written; it is made anew from the log',
  },
  keyMissing: { severity: 'warning', remedy: 'rebuild', meaning: 'records that the index does not list under one of their keys' },
  indexEntryWrong: { severity: 'warning', remedy: 'rebuild', meaning: 'index entries that point to no record with such a key' },
  indexChainWrong: {
    severity: 'warning',
    remedy: 'rebuild',
    meaning: 'index entries that do not lead to the one before in their slot',
  },
  indexSlotWrong: { severity: 'warning', remedy: 'rebuild', meaning: 'index slots that do not hold their newest entry' },
  indexHeaderWrong: { severity: 'warning', remedy: 'rebuild', meaning: 'an index header that disagrees with its entries' },
  checkpointMissing: { severity: 'warning', remedy: 'nothing', meaning: 'no checkpoint; opening the store rescans more' },
  checkpointWrong: { severity: 'warning', remedy: 'nothing', meaning: 'times in the checkpoint that cannot be' },
  markDamaged: {
    severity: 'warning',
    remedy: 'nothing',
    meaning: 'a file under ext/ that cannot be read; opening the store knows less',
  },
  markWrong: { severity: 'warning', remedy: 'nothing', meaning: 'a mark under ext/ that disagrees with the log' },
} as const satisfies Record<string, { severity: Severity; remedy: Remedy; meaning: string }>

/** One of {@link findingKinds}. */
export type FindingKind = keyof typeof findingKinds

/** Where something was found. Only what applies is set. */
export interface FindingPlace {
  /** File or directory, relative to the store. */
  readonly file?: string
  /** Address in the log. */
  readonly commitLogOffset?: number
  /** Where a damaged range of the log ends. */
  readonly to?: number
  readonly topic?: string
  readonly queueId?: number
  readonly queueOffset?: number
  /** Number of an index entry. */
  readonly entry?: number
  /** Number of an index slot. */
  readonly slot?: number
}

/** One finding, or a run of equal ones. */
export interface VerifyFinding {
  /** What is wrong. */
  readonly kind: FindingKind
  /** How bad that is. */
  readonly severity: Severity
  /** What helps. */
  readonly remedy: Remedy
  /** Where the first of them is. */
  readonly place: FindingPlace
  /** What is there. */
  readonly found: string
  /** What should be there. */
  readonly expected: string
  /** How many follow one another. */
  count: number
}

/** What was looked at. */
export interface VerifyCounts {
  readonly log: { start: number; end: number; segments: number; records: number; bytes: number }
  readonly queues: { queues: number; entries: number; fillers: number }
  /** `undefined` when the store was opened without its index. */
  readonly index: { files: number; entries: number } | undefined
}

/** The answer of `verify`. */
export interface VerifyReport extends VerifyCounts {
  /** Whether nothing was found that is worse than a note. */
  readonly ok: boolean
  /** The worst severity, `undefined` when nothing was found. */
  readonly worst: Severity | undefined
  /** In the order in which they were met, at most {@link MAX_FINDINGS}. */
  readonly findings: readonly VerifyFinding[]
  /** How many more findings there were than are kept. */
  readonly omitted: number
  /** How long it took. */
  readonly durationMs: number
}

/** How many findings a report holds. */
export const MAX_FINDINGS = 1000

/** Gathers findings. */
export class Findings {
  readonly #list: VerifyFinding[] = []
  /** The newest finding of each run, and the position at which it would go on. */
  readonly #runs = new Map<string, { finding: VerifyFinding; next: number }>()
  #omitted = 0

  /** What was found so far. */
  get list(): readonly VerifyFinding[] {
    return this.#list
  }

  /** How many were found and not kept. */
  get omitted(): number {
    return this.#omitted
  }

  /** The worst severity. */
  get worst(): Severity | undefined {
    return (['damage', 'warning', 'note'] as const).find((severity) =>
      this.#list.some((finding) => finding.severity === severity),
    )
  }

  /** Notes a finding. With a run, one that stands right behind the last of its run is only counted. */
  add(kind: FindingKind, place: FindingPlace, found: string, expected: string, run?: { key: string; position: number }): void {
    const key = run === undefined ? undefined : `${kind} ${run.key}`
    const open = key === undefined ? undefined : this.#runs.get(key)
    if (open !== undefined && run !== undefined && open.next === run.position) {
      open.finding.count++
      open.next++
      return
    }
    if (this.#list.length >= MAX_FINDINGS) {
      this.#omitted++
      return
    }
    const { severity, remedy } = findingKinds[kind]
    const finding = { kind, severity, remedy, place, found, expected, count: 1 }
    this.#list.push(finding)
    if (key !== undefined && run !== undefined) this.#runs.set(key, { finding, next: run.position + 1 })
  }
}
