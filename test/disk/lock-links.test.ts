/** A link in the place of a lock, or of the directory of the locks, is refused: what it points to is nobody's business. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { NodeDisk } from '../../lib/disk/node-disk.js'
import { inDirectory } from '../support/scratch.js'

for (const nativeLocks of [true, false]) {
  test(`links are refused and not followed, ${nativeLocks ? 'with the locks of the system' : 'with files alone'}`, async () => {
    const disk = new NodeDisk({ nativeLocks })
    for (const linked of ['ext', 'ext/lock', 'lock']) {
      await inDirectory('lock-links', async (root) => {
        mkdirSync(`${root}/elsewhere`)
        mkdirSync(`${root}/store`)
        if (linked === 'ext') symlinkSync(`${root}/elsewhere`, `${root}/store/ext`)
        else {
          mkdirSync(`${root}/store/ext`)
          writeFileSync(`${root}/elsewhere/file`, '')
          symlinkSync(`${root}/elsewhere/file`, `${root}/store/${linked}`)
        }
        const before = readdirSync(`${root}/elsewhere`)
        await assert.rejects(disk.lock(`${root}/store/ext/lock`, `${root}/store/lock`), { code: 'ELOOP' }, linked)
        assert.deepEqual(readdirSync(`${root}/elsewhere`), before)
        assert.equal(readdirSync(`${root}/store`).includes('lock'), linked === 'lock')
      })
    }
  })
}
