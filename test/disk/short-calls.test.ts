/** The system may read and write less than it was asked to, without an error: the real disk goes on until all is done. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { type TestContext, test } from 'node:test'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { inDirectory } from '../support/scratch.js'

type Call = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number) => number

/** Lets a call move a part of what it is asked to, at most so many bytes. */
function shorten(t: TestContext, name: 'readSync' | 'writeSync', most: number): () => number {
  const real = fs[name] as unknown as Call
  const mocked = t.mock.method(fs, name, ((fd, bytes, offset, length, position) =>
    real(fd, bytes, offset, Math.min(length, most), position)) as Call as never)
  syncBuiltinESMExports()
  return () => {
    mocked.mock.restore()
    syncBuiltinESMExports()
    return mocked.mock.callCount()
  }
}

for (const most of [1, 7, 999]) {
  test(`writes and reads of which at most ${most} bytes are done at a time are completed, at the right place`, async (t) => {
    await inDirectory('short', async (directory) => {
      const file = nodeDisk.open(`${directory}/file`, { write: true, create: true })
      const bytes = Buffer.from(Array.from({ length: 2000 }, (_, n) => n & 0xff))
      const restoreWrite = shorten(t, 'writeSync', most)
      file.writeAt(bytes, 5)
      assert.equal(restoreWrite(), Math.ceil(2000 / most))
      const target = Buffer.alloc(2100)
      const restoreRead = shorten(t, 'readSync', most)
      assert.equal(file.readAt(target, 0), 2005)
      assert.ok(restoreRead() > 2005 / most)
      assert.deepEqual([target.subarray(0, 5), target.subarray(5, 2005)], [Buffer.alloc(5), bytes])
      file.close()
    })
  })
}
