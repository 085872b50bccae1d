/**
 * SHIM: real system calls of a real process fail, come short, or are its last.
 *
 * A library of our own is loaded before libc and strikes the n-th call of a kind on a file of the store.
 * Checked each time: every error is one of ours; nothing is acknowledged after a flush that failed; a put
 * that was refused is not there; what was acknowledged is there when the store is opened again.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { errorCodes } from '../../lib/base/errors.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { killChildren, startProgram } from '../support/children.js'
import { type Ledger, readLedger, tinySizes } from '../support/load.js'
import { checkStore } from '../support/load-check.js'
import { Random } from '../support/random.js'
import { inDirectory } from '../support/scratch.js'
import { shimLibrary } from '../support/shim/build.js'
import type { SyscallWriterInput } from '../support/syscall-writer.js'
import { isFull, seedOf } from '../support/tier.js'

after(killChildren)
const hasCompiler = spawnSync('gcc', ['--version']).status === 0

type Policy = 'sync' | 'async'

interface Fault {
  readonly call: string
  readonly action: 'EIO' | 'ENOSPC' | 'EMFILE' | 'short' | 'full' | 'kill'
}

const faults: readonly Fault[] = [
  { call: 'fdatasync', action: 'EIO' },
  { call: 'fdatasync', action: 'kill' },
  { call: 'fsync', action: 'EIO' },
  { call: 'fsync', action: 'kill' },
  { call: 'pwrite64', action: 'EIO' },
  { call: 'pwrite64', action: 'ENOSPC' },
  { call: 'pwrite64', action: 'short' },
  { call: 'pwrite64', action: 'full' },
  { call: 'pwrite64', action: 'kill' },
  { call: 'ftruncate64', action: 'ENOSPC' },
  { call: 'rename', action: 'EIO' },
  { call: 'open64', action: 'EMFILE' },
  { call: 'unlink', action: 'EIO' },
  { call: 'unlink', action: 'kill' },
]
/** Positions for each fault and policy, or all where a run has fewer. 12 * 2 * 18 = 432 runs, and those of unlink. */
const positions = 18
const messages = 110

interface Totals {
  runs: number
  acks: number
  lost: number
  killed: number
  errors: Map<string, number>
}

test('whatever system call fails, nothing acknowledged is lost and nothing is acknowledged wrongly', {
  skip: !hasCompiler && 'gcc is not there',
}, async (context) => {
  const seed = seedOf(Math.floor(Math.random() * 2 ** 32))
  const random = new Random(seed)
  const totals: Totals = { runs: 0, acks: 0, lost: 0, killed: 0, errors: new Map() }
  try {
    // Side by side: most of the time of a run goes by while a process starts or a disk flushes.
    const [sync, async] = [random.fork(), random.fork()]
    await Promise.all([tryAll('sync', totals, sync), tryAll('async', totals, async)])
  } catch (error) {
    context.diagnostic(`replay with MQLITE_SEED=${seed}`)
    throw error
  }
  const errors = [...totals.errors].map(([what, count]) => `${what} ${count}`).sort()
  context.diagnostic(`${totals.runs} runs, ${totals.killed} killed, ${totals.acks} acknowledged, ${totals.lost} lost`)
  context.diagnostic(`errors: ${errors.join(', ')}`)
  assert.equal(totals.lost, 0)
  if (isFull) assert.ok(totals.runs >= 432)
})

async function tryAll(policy: Policy, totals: Totals, random: Random): Promise<void> {
  const counts = await census(policy)
  assert.equal(counts.get('write'), 0, 'no file of a store is written at a position that the system keeps')
  for (const { call } of faults)
    assert.ok(counts.get(call)! >= (call === 'unlink' ? 2 : positions), `${call}: ${counts.get(call)}`)
  for (const { fault, at } of trialsOf(counts, random)) {
    await tryOne(fault, at, policy, totals, random).catch((error) => {
      throw new Error(`${fault.call} number ${at} meets ${fault.action}, flush ${policy}`, { cause: error })
    })
  }
}

/** The faults with the numbers of the calls that they strike: the first few, the last, and some between. */
function trialsOf(counts: ReadonlyMap<string, number>, random: Random): { fault: Fault; at: number }[] {
  const all = faults.flatMap((fault) => {
    const count = counts.get(fault.call)!
    const chosen = new Set([1, 2, 3, 4, 5, 6, count].filter((at) => at <= count))
    while (chosen.size < Math.min(positions, count)) chosen.add(random.between(1, count))
    return [...chosen].map((at) => ({ fault, at }))
  })
  return isFull ? all : Array.from({ length: 6 }, () => random.pick(all))
}

