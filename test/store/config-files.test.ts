/**
 * The configuration files that a store keeps for those above it: a crash of RocketMQ may have torn one, and ours may come at any
 * step.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freshDisk, open, root } from '../support/open-store.js'

const PATH = `${root}/config/topics.json`

describe('a configuration file that RocketMQ left torn', () => {
  for (const left of [0, 3]) {
    test(`${left} bytes of it do not replace the spare copy, so that a crash on the way loses neither`, async () => {
      const disk = freshDisk()
      const first = await open(disk)
      await first.config.write('topics', { version: 1 })
      await first.config.write('topics', { version: 2 })
      await first.close()
      const file = disk.open(PATH, { write: true })
      file.resize(left)
      file.close()
      const second = await open(disk)
      const rename = disk.rename.bind(disk)
      disk.rename = (from, to) => {
        if (to === PATH) throw new Error('the process ends here')
        rename(from, to)
      }
      await assert.rejects(second.config.write('topics', { version: 3 }), /ends here/)
      disk.rename = rename
      assert.deepEqual({ ...(second.config.read('topics') as object) }, { version: 1 })
      await second.config.write('topics', { version: 3 })
      assert.deepEqual({ ...(second.config.read('topics') as object) }, { version: 3 })
      await second.close()
    })
  }
})
