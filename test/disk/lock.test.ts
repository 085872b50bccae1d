/**
 * Double open: whoever comes second is refused and changes not one byte.
 *
 * Holders are real processes and threads; a holder in Python stands for Java, whose lock is the same
 * fcntl record lock.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { DiskError, type DiskLock } from '../../lib/disk/disk.js'
import { NodeDisk } from '../../lib/disk/node-disk.js'

type Mode = 'native' | 'files'

const holderPath = fileURLToPath(new URL('./lock-holder.js', import.meta.url))
const roots: string[] = []
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
  for (const root of roots) rmSync(root, { recursive: true, force: true })
})

const hasPython = spawnSync('python3', ['-c', 'import fcntl']).status === 0
const hasNative = await import('fs-ext').then(
  () => true,
  () => false,
)

for (const mode of ['native', 'files'] as const) {
  describe(mode === 'native' ? 'with fs-ext' : 'without fs-ext', { skip: mode === 'native' && !hasNative }, () => {
    const kind = mode === 'native' ? 'flock+fcntl' : 'exclusive-file'

    test('the lock says how strong it is, and the file that Java locks gets its four bytes when it is locked', async () => {
      const root = freshStore()
      const lock = held(await lockHere(root, mode))
      assert.equal(lock.kind, kind)
      assert.equal(readFileSync(`${root}/lock`, 'utf8'), mode === 'native' ? 'lock' : '')
      lock.release()
    })

    test('a second process is refused and changes not one byte', async () => {
      const root = freshStore()
      const first = await startHolder(root, mode)
      assert.deepEqual(first.outcome, { kind })
      const before = digest(root)
      for (const other of ['native', 'files'] as const) {
        const second = await startHolder(root, other)
        assert.deepEqual(second.outcome, { heldBy: `process ${first.child.pid}` }, `${other} against ${mode}`)
        await second.stop()
      }
      assert.equal(digest(root), before)
      await first.stop()
    })

    test('this process and its threads are refused while it holds the lock itself', async () => {
      const root = freshStore()
      const lock = held(await lockHere(root, mode))
      const before = digest(root)
      assert.deepEqual(await lockHere(root, mode), { heldBy: 'this process' })
      for (const other of ['native', 'files'] as const) {
        const thread = await startThread(root, other)
        assert.ok('heldBy' in thread.outcome, `${other} in a thread against ${mode}: ${JSON.stringify(thread.outcome)}`)
        await thread.stop()
      }
      assert.equal(digest(root), before)
      // The refused thread closed no descriptor that would have dropped our lock.
      const second = await startHolder(root, mode)
      assert.ok('heldBy' in second.outcome)
      lock.release()
    })

    test('of two threads one is refused', async () => {
      const root = freshStore()
      const first = await startThread(root, mode)
      // fs-ext cannot be loaded in a second thread, so threads lock by files whatever is installed.
      assert.deepEqual(first.outcome, { kind: 'exclusive-file' })
      const second = await startThread(root, mode)
      assert.ok('heldBy' in second.outcome)
      await first.stop()
      await second.stop()
      held(await lockHere(root, mode)).release()
    })

    test('a directory reached through a link is the same directory', async () => {
      const root = freshStore()
      symlinkSync(root, `${root}-link`)
      roots.push(`${root}-link`)
      const lock = held(await lockHere(root, mode))
      const before = digest(root)
      assert.ok('heldBy' in (await lockHere(`${root}-link`, mode)))
      const other = await startHolder(`${root}-link`, mode)
      assert.deepEqual(other.outcome, { heldBy: `process ${process.pid}` })
      assert.equal(digest(root), before)
      lock.release()
    })

    test('a holder that is killed leaves the lock free', async () => {
      const root = freshStore()
      const first = await startHolder(root, mode)
      assert.deepEqual(first.outcome, { kind })
      await first.kill()
      const lock = held(await lockHere(root, mode))
      const second = await startHolder(root, mode)
      assert.deepEqual(second.outcome, { heldBy: `process ${process.pid}` })
      lock.release()
    })

    test('of many processes that come at once after a kill, exactly one gets the lock', async () => {
      const root = freshStore()
      for (let round = 0; round < 2; round += 1) {
        const crowd = await Promise.all(
          Array.from({ length: 4 }, (_, at) => startHolder(root, at === 0 ? mode : at % 2 === 0 ? 'native' : 'files')),
        )
        const winners = crowd.filter(({ outcome }) => 'kind' in outcome)
        // The two ways announce themselves before they look: a tie may refuse both, never admit both.
        assert.ok(winners.length <= 1, JSON.stringify(crowd.map(({ outcome }) => outcome)))
        await Promise.all(crowd.map((holder) => holder.kill()))
      }
      held(await lockHere(root, mode)).release()
    })

    test('a Java store that holds its lock keeps us out, and sees not one byte changed', { skip: !hasPython }, async () => {
      const root = freshStore()
      writeFileSync(`${root}/lock`, 'lock')
      const java = await startJavaLikeHolder(root)
      const before = digest(root)
      assert.deepEqual(await lockHere(root, mode), { heldBy: `process ${java.pid}` })
      assert.equal(digest(root), before)
      java.kill('SIGKILL')
      await exited(java)
      held(await lockHere(root, mode)).release()
    })
  })
}

describe('against Java', { skip: !hasPython || !hasNative }, () => {
  test('a Java store is refused while we hold the lock, also after refused openings here', async () => {
    const root = freshStore()
    const lock = held(await lockHere(root, 'native'))
    await lockHere(root, 'native')
    await lockHere(root, 'files')
    const tried = spawnSync('python3', ['-c', javaLock('sys.exit(0)'), `${root}/lock`])
    assert.equal(tried.status, 3, String(tried.stderr))
    lock.release()
    const free = spawnSync('python3', ['-c', javaLock('sys.exit(0)'), `${root}/lock`])
    assert.equal(free.status, 0, String(free.stderr))
  })

  test('the content of the file that Java locks is kept', async () => {
    const root = freshStore()
    writeFileSync(`${root}/lock`, 'something else')
    held(await lockHere(root, 'native')).release()
    assert.equal(readFileSync(`${root}/lock`, 'utf8'), 'something else')
  })
})

describe('holder files', () => {
  const boot = existsSync('/proc/sys/kernel/random/boot_id') ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : ''
  const host = existsSync('/proc/sys/kernel/hostname') ? readFileSync('/proc/sys/kernel/hostname', 'utf8').trim() : ''
  const leave = (root: string, number: number, holder: unknown) => {
    mkdirSync(`${root}/ext`, { recursive: true })
    writeFileSync(`${root}/ext/lock.${number}`, typeof holder === 'string' ? holder : JSON.stringify(holder))
  }
  const stale: [string, unknown][] = [
    ['a process that is gone', { host, boot, pid: 4_000_000, started: '1' }],
    ['another process that got its pid', { host, boot, pid: process.pid, started: '1' }],
    ['a process from before the last start of the machine', { host, boot: 'another boot', pid: process.pid, started: '' }],
    ['a holder that has released it', ''],
  ]
  for (const [whose, holder] of stale) {
    test(`a file of ${whose} is stale: the lock is taken and the file goes`, async () => {
      const root = freshStore()
      leave(root, 7, holder)
      const lock = held(await lockHere(root, 'files'))
      assert.deepEqual(
        readdirSync(`${root}/ext`).filter((name) => name.startsWith('lock')),
        ['lock.8'],
      )
      lock.release()
      held(await lockHere(root, 'native')).release()
    })
  }
  const alive: [string, unknown][] = [
    ['a live process', { host, boot, pid: process.ppid, started: '' }],
    ['another host', { host: 'elsewhere', boot, pid: 1, started: '1' }],
    ['nobody that can be read', '{"pid":'],
  ]
  for (const [whose, holder] of alive) {
    test(`a file of ${whose} counts as held, in both ways of locking`, async () => {
      const root = freshStore()
      leave(root, 7, holder)
      writeFileSync(`${root}/ext/lock`, '')
      const before = digest(root)
      assert.ok('heldBy' in (await lockHere(root, 'files')))
      assert.ok('heldBy' in (await lockHere(root, 'native')))
      assert.equal(digest(root), before)
    })
  }

  test('a link in the place of a holder file counts as held', async () => {
    const root = freshStore()
    mkdirSync(`${root}/ext`)
    symlinkSync('/dev/null', `${root}/ext/lock.1`)
    assert.ok('heldBy' in (await lockHere(root, 'files')))
  })

  test('a taker that was overtaken between looking and linking withdraws', async () => {
    const root = freshStore()
    mkdirSync(`${root}/ext`)
    // Somebody took 1 and 2 and removed 1 while we were about to link 1: seen as a higher number afterwards.
    const { acquireHolderFile } = await import('../../lib/disk/holder-file.js')
    const disk = new NodeDisk()
    const taken = acquireHolderFile(
      {
        disk,
        link(from, to) {
          leave(root, 2, { host, boot, pid: process.ppid, started: '' })
          linkSync(from, to)
        },
      },
      `${root}/ext/lock`,
    )
    assert.ok('heldBy' in taken)
    assert.deepEqual(readdirSync(`${root}/ext`), ['lock.2'])
  })

  test('a taker that was overtaken right after it found the last file stale does not take the number after next', async () => {
    const { acquireHolderFile } = await import('../../lib/disk/holder-file.js')
    for (let listing = 1; listing <= 3; listing += 1) {
      const root = freshStore()
      leave(root, 1, { host, boot, pid: 4_000_000, started: '1' })
      const disk = new NodeDisk()
      let seen = 0
      const watched = new Proxy(disk, {
        get(target, name) {
          if (name !== 'list') return Reflect.get(target, name).bind(target) as unknown
          return (path: string) => {
            const names = target.list(path)
            seen += 1
            // The other one takes number 2 the moment after we have looked.
            if (seen === listing && !names.some((entry) => entry.name === 'lock.2'))
              leave(root, 2, { host, boot, pid: process.ppid, started: '' })
            return names
          }
        },
      })
      const link = (from: string, to: string): void => {
        if (existsSync(to)) throw new DiskError('EEXIST', 'link', to)
        linkSync(from, to)
      }
      const taken = acquireHolderFile({ disk: watched, link }, `${root}/ext/lock`)
      const files = readdirSync(`${root}/ext`)
      if ('heldBy' in taken)
        assert.deepEqual(
          files.filter((name) => name === 'lock.3'),
          [],
        )
      else
        assert.equal(
          readFileSync(`${root}/ext/lock.2`, 'utf8').includes(`"pid":${process.pid}`),
          true,
          `listing ${listing}: ${files.join(' ')}`,
        )
    }
  })
})

function freshStore(): string {
  const root = mkdtempSync(join(tmpdir(), 'mqlite-lock-'))
  roots.push(root)
  mkdirSync(`${root}/commitlog`)
  writeFileSync(`${root}/commitlog/00000000000000000000`, 'records')
  writeFileSync(`${root}/lock`, '')
  return root
}

function lockHere(root: string, mode: Mode): Promise<DiskLock | { heldBy: string }> {
  return new NodeDisk({ nativeLocks: mode === 'native' }).lock(`${root}/ext/lock`, `${root}/lock`)
}

function held(lock: DiskLock | { heldBy: string }): DiskLock {
  assert.ok('release' in lock, `expected the lock, but it is held by ${JSON.stringify(lock)}`)
  return lock
}

/** Names, contents and times of change of everything below. */
function digest(root: string): string {
  const hash = createHash('sha256')
  const walk = (path: string) => {
    const stat = lstatSync(path)
    hash.update(`${path.slice(root.length)} ${stat.mode} ${stat.size} ${stat.mtimeMs} ${stat.ino}\n`)
    if (stat.isDirectory()) for (const name of readdirSync(path).sort()) walk(`${path}/${name}`)
    else if (stat.isFile()) hash.update(readFileSync(path))
  }
  walk(root)
  return hash.digest('hex')
}

