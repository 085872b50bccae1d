/** What the disk in memory has beyond the port: snapshots, damage, a limit of space, a clock. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { pageBytes } from '../../lib/disk/paged-bytes.js'
import { codeIn } from './conformance.js'

function diskWith(content: string, options: ConstructorParameters<typeof MemoryDisk>[0] = {}): MemoryDisk {
  const disk = new MemoryDisk(options)
  disk.makeDirectory('/d')
  const file = disk.open('/d/f', { write: true, create: true })
  file.writeAt(Buffer.from(content), 0)
  file.close()
  return disk
}

const text = (disk: MemoryDisk, path = '/d/f') => Buffer.from(disk.bytesOf(path)).toString()

test('a snapshot can be restored any number of times, whatever was changed in between', () => {
  const disk = diskWith('first')
  const snapshot = disk.snapshot()
  for (let round = 0; round < 3; round += 1) {
    disk.overwrite('/d/f', 0, Buffer.from('OTHER'))
    disk.rename('/d/f', '/d/g')
    disk.makeDirectory('/d/e')
    assert.deepEqual(disk.files(), ['/d/g'])
    disk.restore(snapshot)
    assert.deepEqual(disk.files(), ['/d/f'])
    assert.equal(text(disk), 'first')
    assert.equal(disk.usedBytes, pageBytes)
  }
})

test('bytes can be looked at and damaged under an open file', () => {
  const disk = diskWith('intact')
  const file = disk.open('/d/f', {})
  disk.overwrite('/d/f', 2, Buffer.from('X'))
  const target = Buffer.alloc(6)
  file.readAt(target, 0)
  assert.equal(target.toString(), 'inXact')
  assert.equal(Buffer.from(disk.bytesOf('/d/f', 1, 3)).toString(), 'nX')
  assert.throws(() => disk.bytesOf('/d/none'), codeIn('ENOENT'))
})

test('a full disk takes a prefix of a write and refuses the rest; space returns with removal', () => {
  const disk = diskWith('x', { capacityBytes: 3 * pageBytes })
  const file = disk.open('/d/g', { write: true, create: true })
  assert.throws(() => file.writeAt(new Uint8Array(5 * pageBytes).fill(1), 10), codeIn('ENOSPC'))
  assert.equal(file.size(), 2 * pageBytes)
  assert.equal(disk.space('/d').freeBytes, 0)
  file.writeAt(new Uint8Array(100), 0)
  file.resize(2 ** 30)
  assert.throws(() => file.writeAt(new Uint8Array(1), 2 ** 20), codeIn('ENOSPC'))
  disk.remove('/d/f')
  file.writeAt(new Uint8Array(1), 2 ** 20)
  assert.equal(disk.usedBytes, 3 * pageBytes)
})

test('the time of change is that of the clock at the last write or cut', () => {
  let now = 1000
  const disk = diskWith('x', { clock: { now: () => now } })
  now = 2000
  assert.equal(disk.stat('/d/f')?.modifiedMs, 1000)
  const file = disk.open('/d/f', { write: true })
  assert.equal(disk.stat('/d/f')?.modifiedMs, 1000)
  file.writeAt(Buffer.from('y'), 0)
  assert.equal(disk.stat('/d/f')?.modifiedMs, 2000)
  now = 3000
  file.resize(0)
  assert.equal(disk.stat('/d/f')?.modifiedMs, 3000)
})
