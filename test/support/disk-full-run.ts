/**
 * One life of a store on a file system that fills up, inside a mount namespace of its own. Prints what it
 * counted as JSON; anything that is wrong is thrown.
 *
 * ```
 *   fill    put until the disk is full; go on reading; remove the ballast; go on putting; close; open
 *   close   put until the disk is full; close; open on the full disk, to be read too; remove the ballast; open
 *   kill    a process puts until the disk is full and is killed; no byte is left; as above
 * ```
 *
 * `node disk-full-run.js JSON`, see {@link DiskFullInput}.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageStoreError } from '../../lib/base/errors.js'
import { systemTimers, type Timers } from '../../lib/base/system.js'
import { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { startProgram } from './children.js'
import { AckLog, messageOf, putLoad, readLedger, smallSizes } from './load.js'
import { checkStore } from './load-check.js'
import { Random } from './random.js'

/** What a run is told. */
export interface DiskFullInput {
  /** The file system. */
  readonly mount: string
  /** A path on another one. */
  readonly ledger: string
  readonly life: 'fill' | 'close' | 'kill' | 'put and wait'
  readonly flush: 'sync' | 'async'
  /** Whether the store looks at the space often enough to see the end coming. */
  readonly watchful: boolean
  /** What is taken away at first: bytes, or names. */
  readonly ballast: { readonly leavesBytes: number } | { readonly files: number }
  readonly seed: number
}

const input = JSON.parse(process.argv[2] ?? '') as DiskFullInput
const { mount, life, flush, watchful, ballast, seed } = input
const directory = `${mount}/store`
const ballastPath = `${mount}/ballast`
const random = new Random(seed)
const acks = new AckLog(input.ledger)
const refused = new Set<number>()
const codes = new Set<string>()
let next = 0
let resumed = 0

const timers: Timers = { ...systemTimers, after: (ms, act) => systemTimers.after(watchful && ms >= 10_000 ? 10 : ms, act) }

function open(options: StoreOptions = {}): Promise<MessageStore> {
  const policy = { flush, flushIntervalMs: 5, flushTimeoutMs: 60_000 }
  return MessageStore.open(directory, { ...smallSizes, ...policy, ...options }, { timers })
}

function takeSpace(): void {
  mkdirSync(ballastPath)
  if ('leavesBytes' in ballast) {
    const { bavail, bsize } = statfsSync(mount)
    writeFileSync(`${ballastPath}/0`, Buffer.alloc(bavail * bsize - ballast.leavesBytes, 1))
  }
  if ('files' in ballast) for (let i = 0; i < ballast.files; i++) writeFileSync(`${ballastPath}/${i}`, '')
}

/** Takes what is left to the last byte, or the last name. */
function takeRest(): void {
  for (let i = 0, bytes = 1 << 20; ; i++) {
    try {
      writeFileSync(`${ballastPath}/rest-${i}`, 'leavesBytes' in ballast ? Buffer.alloc(bytes, 1) : '')
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ENOSPC')
      if (bytes === 1 || !('leavesBytes' in ballast)) return
      bytes >>= 1
    }
  }
}

/** Puts until some are refused, then tries on a little. */
async function fill(store: MessageStore): Promise<void> {
  let left = 30
  await putLoad(store, {
    round: 0,
    writers: 4,
    window: 100,
    first: next,
    acks,
    onNumber: (n) => {
      next = n
    },
    onError: (error, first, count) => {
      codes.add((error as MessageStoreError).code)
      const numbers = Array.from({ length: count }, (_, i) => first + i)
      for (const n of numbers) refused.add(n)
      acks.note(`refused-${numbers.join('-')}`)
      return --left > 0
    },
  })
}

async function check(store: MessageStore): Promise<void> {
  const { acks, notes } = readLedger(input.ledger)
  for (const { word } of notes) for (const n of word.split('-').slice(1)) refused.add(Number(n))
  const { lost } = await checkStore(store, [{ round: 0, acks, refused }], random)
  assert.deepEqual(lost, [])
}

/** Puts one message as soon as the store takes it. */
async function resume(store: MessageStore): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const n = next++
    const message = messageOf(0, n)
    const receipt = await store.put(message).catch((error: MessageStoreError) => {
      assert.equal(error.code, 'DISK_FULL')
      refused.add(n)
    })
    if (receipt !== undefined) {
      acks.add(n, receipt, message.body)
      resumed += 1
      return
    }
    assert.ok(attempt < 600, 'puts do not resume although there is space')
    await sleep(50)
  }
}

async function openAndCheck(options: StoreOptions = {}): Promise<MessageStore> {
  const store = await open(options)
  assert.equal(store.status, options.readOnly ? 'readOnly' : 'open', JSON.stringify(store.recovery))
  assert.deepEqual(store.recovery.corruption, [])
  await check(store)
  return store
}

/** With not a byte left the store opens, or says that the disk is full; to be read it opens always. */
async function openWithoutSpace(): Promise<void> {
  takeRest()
  await (await openAndCheck({ readOnly: true })).close()
  const opened = await open().catch((error: MessageStoreError) => error.code)
  if (opened instanceof MessageStore) {
    await check(opened)
    await opened.close()
  } else {
    assert.equal(opened, 'DISK_FULL')
  }
  await (await openAndCheck({ readOnly: true })).close()
}

async function fillAndResume(): Promise<void> {
  const store = await open()
  let failure: unknown
  store.on('failed', ({ error }) => {
    failure = error
  })
  await fill(store)
  assert.equal(failure, undefined)
  await check(store)
  rmSync(ballastPath, { recursive: true })
  await resume(store)
  await putLoad(store, { round: 0, writers: 2, window: 10, first: next, messages: 200, acks })
  next += 200
  await check(store)
  await store.close()
}

async function fillAndClose(): Promise<void> {
  const store = await open()
  await fill(store)
  await store.close()
  await openWithoutSpace()
}

async function fillAndKill(): Promise<void> {
  const child = startProgram('disk-full-run', { ...input, life: 'put and wait' })
  if (!(await child.printed('full\n'))) assert.fail((await child.exit).stderr)
  child.process.kill('SIGKILL')
  await child.exit
  await openWithoutSpace()
}

if (life === 'put and wait') {
  const store = await open()
  await fill(store)
  process.stdout.write('full\n')
  await sleep(600_000)
}
takeSpace()
if (life === 'fill') await fillAndResume()
if (life === 'close') await fillAndClose()
if (life === 'kill') await fillAndKill()
const freeAtWorst = statfsSync(mount).bavail
rmSync(ballastPath, { recursive: true, force: true })
const store = await openAndCheck()
next = Math.max(next, ...readLedger(input.ledger).acks.map(({ n }) => n + 1), ...[...refused].map((n) => n + 1))
await resume(store)
await check(store)
await store.close()
for (const name of readdirSync(mount)) rmSync(`${mount}/${name}`, { recursive: true, force: true })
assert.ok(refused.size > 0, 'the disk was never full')
process.stdout.write(
  JSON.stringify({ acks: readLedger(input.ledger).acks.length, refused: refused.size, resumed, codes: [...codes], freeAtWorst }),
)
