/** Small files are replaced so that any crash leaves the old content or the new, and the new once it is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readWhole, replaceFile } from '../../lib/disk/replace.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'

const [before, after] = [Buffer.alloc(1500, 1), Buffer.alloc(900, 2)]

async function start(): Promise<SimDisk> {
  const disk = new SimDisk()
  disk.makeDirectory('/d')
  await replaceFile(disk, '/d/file', before)
  disk.settle()
  return disk
}

test('power lost at any operation leaves the old content whole or the new', async () => {
  const disk = await start()
  const random = new Random(1)
  let crashes = 0
  disk.onOperation = () => {
    for (const directories of ['any', 'ordered'] as const) {
      for (let n = 0; n < 50; n++) {
        const content = readWhole(disk.crash({ random, directories }), '/d/file')
        assert.ok(content?.equals(before) || content?.equals(after))
        crashes++
      }
    }
  }
  await replaceFile(disk, '/d/file', after)
  assert.ok(crashes >= 500)
})

test('the new content survives power loss as soon as it is told', async () => {
  const disk = await start()
  await replaceFile(disk, '/d/file', after)
  for (const directories of ['any', 'ordered'] as const) {
    assert.ok(readWhole(disk.crash({ directories }), '/d/file')?.equals(after))
  }
})
