/** Copies of what recovery cuts: whole, on the disk with their names, and never in each other's place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { SegmentChain } from '../../lib/disk/segment-chain.js'
import { keepEvidence } from '../../lib/log/evidence.js'
import { SimDisk } from '../support/sim-disk.js'

function build() {
  const disk = new SimDisk()
  disk.makeDirectory('/ext')
  const files = new OpenFiles(disk)
  const chain = SegmentChain.load({ disk, files, directory: '/log', segmentBytes: 1024, writable: true })
  chain.writeAt(Buffer.alloc(3000, 7), 0)
  disk.settle()
  return { disk, chain }
}

test('a copy survives power loss with its name as soon as it is told', async () => {
  const { disk, chain } = build()
  const path = await keepEvidence(disk, '/ext', chain, 1000, 2100)
  assert.equal(path, `/ext/cut-${'1000'.padStart(20, '0')}-0`)
  for (const directories of ['any', 'ordered'] as const) {
    const copy = disk.crash({ directories }).live.bytesOf(path)
    assert.deepEqual([copy.length, copy.every((byte) => byte === 7)], [1100, true])
  }
})

test('a second copy of the same place does not replace the first', async () => {
  const { disk, chain } = build()
  const first = await keepEvidence(disk, '/ext', chain, 1000, 2100)
  const second = await keepEvidence(disk, '/ext', chain, 1000, 1500)
  assert.notEqual(second, first)
  assert.deepEqual([disk.live.stat(first)?.bytes, disk.live.stat(second)?.bytes], [1100, 500])
})

test('a copy for which there is no space is removed', async () => {
  const { disk, chain } = build()
  disk.inject({ on: 'write', path: '/ext/', code: 'ENOSPC', partialBytes: 100 })
  await assert.rejects(keepEvidence(disk, '/ext', chain, 0, 3000), /ENOSPC/)
  assert.deepEqual(disk.live.list('/ext'), [])
})
