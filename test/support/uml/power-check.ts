/**
 * Looks at what a power cut left: opens the store, checks it, and prints what was lost of which round.
 *
 * `node power-check.js JSON`, see {@link PowerCheckInput}.
 */
import { MessageStore } from '../../../lib/store/message-store.js'
import { readLedger, smallSizes } from '../load.js'
import { checkStore } from '../load-check.js'
import { Random } from '../random.js'

/** What the program is told. */
export interface PowerCheckInput {
  readonly directory: string
  /** The ledgers of all rounds, in order, and what earlier checks found lost. */
  readonly ledgers: readonly string[]
  readonly known: readonly string[]
  readonly readOnly: boolean
  readonly seed: number
}

/** What it prints. */
export interface PowerCheckOutput {
  readonly status: string
  readonly corruption: unknown
  readonly messages: number
  readonly lost: readonly string[]
}

const { directory, ledgers, known, readOnly, seed } = JSON.parse(process.argv[2] ?? '') as PowerCheckInput
const store = await MessageStore.open(directory, { ...smallSizes, readOnly })
const gone = new Set(known)
const rounds = ledgers.map((ledger, round) => ({
  round,
  acks: readLedger(ledger).acks.filter(({ n }) => !gone.has(`${round}-${n}`)),
}))
const { messages, lost } = await checkStore(store, rounds, new Random(seed))
const output: PowerCheckOutput = { status: store.status, corruption: store.recovery.corruption, messages, lost }
await store.close()
process.stdout.write(JSON.stringify(output))