/** How often each call is made by a run that nothing strikes. */
async function census(policy: Policy): Promise<ReadonlyMap<string, number>> {
  return await inDirectory('syscalls', async (root) => {
    const { ledger, exit } = await run(root, undefined, 0, policy)
    assert.equal(exit.code, 0, exit.stderr)
    assert.equal(ledger.acks.length, 2 * messages)
    const counts = ledger.notes.find(({ word }) => word === 'counts')!.text.split(' ')
    return new Map(counts.map((pair) => [pair.split('=')[0]!, Number(pair.split('=')[1])]))
  })
}

async function tryOne(fault: Fault, at: number, policy: Policy, totals: Totals, random: Random): Promise<void> {
  await inDirectory('syscalls', async (root) => {
    const { ledger, exit } = await run(root, fault, at, policy)
    const killed = exit.signal === 'SIGKILL'
    assert.ok(killed ? fault.action === 'kill' : exit.code === 0, `ended with ${exit.code ?? exit.signal}: ${exit.stderr}`)
    checkLedger(ledger, fault, killed, totals)
    totals.runs += 1
    totals.killed += killed ? 1 : 0
    totals.acks += ledger.acks.length
    totals.lost += await losses(`${root}/store`, ledger, random)
  })
}

async function run(root: string, fault: Fault | undefined, at: number, flush: Policy) {
  const ledger = join(root, 'ledger')
  const directory = join(root, 'store')
  const input: SyscallWriterInput = { directory, ledger, round: 0, flush, messages }
  const env = {
    ...process.env,
    LD_PRELOAD: shimLibrary('faults'),
    // Requests that go through a ring instead of libc would pass the shim by.
    UV_USE_IO_URING: '0',
    FAULT_DIRECTORY: directory,
    FAULT_LOG: ledger,
    ...(fault === undefined ? {} : { FAULT_CALL: fault.call, FAULT_ACTION: fault.action, FAULT_AT: String(at) }),
  }
  const child = startProgram('syscall-writer', input, { env, timeout: 60_000, killSignal: 'SIGTERM' })
  const exit = await child.exit
  return { ledger: readLedger(ledger), exit }
}

/** What the process noted must fit what struck it. */
function checkLedger({ acks, notes }: Ledger, { action }: Fault, killed: boolean, totals: Totals): void {
  const struck = notes.findIndex(({ word }) => word === 'fault')
  for (const { word, text } of notes.filter(({ word }) => /^(open|close|put)/.test(word) && word !== 'opened')) {
    assert.ok(Object.hasOwn(errorCodes, text), `${word} met an error that is not ours: ${text}`)
    const what = `${word.split('-')[0]} ${text}`
    totals.errors.set(what, (totals.errors.get(what) ?? 0) + 1)
  }
  if (killed) return
  assert.equal(notes.at(-2)?.word, 'done', JSON.stringify(notes))
  const failed = notes.findIndex(({ word }) => word === 'flush-failed')
  if (failed >= 0) {
    const reopened = notes.slice(failed).find(({ word }) => word === 'opened')
    assert.equal(reopened?.afterAcks ?? acks.length, notes[failed]!.afterAcks, 'nothing is acknowledged after a failed flush')
  }
  // The fault strikes once, so all but a few puts succeed in the end.
  assert.ok(struck < 0 || acks.length >= messages, `only ${acks.length} of ${2 * messages} went through`)
  if (action === 'short') assert.equal(acks.length, 2 * messages, 'a short write is completed without anybody knowing')
}

/** Opens the store without faults and counts what is missing. */
async function losses(directory: string, { acks, notes }: Ledger, random: Random): Promise<number> {
  const refused = new Set<number>()
  const unknown = new Set<number>()
  for (const { word, text } of notes) {
    const [, first, count] = /^put-(\d+)-(\d+)$/.exec(word)?.map(Number) ?? []
    if (first === undefined || count === undefined) continue
    for (let n = first; n < first + count; n++) (text === 'STORE_FAILED' ? unknown : refused).add(n)
  }
  const store = await MessageStore.open(directory, tinySizes)
  try {
    assert.equal(store.status, 'open', JSON.stringify(store.recovery))
    return (await checkStore(store, [{ round: 0, acks, refused, unknown }], random, 10)).lost.length
  } finally {
    await store.close()
  }
}