type Outcome = { kind: string } | { heldBy: string }

async function startHolder(
  root: string,
  mode: Mode,
): Promise<{ child: ChildProcess; outcome: Outcome; stop(): Promise<void>; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [holderPath, root, mode], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const outcome = JSON.parse(await firstLine(child)) as Outcome
  return {
    child,
    outcome,
    async stop() {
      child.stdin?.write('stop\n')
      await exited(child)
    },
    async kill() {
      child.kill('SIGKILL')
      await exited(child)
    },
  }
}

async function startThread(root: string, mode: Mode): Promise<{ outcome: Outcome; stop(): Promise<void> }> {
  const worker = new Worker(holderPath, { workerData: [root, mode] })
  const message = () => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const outcome = (await message()) as Outcome
  return {
    outcome,
    async stop() {
      const released = message()
      worker.postMessage('stop')
      await released
      await worker.terminate()
    },
  }
}

/** Locks byte 0, as Java's FileChannel.tryLock(0, 1, false) does; exit code 3 when it is held. */
function javaLock(then: string): string {
  return [
    'import fcntl, sys',
    'f = open(sys.argv[1], "r+b")',
    'try:',
    '  fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)',
    'except OSError:',
    '  sys.exit(3)',
    'print("locked", flush=True)',
    then,
  ].join('\n')
}

async function startJavaLikeHolder(root: string): Promise<ChildProcess> {
  const child = spawn('python3', ['-c', javaLock('sys.stdin.read()'), `${root}/lock`], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  assert.equal(await firstLine(child), 'locked')
  return child
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it said anything`)))
  })
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}
