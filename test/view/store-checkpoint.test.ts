/** RocketMQ's checkpoint: kept whole through any crash, believed only when it is possible. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { CHECKPOINT_BYTES, loadCheckpoint, saveCheckpoint } from '../../lib/view/store-checkpoint.js'
import { SimDisk } from '../support/sim-disk.js'

const times = { physicMsgTimestamp: 3, logicsMsgTimestamp: 2, indexMsgTimestamp: 1 }
const none = { physicMsgTimestamp: 0, logicsMsgTimestamp: 0, indexMsgTimestamp: 0 }

function put(disk: MemoryDisk, bytes: Uint8Array): void {
  const file = disk.open('/s/checkpoint', { write: true, create: true })
  file.resize(0)
  file.writeAt(bytes, 0)
  file.close()
}

describe('checkpoint', () => {
  test('it reads back as it was written, and what else the file held is kept', async () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/s')
    assert.deepEqual(loadCheckpoint(disk, '/s'), none)
    const before = Buffer.alloc(CHECKPOINT_BYTES)
    before.writeBigInt64BE(77n, 24)
    before.writeBigInt64BE(88n, 32)
    put(disk, before)
    await saveCheckpoint(disk, '/s', times)
    assert.deepEqual(loadCheckpoint(disk, '/s'), times)
    const after = Buffer.from(disk.bytesOf('/s/checkpoint'))
    assert.deepEqual([after.length, after.readBigInt64BE(24), after.readBigInt64BE(32)], [CHECKPOINT_BYTES, 77n, 88n])
  })

  test('short, empty and impossible ones are unknown times, never an error', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/s')
    for (const length of [0, 1, 23]) {
      put(disk, Buffer.alloc(length, 1))
      assert.deepEqual(loadCheckpoint(disk, '/s'), none)
    }
    put(disk, Buffer.alloc(CHECKPOINT_BYTES, 0xff))
    assert.deepEqual(loadCheckpoint(disk, '/s'), none)
  })

  test('a crash at any operation of its replacement leaves the old one or the new one', async () => {
    const disk = new SimDisk()
    disk.makeDirectory('/s')
    await saveCheckpoint(disk, '/s', times)
    disk.settle()
    const next = { physicMsgTimestamp: 30, logicsMsgTimestamp: 20, indexMsgTimestamp: 10 }
    const images: SimDisk[] = []
    disk.onOperation = () => {
      for (const choice of [0, 1]) images.push(disk.crash({ choose: { choose: (count) => (choice === 0 ? 0 : count - 1) } }))
    }
    await saveCheckpoint(disk, '/s', next)
    images.push(disk.crash())
    const found = images.map((image) => loadCheckpoint(image, '/s').physicMsgTimestamp)
    assert.ok(
      found.every((ms) => ms === 3 || ms === 30),
      String(found),
    )
    assert.equal(found.at(-1), 30)
  })
})
