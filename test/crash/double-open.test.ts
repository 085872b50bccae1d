/**
 * DOUBLE: who comes second to a store is refused with `STORE_LOCKED`, and not one byte of it changes.
 *
 * The first is in turn this process, another process, a thread, a process without the native locks, and a
 * program that locks as Java does. `test/disk/lock.test.ts` has the same for the lock alone.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { MessageStoreError } from '../../lib/base/errors.js'
import { NodeDisk } from '../../lib/disk/node-disk.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { type Child, killChildren, programPath, start, startProgram } from '../support/children.js'
import { digestOf } from '../support/digest.js'
import { messageOf, smallSizes } from '../support/load.js'
import { inDirectory } from '../support/scratch.js'
import type { StoreHolderOutcome } from '../support/store-holder.js'

const hasPython = spawnSync('python3', ['-c', 'import fcntl']).status === 0

after(killChildren)

interface Holder {
  readonly outcome: StoreHolderOutcome
  stop(): Promise<unknown>
  kill(): Promise<unknown>
}

/** Ways to try to open a store; each gives the outcome and lets go again. */
const openers: Readonly<Record<string, (directory: string) => Promise<Holder>>> = {
  'this process': (directory) => hereHolder(directory, true),
  'this process without native locks': (directory) => hereHolder(directory, false),
  'another process': (directory) => processHolder(directory, true),
  'another process without native locks': (directory) => processHolder(directory, false),
  'a thread': (directory) => threadHolder(directory),
}

for (const [first, hold] of Object.entries(openers)) {
  describe(`while ${first} has a store open`, () => {
    test('every other opener is refused and changes not one byte', () =>
      inDirectory('double', async (root) => {
        const directory = await filledStore(`${root}/store`)
        const holder = await hold(directory)
        assert.deepEqual(holder.outcome, { opened: true })
        const before = digestOf(directory)
        symlinkSync(directory, `${root}/link`)
        await Promise.all([
          ...everyOpener(directory, first),
          assertRefused(openers['this process']!, `${root}/link`, 'this process through a link'),
          assertRefused(openers['another process']!, `${root}/link`, 'another process through a link'),
        ])
        assert.equal(digestOf(directory), before)
        await holder.stop()
        await assertComplete(directory)
      }))
  })
}

test('a holder that is killed leaves the store free, and what it had put is there', () =>
  inDirectory('double', async (root) => {
    const directory = await filledStore(`${root}/store`)
    const killed = ['another process', 'another process without native locks', 'a thread']
    for (const name of killed) {
      const holder = await openers[name]!(directory)
      assert.deepEqual(holder.outcome, { opened: true }, name)
      await holder.kill()
      await assertComplete(directory)
    }
  }))

test('a store opened to be read is not in the way, and is not stopped by who has it open', () =>
  inDirectory('double', async (root) => {
    const directory = await filledStore(`${root}/store`)
    const writer = await processHolder(directory, true)
    const before = digestOf(directory)
    const reader = await MessageStore.open(directory, { ...smallSizes, readOnly: true })
    assert.equal(reader.bounds('orders', 0).maxOffset, 20)
    await assertRefused(openers['another process']!, directory, 'a second writer beside a reader')
    await reader.close()
    assert.equal(digestOf(directory), before)
    await writer.stop()
  }))

describe('while a Java store holds the directory', { skip: !hasPython && 'python3 stands for Java and is not there' }, () => {
  for (const kind of ['that mqlite has written', 'that mqlite has never seen'] as const) {
    test(`a directory ${kind} is refused to every opener, not one byte changed`, () =>
      inDirectory('double', async (root) => {
        const directory = kind === 'that mqlite has written' ? await filledStore(`${root}/store`) : javaStore(`${root}/store`)
        const java = await startJavaLikeHolder(directory)
        const before = digestOf(directory)
        await Promise.all(everyOpener(directory, 'Java'))
        assert.equal(digestOf(directory), before)
        java.process.kill('SIGKILL')
        await java.exit
        const holder = await processHolder(directory, true)
        assert.deepEqual(holder.outcome, { opened: true })
        await holder.stop()
      }))
  }
})

