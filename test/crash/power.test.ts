/**
 * UML: the power is cut under a real kernel with a real file system.
 *
 * - `sync`: nothing acknowledged is lost.
 * - `async`: what is left is a prefix; nothing is lost that the store called durable; what is lost had been
 *   acknowledged within the flush interval and one flush. Stalls of the machine are measured and allowed for.
 * - The same with flushes that do nothing must lose, else the harness proves nothing.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { killChildren, programPath } from '../support/children.js'
import { type Ledger, readLedger, type WriterInput } from '../support/load.js'
import { Random } from '../support/random.js'
import { inDirectory } from '../support/scratch.js'
import { shimLibrary } from '../support/shim/build.js'
import { isFull, runSeed } from '../support/tier.js'
import { boot, DISK, type FileSystem, makeDisk, onDisk, whyNoMachine } from '../support/uml/machine.js'
import type { PowerCheckInput, PowerCheckOutput } from '../support/uml/power-check.js'

after(killChildren)

const FLUSH_INTERVAL_MS = 100
const CUTS_OF_A_DISK = 5
const skip = whyNoMachine()

interface Totals {
  cuts: number
  acks: number
  lost: number
  /** Longest time between an acknowledgement that was lost and the last sign of life, milliseconds. */
  window: number
}

// Not in the quick tier: a machine takes seconds to boot.
if (isFull) {
  for (const fileSystem of ['ext4', 'xfs'] as const) {
    test(`sync on ${fileSystem}: nothing acknowledged is lost when the power is cut`, { skip }, async (context) => {
      const totals = await manyCuts(fileSystem, 'sync', 2)
      context.diagnostic(`${totals.cuts} power cuts, ${totals.acks} acknowledged, ${totals.lost} lost`)
      assert.equal(totals.lost, 0)
    })

    test(`async on ${fileSystem}: no more is lost than was acknowledged since the last flush`, { skip }, async (context) => {
      const { cuts, acks, lost, window } = await manyCuts(fileSystem, 'async', 2)
      context.diagnostic(
        `${cuts} power cuts, ${acks} acknowledged, ${lost} lost, at most ${window.toFixed(0)} ms old, at an interval of ${FLUSH_INTERVAL_MS} ms`,
      )
    })
  }

  test('the same harness loses when flushes do nothing', { skip }, async (context) => {
    const totals = { cuts: 0, acks: 0, lost: 0, window: 0 }
    const random = new Random(runSeed())
    for (const fileSystem of ['ext4', 'xfs'] as const) {
      await inDirectory('power', async (root) => {
        const disk = newDisk(root, fileSystem)
        const { ledger } = await oneCut({ root, disk, fileSystem, flush: 'sync', round: 0, random, control: true })
        const { acks } = readLedger(ledger)
        totals.cuts += 1
        totals.acks += acks.length
        // Without any flush there may not even be a store to open; then all of it is lost.
        totals.lost += await check(root, disk, [ledger], [], false).then(
          ({ lost }) => lost.length,
          () => acks.length,
        )
      })
    }
    context.diagnostic(`${totals.cuts} power cuts, ${totals.acks} acknowledged, ${totals.lost} lost`)
    assert.ok(totals.lost > 0)
  })
}

async function manyCuts(fileSystem: FileSystem, flush: 'sync' | 'async', disks: number): Promise<Totals> {
  const seed = runSeed()
  const random = new Random(seed)
  const totals: Totals = { cuts: 0, acks: 0, lost: 0, window: 0 }
  for (let i = 0; i < disks; i++) {
    await inDirectory('power', (root) => cutsOfOneDisk(root, fileSystem, flush, random, totals)).catch((error) => {
      throw new Error(`MQLITE_SEED=${seed}`, { cause: error })
    })
  }
  return totals
}

function newDisk(root: string, fileSystem: FileSystem): string {
  const disk = join(root, 'disk')
  mkdirSync(join(root, 'mount'))
  makeDisk(disk, fileSystem)
  return disk
}

