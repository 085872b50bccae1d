/** A put must not fail because the index finds no space: index files are made when the views are flushed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageStore } from '../../lib/store/message-store.js'
import { root, tiny } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

const messages = 200
const options = { ...tiny, index: { slots: 16, entries: 20 } }

for (const code of ['ENOSPC', 'EMFILE']) {
  for (const on of ['create', 'resize', 'rename'] as const) {
    test(`puts go on when no index file can be made (${on}: ${code}), and keys are found meanwhile and afterwards`, async () => {
      const disk = new SimDisk()
      const store = await MessageStore.open(root, options, { disk })
      disk.inject({ on, path: '/ext/tmp/index', code, times: Number.POSITIVE_INFINITY })
      for (let n = 0; n < messages; n++) await store.put({ topic: 'a', body: String(n), keys: `k${n}` })
      assert.equal(store.status, 'open')
      const hits = await store.query({ topic: 'a', key: 'k7' })
      assert.equal(hits.length, 1)
      disk.faults.heal()
      await store.close()
      const again = await MessageStore.open(root, options, { disk })
      assert.equal(again.recovery.origin, 'clean')
      for (let n = 0; n < messages; n++) assert.equal((await again.query({ topic: 'a', key: `k${n}` })).length, 1)
      await again.close()
    })
  }
}