async function filledStore(directory: string): Promise<string> {
  const store = await MessageStore.open(directory, smallSizes)
  for (let n = 0; n < 20; n++) await store.put({ ...messageOf(0, n), topic: 'orders', queueId: 0 })
  await store.close()
  return directory
}

/** What a Java store makes of an empty directory before its first message. */
function javaStore(directory: string): string {
  for (const name of ['commitlog', 'consumequeue', 'config', 'index']) mkdirSync(`${directory}/${name}`, { recursive: true })
  writeFileSync(`${directory}/lock`, 'lock')
  writeFileSync(`${directory}/abort`, '')
  writeFileSync(`${directory}/checkpoint`, Buffer.alloc(4096))
  return directory
}

function everyOpener(directory: string, holder: string): Promise<void>[] {
  return Object.entries(openers).map(([name, open]) => assertRefused(open, directory, `${name} after ${holder}`))
}

async function assertRefused(open: (directory: string) => Promise<Holder>, directory: string, what: string): Promise<void> {
  const holder = await open(directory)
  const { outcome } = holder
  if ('opened' in outcome) await holder.stop()
  assert.ok('code' in outcome, `${what} was let in`)
  assert.equal(outcome.code, 'STORE_LOCKED', `${what}: ${outcome.message}`)
  await holder.stop()
}

async function assertComplete(directory: string): Promise<void> {
  const store = await MessageStore.open(directory, smallSizes)
  assert.equal(store.status, 'open')
  assert.equal(store.bounds('orders', 0).maxOffset, 20)
  await store.close()
}

async function hereHolder(directory: string, nativeLocks: boolean): Promise<Holder> {
  const opened = await MessageStore.open(directory, smallSizes, { disk: new NodeDisk({ nativeLocks }) }).catch(
    (error: unknown) => error,
  )
  const stop = async (): Promise<unknown> => (opened instanceof MessageStore ? await opened.close() : undefined)
  if (opened instanceof MessageStore) return { outcome: { opened: true }, stop, kill: stop }
  if (!(opened instanceof MessageStoreError)) throw opened
  return { outcome: { code: opened.code, message: opened.message }, stop, kill: stop }
}

async function processHolder(directory: string, native: boolean): Promise<Holder> {
  const child = startProgram('store-holder', { directory, native }, { stdio: ['pipe', 'pipe', 'inherit'] })
  const outcome = JSON.parse(await firstLine(child)) as StoreHolderOutcome
  return {
    outcome,
    stop: () => {
      child.process.stdin?.write('stop\n')
      return child.exit
    },
    kill: () => {
      child.process.kill('SIGKILL')
      return child.exit
    },
  }
}

async function threadHolder(directory: string): Promise<Holder> {
  const worker = new Worker(programPath('store-holder'), { workerData: { directory, native: true } })
  const outcome = await new Promise<StoreHolderOutcome>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject)
  })
  const stop = (): Promise<unknown> => {
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    worker.postMessage('stop')
    return ended
  }
  return { outcome, stop, kill: () => worker.terminate() }
}

/** Locks byte 0 for writing, as Java's `FileChannel.tryLock(0, 1, false)` does. */
async function startJavaLikeHolder(directory: string): Promise<Child> {
  const program = [
    'import fcntl, sys',
    'f = open(sys.argv[1], "r+b")',
    'fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)',
    'print("locked", flush=True)',
    'sys.stdin.read()',
  ].join('\n')
  const child = start('python3', ['-c', program, `${directory}/lock`], { stdio: ['pipe', 'pipe', 'inherit'] })
  assert.equal(await firstLine(child), 'locked')
  return child
}

async function firstLine(child: Child): Promise<string> {
  if (!(await child.printed('\n'))) assert.fail('the process ended without a word')
  return child.stdoutSoFar().split('\n')[0]!
}
