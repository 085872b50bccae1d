/** A worker thread that ends without a word gives its lock back, while its process goes on. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Disk, DiskError, type DiskLock, type OpenMode } from '../../lib/disk/disk.js'
import { acquireHolderFile, holderFileOwner } from '../../lib/disk/holder-file.js'
import { NodeDisk } from '../../lib/disk/node-disk.js'
import { inDirectory } from '../support/scratch.js'

const holderPath = fileURLToPath(new URL('./lock-holder.js', import.meta.url))
const hasThreads = existsSync('/proc/thread-self/stat')

describe('a thread that ends without release', { skip: !hasThreads && 'this system does not tell of threads' }, () => {
  for (const end of ['process.exit', 'an uncaught error', 'terminate', 'nothing left to do']) {
    test(`by ${end} leaves the lock free to its process, to new threads and to other processes`, () =>
      inDirectory('lock-threads', async (root) => {
        for (const mode of ['native', 'files', 'thread', 'process'] as const) {
          const thread = await startThread(root)
          assert.deepEqual(thread.outcome, { kind: 'exclusive-file' })
          assert.deepEqual(await lockHere(root, 'files'), { heldBy: 'this process' })
          assert.deepEqual(await lockHere(root, 'native'), { heldBy: 'this process' })
          assert.deepEqual(lockElsewhere(root), { heldBy: `process ${process.pid}` })
          await thread.end(end)
          await assertFree(root, mode)
        }
      }))
  }

  test('leaves it to one of many threads that come at once', () =>
    inDirectory('lock-threads', async (root) => {
      const first = await startThread(root)
      await first.end('terminate')
      const crowd = await Promise.all(Array.from({ length: 4 }, () => startThread(root)))
      const winners = crowd.filter(({ outcome }) => 'kind' in outcome)
      assert.ok(winners.length <= 1, JSON.stringify(crowd.map(({ outcome }) => outcome)))
      if (winners.length === 1) assert.ok('heldBy' in (await lockHere(root, 'files')))
      for (const thread of crowd) await thread.end('terminate')
      await assertFree(root, 'files')
    }))
})

describe('a file of a thread', { skip: !hasThreads && 'this system does not tell of threads' }, () => {
  const left = (root: string, changes: object): void => {
    acquired(acquireHolderFile({ disk: new NodeDisk(), link: linkSync }, `${root}/lock`))
    const holder = JSON.parse(readFileSync(`${root}/lock.1`, 'utf8')) as object
    writeFileSync(`${root}/lock.1`, JSON.stringify({ ...holder, ...changes }))
  }

  test('counts as held where its id or its start was not written, as earlier versions did', () =>
    inDirectory('lock-threads', async (root) => {
      for (const [at, changes] of [{ thread: undefined }, { threadStarted: undefined }, { thread: -1 }].entries()) {
        mkdirSync(`${root}/${at}`)
        left(`${root}/${at}`, changes)
        assert.match(
          holderFileOwner(new NodeDisk(), `${root}/${at}/lock`) ?? 'nobody',
          /^this process; a thread of it that ended/,
        )
      }
    }))

  test('of another thread that got its id is stale', () =>
    inDirectory('lock-threads', async (root) => {
      left(root, { threadStarted: '1' })
      assert.equal(holderFileOwner(new NodeDisk(), `${root}/lock`), undefined)
    }))

  test('counts as held while the system does not let one look at the thread', () =>
    inDirectory('lock-threads', async (root) => {
      left(root, { thread: 4_000_000 })
      assert.equal(holderFileOwner(new NodeDisk(), `${root}/lock`), undefined)
      assert.equal(holderFileOwner(withoutThreads('EACCES'), `${root}/lock`), 'this process')
    }))
})

test('where the system does not tell of threads, the file of a thread counts as held, and the message says why', () =>
  inDirectory('lock-threads', async (root) => {
    const disk = withoutProc()
    acquired(acquireHolderFile({ disk, link: linkSync }, `${root}/lock`))
    const heldBy = 'this process; a thread of it that ended without close() keeps it until the process ends'
    assert.equal(holderFileOwner(disk, `${root}/lock`), heldBy)
  }))

type Outcome = { kind: string } | { heldBy: string }

async function startThread(root: string): Promise<{ outcome: Outcome; end(how: string): Promise<void> }> {
  const worker = new Worker(holderPath, { workerData: [root, 'native'] })
  const outcome = await new Promise<Outcome>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return {
    outcome,
    async end(how) {
      worker.removeAllListeners('error').on('error', () => {})
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      if (how === 'terminate') await worker.terminate()
      else worker.postMessage(how)
      await ended
    },
  }
}

async function assertFree(root: string, taker: 'native' | 'files' | 'thread' | 'process'): Promise<void> {
  if (taker === 'process') {
    assert.ok('kind' in lockElsewhere(root))
  } else if (taker === 'thread') {
    const thread = await startThread(root)
    assert.deepEqual(thread.outcome, { kind: 'exclusive-file' })
    await thread.end('release')
  } else {
    const lock = await lockHere(root, taker)
    assert.ok('release' in lock, JSON.stringify(lock))
    lock.release()
  }
}

function lockHere(root: string, mode: 'native' | 'files'): Promise<DiskLock | { heldBy: string }> {
  return new NodeDisk({ nativeLocks: mode === 'native' }).lock(`${root}/ext/lock`, `${root}/lock`)
}

/** What a process of its own is told; it has let go again when this returns. */
function lockElsewhere(root: string): Outcome {
  const { stdout, stderr } = spawnSync(process.execPath, [holderPath, root, 'files'], { input: 'stop\n', encoding: 'utf8' })
  assert.equal(stderr, '')
  return JSON.parse(stdout) as Outcome
}

function acquired(taken: object): void {
  assert.ok('release' in taken, JSON.stringify(taken))
}

/** A system without `/proc`. */
function withoutProc(): Disk {
  return changed('open', (path) => (path.startsWith('/proc/') ? new DiskError('ENOENT', 'open', path) : undefined))
}

/** A system that refuses to be asked about threads. */
function withoutThreads(code: string): Disk {
  return changed('stat', (path) => (path.includes('/task/') ? new DiskError(code, 'stat', path) : undefined))
}

function changed(call: 'open' | 'stat', refusal: (path: string) => DiskError | undefined): Disk {
  const disk = new NodeDisk()
  return new Proxy<Disk>(disk, {
    get(target, name) {
      const real = Reflect.get(target, name) as (path: string, mode: OpenMode) => unknown
      return (path: string, mode: OpenMode) => {
        const error = name === call ? refusal(path) : undefined
        if (error !== undefined) throw error
        return real.call(target, path, mode)
      }
    },
  })
}
