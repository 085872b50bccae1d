/**
 * FP-KILL: a process kills itself at each named place, before, after and in the middle of every kind of
 * change that a store makes to its directory; nothing that it had acknowledged is lost.
 *
 * The places are found by a run that only counts, from each of three states of the directory: fresh,
 * cleanly closed, and left with a torn end. Each place is tried at three of the times that it is passed.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MessageStore } from '../../lib/store/message-store.js'
import { startProgram } from '../support/children.js'
import type { FailpointInput } from '../support/failpoint-writer.js'
import { readLedger, smallSizes } from '../support/load.js'
import { checkStore, type Round } from '../support/load-check.js'
import { Random } from '../support/random.js'
import { inDirectory } from '../support/scratch.js'
import { seedOf, tier } from '../support/tier.js'

/** A directory to start from, and what was put into it. */
interface Start {
  readonly name: string
  readonly directory: string
  readonly rounds: readonly Round[]
  /** How often each place is passed by a whole run from here. */
  readonly counts: Readonly<Record<string, number>>
}

interface Trial {
  readonly start: Start
  readonly place: string
  readonly occurrence: number
}

test('of what was acknowledged before a kill at any named place nothing is lost', async (context) => {
  const seed = seedOf(Math.floor(Math.random() * 2 ** 32))
  const random = new Random(seed)
  const totals = { runs: 0, acks: 0, lost: 0 }
  try {
    await inDirectory('failpoints', async (root) => {
      const starts = await prepare(root)
      const places = new Set(starts.flatMap(({ counts }) => Object.keys(counts)))
      const names = new Set([...places].map((place) => place.slice(place.indexOf(' ') + 1)))
      context.diagnostic(`${places.size} places of ${names.size} operations: ${[...names].sort().join(' ')}`)
      assert.ok(names.size >= 40, `${names.size} named operations`)
      const unknown = [...names].filter((name) => name.startsWith('other('))
      assert.deepEqual(unknown, [], 'every change has a name')
      const trials = allTrials(starts, random)
      const chosen = tier === 'crash' ? trials : Array.from({ length: 10 }, () => random.pick(trials))
      for (const trial of chosen) await tryOne(root, trial, totals, random)
    })
  } catch (error) {
    context.diagnostic(`replay with MQLITE_SEED=${seed}`)
    throw error
  }
  context.diagnostic(`${totals.runs} kills, ${totals.acks} acknowledged, ${totals.lost} lost`)
  assert.equal(totals.lost, 0)
})

/** The directories to start from, each with a census of its places. */
async function prepare(root: string): Promise<Start[]> {
  const clean = join(root, 'clean')
  const cleanRound = await runOnce(root, { directory: clean, round: 0 })
  const torn = join(root, 'torn')
  copyDirectory(clean, torn)
  const tornRound = await runOnce(root, { directory: torn, round: 1, at: { place: 'half log.write', occurrence: 15 } })
  assert.equal(tornRound.counts, undefined, 'the torn start was killed')
  const starts = [
    { name: 'fresh', directory: join(root, 'fresh'), rounds: [] },
    { name: 'clean', directory: clean, rounds: [cleanRound.round] },
    { name: 'torn', directory: torn, rounds: [cleanRound.round, tornRound.round] },
  ]
  const counted: Start[] = []
  for (const start of starts) {
    const directory = join(root, 'census')
    const { counts } = await inCopy(start.directory, directory, () => runOnce(root, { directory, round: 9 }))
    counted.push({ ...start, counts: counts! })
  }
  return counted
}

/** Each place at the first, a middle and the last time that it is passed, each from a start where it is. */
function allTrials(starts: readonly Start[], random: Random): Trial[] {
  const places = [...new Set(starts.flatMap(({ counts }) => Object.keys(counts)))]
  return places.flatMap((place) => {
    const able = starts.filter(({ counts }) => counts[place] !== undefined)
    const occurrences = [() => 1, (count: number) => random.between(1, count), (count: number) => count]
    return occurrences.map((choose) => {
      const start = random.pick(able)
      return { start, place, occurrence: choose(start.counts[place]!) }
    })
  })
}

interface Totals {
  runs: number
  acks: number
  lost: number
}

async function tryOne(root: string, { start, place, occurrence }: Trial, totals: Totals, random: Random): Promise<void> {
  const directory = join(root, 'trial')
  await inCopy(start.directory, directory, async () => {
    const flush = random.pick(['sync', 'async'] as const)
    const { round } = await runOnce(root, { directory, round: 2, at: { place, occurrence }, flush })
    totals.runs += 1
    totals.acks += round.acks.length
    try {
      totals.lost += await losses(directory, [...start.rounds, round], random)
    } catch (error) {
      throw new Error(`killed ${place}, time ${occurrence}, flush ${flush}, in a ${start.name} directory`, { cause: error })
    }
  })
}

async function losses(directory: string, rounds: readonly Round[], random: Random): Promise<number> {
  const store = await MessageStore.open(directory, smallSizes)
  try {
    assert.equal(store.status, 'open', JSON.stringify(store.recovery))
    return (await checkStore(store, rounds, random, 10)).lost.length
  } finally {
    await store.close()
  }
}

/** Runs the writer; `counts` are there when it came to its end. */
async function runOnce(
  root: string,
  input: Omit<FailpointInput, 'ledger' | 'flush'> & { flush?: 'sync' | 'async' },
): Promise<{ round: Round; counts: Record<string, number> | undefined }> {
  return await inDirectory('ledger', async (scratch) => {
    const ledger = join(scratch, 'ledger')
    const { code, signal, stdout, stderr } = await startProgram('failpoint-writer', { flush: 'sync', ...input, ledger }).exit
    assert.ok(code === 0 || signal === 'SIGKILL', `${root}: the writer ended with ${code ?? signal}: ${stderr}`)
    const round = { round: input.round, acks: readLedger(ledger).acks }
    return { round, counts: code === 0 ? (JSON.parse(stdout) as Record<string, number>) : undefined }
  })
}

/** Keeps holes and times: a store compares the time of its lock file. */
function copyDirectory(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}

/** Copies a directory, if there is one, runs an action on the copy and removes it. */
async function inCopy<Result>(from: string, to: string, action: () => Promise<Result>): Promise<Result> {
  rmSync(to, { recursive: true, force: true })
  if (existsSync(from)) copyDirectory(from, to)
  try {
    return await action()
  } finally {
    rmSync(to, { recursive: true, force: true })
  }
}
