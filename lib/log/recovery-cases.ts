/**
 * What recovery does with what it finds where the good records stop: the decision, as a table.
 *
 * The question is never "is it damaged" but "was it durable". A damaged record that was durable is
 * corruption: cutting there would lose every record behind it. One that was not durable is what a crash
 * leaves of a write in flight, and nobody was told that it had been stored.
 */

/** What stands behind the last good record. */
export type FoundKind =
  /** Zeros, to the end of the last segment. */
  | 'end'
  /** Zeros where a record should start, but something behind them. */
  | 'hole'
  /** Bytes that are not a record. */
  | 'damage'

/** Whose log it is: who wrote to it last. */
export type Writer = 'mqlite' | 'java'

/** The facts that decide. */
export interface RecoveryFacts {
  readonly found: FoundKind
  /** Whether something shows that bytes behind this place had been durable. */
  readonly durable: boolean
  readonly writer: Writer
}

/** What to do: the log ends here; it is cut here; or it is damaged and stays as it is. */
export type RecoveryAction = 'keep' | 'cut' | 'refuse'

/** A row of the table; a field that is left out matches anything. */
export interface RecoveryCase extends Partial<RecoveryFacts> {
  readonly action: RecoveryAction
  readonly why: string
}

/** The table. Every combination of facts meets exactly one row. */
export const recoveryCases: readonly RecoveryCase[] = [
  { found: 'end', durable: false, action: 'keep', why: 'the log ends here' },
  { found: 'end', durable: true, writer: 'mqlite', action: 'refuse', why: 'durable records have vanished' },
  // RocketMQ cuts queues in memory only, so its queue files may point past the end of its log.
  {
    found: 'end',
    durable: true,
    writer: 'java',
    action: 'keep',
    why: 'stale queue entries of a Java store do not prove a record',
  },
  { found: 'hole', durable: false, action: 'cut', why: 'a write in flight reached the disk in part' },
  { found: 'hole', durable: true, action: 'refuse', why: 'durable records were overwritten with zeros' },
  { found: 'damage', durable: false, action: 'cut', why: 'a record was torn by the crash' },
  { found: 'damage', durable: true, action: 'refuse', why: 'a durable record is damaged' },
]

/** The row that applies. */
export function decideRecovery(facts: RecoveryFacts): RecoveryCase {
  const row = recoveryCases.find((candidate) => matches(candidate, facts))
  // The test over all combinations keeps this unreachable.
  if (row === undefined) throw new RangeError(`no recovery case for ${JSON.stringify(facts)}`)
  return row
}

/** Whether a row applies to the facts. */
export function matches(row: RecoveryCase, facts: RecoveryFacts): boolean {
  return (
    (row.found === undefined || row.found === facts.found) &&
    (row.durable === undefined || row.durable === facts.durable) &&
    (row.writer === undefined || row.writer === facts.writer)
  )
}
