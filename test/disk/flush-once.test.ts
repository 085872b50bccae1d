/** The system tells an error once for each descriptor, so no two flushes of one may look for it at the same time. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { inDirectory } from '../support/scratch.js'

type Call = (fd: number, callback: (error: Error | null) => void) => void

test('a flush begins when the one before it has ended, and fails with it', async (t) => {
  await inDirectory('flushes', async (directory) => {
    const file = nodeDisk.open(`${directory}/file`, { write: true, create: true })
    const running: ((error: Error | null) => void)[] = []
    const mocked = t.mock.method(fs, 'fdatasync', ((_, callback) => void running.push(callback)) as Call as never)
    syncBuiltinESMExports()
    const end = async (code?: string): Promise<void> => {
      assert.equal(running.length, 1)
      running.pop()!(code === undefined ? null : Object.assign(new Error(code), { code }))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const outcomes = Promise.allSettled([file.flush(), file.flush(), file.flush()])
    await end()
    await end('EIO')
    assert.equal(running.length, 0)
    const last = file.flush()
    await end()
    await last
    mocked.mock.restore()
    syncBuiltinESMExports()
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    file.close()
  })
})