async function cutsOfOneDisk(
  root: string,
  fileSystem: FileSystem,
  flush: 'sync' | 'async',
  random: Random,
  totals: Totals,
): Promise<void> {
  const disk = newDisk(root, fileSystem)
  const ledgers: string[] = []
  const known: string[] = []
  for (let round = 0; round < CUTS_OF_A_DISK; round++) {
    const { ledger } = await oneCut({ root, disk, fileSystem, flush, round, random, control: false })
    ledgers.push(ledger)
    const result = await check(root, disk, ledgers, known, random.chance(0.5))
    assert.ok(['open', 'readOnly'].includes(result.status), JSON.stringify(result))
    assert.deepEqual(result.corruption, [])
    known.push(...result.lost)
    const told = readLedger(ledger)
    totals.cuts += 1
    totals.acks += told.acks.length
    totals.lost += result.lost.length
    if (flush === 'async') totals.window = Math.max(totals.window, lossWindow(round, told, result.lost))
  }
}

interface Cut {
  readonly root: string
  readonly disk: string
  readonly fileSystem: FileSystem
  readonly flush: 'sync' | 'async'
  readonly round: number
  readonly random: Random
  readonly control: boolean
}

/** Lets a machine put for a while and cuts its power. */
async function oneCut({ root, disk, fileSystem, flush, round, random, control }: Cut): Promise<{ ledger: string }> {
  const ledger = join(root, `ledger-${round}`)
  const input: WriterInput = {
    directory: `${DISK}/store`,
    ledger,
    round,
    flush,
    flushIntervalMs: FLUSH_INTERVAL_MS,
    writers: random.between(1, 4),
    window: random.pick([1, 8, 32]),
  }
  const settings = control ? [`LD_PRELOAD=${shimLibrary('faults')}`, `FAULT_DIRECTORY=${DISK}`, 'FAULT_ACTION=nothing'] : []
  const program = ['env', ...settings, process.execPath, programPath('uml/power-writer'), JSON.stringify(input)]
  const machine = boot(root, disk, fileSystem, program)
  try {
    await machine.waitForBytes(ledger, random.between(1, 40_000))
    await sleep(random.between(0, 400))
  } finally {
    await machine.cut()
  }
  return { ledger }
}

/** Mounts the disk and looks. */
async function check(
  root: string,
  disk: string,
  ledgers: readonly string[],
  known: readonly string[],
  readOnly: boolean,
): Promise<PowerCheckOutput> {
  const mount = join(root, 'mount')
  const input: PowerCheckInput = { directory: `${mount}/store`, ledgers, known, readOnly, seed: ledgers.length }
  const program = [process.execPath, programPath('uml/power-check'), JSON.stringify(input)]
  const { code, stdout, stderr } = await onDisk(root, disk, mount, program).exit
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as PowerCheckOutput
}

/** Checks what was lost under `async`, and tells how old the oldest of it was. */
function lossWindow(round: number, { acks, notes }: Ledger, lost: readonly string[]): number {
  const headings = notes
    .filter(({ word }) => word === 'at')
    .map(({ text, afterAcks }) => ({ time: Number(text.split(' ')[0]), durableEnd: Number(text.split(' ')[1]), afterAcks }))
  const last = headings.at(-1)!
  const numbers = new Set(lost.filter((name) => name.startsWith(`${round}-`)).map((name) => Number(name.split('-')[1])))
  assert.equal(numbers.size, lost.length, 'nothing is lost of what an earlier check had found')
  let oldest = last.time
  for (const [i, { n, commitLogOffset }] of acks.entries()) {
    if (!numbers.has(n)) continue
    assert.ok(commitLogOffset >= last.durableEnd, `${round}-${n} was lost though it was durable`)
    const given = headings.findLast(({ afterAcks }) => afterAcks <= i)!
    oldest = Math.min(oldest, given.time)
  }
  const flushes = notes.filter(({ word }) => word === 'flushed').map(({ text }) => Number(text))
  const stall = Math.max(0, ...headings.slice(1).map(({ time }, i) => time - headings[i]!.time))
  const allowed = FLUSH_INTERVAL_MS + Math.max(0, ...flushes) + 2 * stall + 50
  const window = last.time - oldest
  assert.ok(window <= allowed, `a message ${window} ms old was lost; ${allowed} ms are allowed`)
  return window
}
