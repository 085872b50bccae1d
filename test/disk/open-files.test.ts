/** Few descriptors for many files, and none closed under a flush. */

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { InvariantError } from '../../lib/base/errors.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { codeIn } from './conformance.js'

function slowDisk(): { disk: SimDisk; finish: () => void } {
  const disk = new SimDisk()
  disk.makeDirectory('/d')
  const waiting: (() => void)[] = []
  disk.flushLatency = () => new Promise((resolve) => waiting.push(resolve))
  const finish = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { disk, finish }
}

test('thousands of files in use need no more descriptors than the limit', () => {
  const root = mkdtempSync(join(tmpdir(), 'mqlite-open-'))
  const before = readdirSync('/proc/self/fd').length
  const files = new OpenFiles(nodeDisk, 32)
  const handles = Array.from({ length: 2000 }, (_, at) => files.file(`${root}/${at}`, true, true))
  const random = new Random(1)
  const byte = new Uint8Array(1)
  for (let step = 0; step < 5000; step += 1) {
    const at = random.int(2000)
    handles[at]?.writeAt(new Uint8Array([at % 251]), at)
    if (random.chance(0.1)) assert.ok(files.openCount <= 32)
  }
  assert.ok(readdirSync('/proc/self/fd').length <= before + 32)
  for (let at = 0; at < 2000; at += 1) {
    const handle = files.file(`${root}/${at}`, false)
    assert.equal(handle, handles[at])
    if (handle.size() > 0) assert.deepEqual([handle.readAt(byte, at), byte[0]], [1, at % 251])
  }
  files.closeAll()
  assert.equal(files.count, 0)
  assert.equal(readdirSync('/proc/self/fd').length, before)
  rmSync(root, { recursive: true })
})

test('a file that is being flushed closes after the flush, not under it', async () => {
  const { disk, finish } = slowDisk()
  const files = new OpenFiles(disk, 1)
  const first = files.file('/d/a', true, true)
  first.writeAt(Buffer.from('a'), 0)
  const flushed = first.flush()
  files.file('/d/b', true, true)
  assert.equal(files.openCount, 2)
  finish()
  await flushed
  assert.equal(files.openCount, 1)
  const closing = first.flush()
  files.close('/d/a')
  finish()
  await closing
  assert.throws(() => first.size(), InvariantError)
})

test('a file taken up again while it waits to close stays open', async () => {
  const { disk, finish } = slowDisk()
  const files = new OpenFiles(disk, 2)
  const first = files.file('/d/a', true, true)
  const flushed = first.flush()
  files.file('/d/b', true, true)
  files.file('/d/c', true, true)
  files.file('/d/a', true)
  finish()
  await flushed
  assert.equal(files.openCount, 2)
  const opened = disk.operationCount
  first.writeAt(Buffer.from('a'), 0)
  assert.equal(disk.operationCount, opened + 1)
})

test('an unflushed file that is to be kept stays open until a flush covers its writes', async () => {
  const disk = new SimDisk()
  disk.makeDirectory('/d')
  const files = new OpenFiles(disk, 1)
  const log = files.file('/d/log', true, true, true)
  log.writeAt(Buffer.from('a'), 0)
  files.file('/d/b', true, true)
  files.file('/d/c', true, true)
  assert.equal(files.openCount, 2)
  disk.inject({ on: 'flush', code: 'EIO' })
  await assert.rejects(() => log.flush(), codeIn('EIO'))
  assert.equal(files.openCount, 2)
  await log.flush()
  assert.equal(files.openCount, 1)
  files.closeAll()
  assert.equal(files.openCount, 0)
})

test('a file opened to be read is opened again when somebody wants to write', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/d')
  disk.open('/d/a', { write: true, create: true }).close()
  const files = new OpenFiles(disk, 4)
  const file = files.file('/d/a', false)
  assert.throws(() => file.writeAt(Buffer.from('x'), 0), codeIn('EBADF'))
  assert.equal(files.file('/d/a', true), file)
  file.writeAt(Buffer.from('x'), 0)
  assert.equal(files.openCount, 1)
})

test('a file that cannot be opened is not remembered; a closed one is refused', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/d')
  const files = new OpenFiles(disk, 4)
  assert.throws(() => files.file('/d/a', true), codeIn('ENOENT'))
  assert.equal(files.count, 0)
  const file = files.file('/d/a', true, true)
  files.close('/d/a')
  files.close('/d/a')
  assert.throws(() => file.size(), InvariantError)
  assert.equal(files.file('/d/a', false).size(), 0)
})
