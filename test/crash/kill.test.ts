/**
 * KILL: a process is killed with SIGKILL at a random moment; whatever it had acknowledged is there.
 *
 * Each directory goes through several kills. After each, this process opens the store and checks all that
 * was ever put into it; at times it only looks on (read-only), so that the next writer recovers by itself
 * what the killed one left.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageStore } from '../../lib/store/message-store.js'
import { startProgram } from '../support/children.js'
import type { KillWriterInput } from '../support/kill-writer.js'
import { readLedger, smallSizes } from '../support/load.js'
import { checkStore, type Round } from '../support/load-check.js'
import { Random } from '../support/random.js'
import { inDirectory } from '../support/scratch.js'
import { seedOf, sized } from '../support/tier.js'

const kills = sized(12, 500)
/** A writer is killed some time after so many acknowledgements; how many is left to chance. */
const mostAwaited = sized(500, 1500)
const leastAcks = sized(2000, 500_000)

test(`of ${leastAcks} messages acknowledged before ${kills} kills, or more, none is lost`, async (context) => {
  const seed = seedOf(Math.floor(Math.random() * 2 ** 32))
  const random = new Random(seed)
  const totals = { kills: 0, acks: 0, lost: 0, early: 0 }
  try {
    // On a busy machine a writer gets less done before it dies; then more of them die.
    while (totals.kills < kills || totals.acks < leastAcks) {
      const count = random.between(2, 8)
      await inDirectory('kill', (root) => oneDirectory(root, random.fork(), count, totals))
    }
  } catch (error) {
    context.diagnostic(`replay with MQLITE_SEED=${seed}`)
    throw error
  }
  context.diagnostic(
    `${totals.kills} kills (${totals.early} too early to hear of any acknowledgement), ${totals.acks} acknowledged, ${totals.lost} lost`,
  )
  assert.equal(totals.lost, 0, `seed ${seed}`)
})

interface Totals {
  kills: number
  acks: number
  lost: number
  early: number
}

async function oneDirectory(root: string, random: Random, count: number, totals: Totals): Promise<void> {
  const directory = join(root, 'store')
  const rounds: Round[] = []
  const policy = { flush: random.pick(['sync', 'async'] as const), flushIntervalMs: random.pick([1, 10, 500]) }
  for (let round = 0; round < count; round++) {
    const ledger = join(root, `ledger-${round}`)
    const load = {
      writers: random.between(1, 4),
      window: random.pick([1, 16, 128, 512]),
      sayAfter: random.between(1, mostAwaited),
    }
    const input = { directory, ledger, round, ...policy, ...load }
    const isEarly = await killOnce(input, random)
    const { acks } = readLedger(ledger)
    rounds.push({ round, acks })
    totals.kills += 1
    totals.acks += acks.length
    totals.early += isEarly ? 1 : 0
    const looksOn = random.chance(0.6)
    totals.lost += await losses(directory, rounds, looksOn, random)
  }
}

/** Runs a writer and kills it: mostly a while after some acknowledgements, at times wherever it is. */
async function killOnce(input: KillWriterInput, random: Random): Promise<boolean> {
  const child = startProgram('kill-writer', input)
  const anywhere = random.chance(0.15)
  if (anywhere) {
    // Long enough to reach the opening of the store, which follows the start of Node.
    await sleep(random.between(40, 250))
  } else {
    if (!(await child.printed('acknowledged'))) assert.fail(`the writer ended by itself: ${(await child.exit).stderr}`)
    await sleep(random.between(0, 30))
  }
  child.process.kill('SIGKILL')
  const { signal, stdout, stderr } = await child.exit
  assert.equal(signal, 'SIGKILL', stderr)
  return !stdout.includes('acknowledged')
}

/** Opens what the kill left and counts what is missing. */
async function losses(directory: string, rounds: readonly Round[], looksOn: boolean, random: Random): Promise<number> {
  if (rounds.every(({ acks }) => acks.length === 0)) return 0
  const store = await MessageStore.open(directory, { ...smallSizes, readOnly: looksOn })
  try {
    assert.equal(store.status, looksOn ? 'readOnly' : 'open', JSON.stringify(store.recovery))
    assert.deepEqual(store.recovery.corruption, [])
    return (await checkStore(store, rounds, random)).lost.length
  } finally {
    await store.close()
  }
}
