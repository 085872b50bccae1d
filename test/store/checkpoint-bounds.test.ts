/**
 * RocketMQ's checkpoint never promises more than is flushed: after a crash RocketMQ deletes every index file
 * that ends after `indexMsgTimestamp`, and looks in the log no further back than the other two times.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemTimers } from '../../lib/base/system.js'
import type { Disk } from '../../lib/disk/disk.js'
import { readWhole } from '../../lib/disk/replace.js'
import { decodeIndexHeader, type IndexHeader } from '../../lib/format/index-layout.js'
import type { MessageStore } from '../../lib/index.js'
import { loadCheckpoint, saveCheckpoint } from '../../lib/view/store-checkpoint.js'
import { ManualTime } from '../support/manual-time.js'
import { freshDisk, open, root, tiny } from '../support/open-store.js'

function indexHeaders(disk: Disk): IndexHeader[] {
  const names = disk.list(`${root}/index`).map(({ name }) => name)
  return names.map((name) => decodeIndexHeader(readWhole(disk, `${root}/index/${name}`)!))
}

/** What RocketMQ would delete after a crash must begin after what it would look at. */
function assertCovered(disk: Disk): void {
  const { physicMsgTimestamp, logicsMsgTimestamp, indexMsgTimestamp } = loadCheckpoint(disk, root)
  const deleted = indexHeaders(disk).filter(({ endTimestamp }) => endTimestamp > indexMsgTimestamp)
  for (const { beginTimestamp } of deleted) {
    assert.ok(Math.min(physicMsgTimestamp, logicsMsgTimestamp) < beginTimestamp, 'entries that RocketMQ would not make again')
  }
}

async function put(store: MessageStore, time: ManualTime, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    time.advance(1000)
    await store.put({ topic: 'orders', body: 'x', keys: [`k${n}`] })
  }
}

/** Timers stand still, so views are flushed only when the store is opened or closed. */
function portsWith(time: ManualTime) {
  return { clock: time, timers: { after: () => ({ cancel: () => {} }), endOfTurn: systemTimers.endOfTurn } }
}

describe('the checkpoint for RocketMQ', () => {
  const perFile = tiny.index.entries - 1
  for (const count of [1, perFile - 1, perFile, perFile + 1, 3 * perFile, 3 * perFile + 5]) {
    test(`after a clean close with ${count} index entries covers the index file that is not full`, async () => {
      const disk = freshDisk()
      const time = new ManualTime()
      const store = await open(disk, {}, portsWith(time))
      await put(store, time, count)
      await store.close()
      assertCovered(disk)
      const full = indexHeaders(disk).filter(({ indexCount }) => indexCount === tiny.index.entries)
      assert.equal(loadCheckpoint(disk, root).indexMsgTimestamp, full.at(-1)?.endTimestamp ?? 0)
    })
  }

  test('is set back before a store that RocketMQ stopped cleanly is marked as open', async () => {
    const disk = freshDisk()
    const time = new ManualTime()
    const store = await open(disk, {}, portsWith(time))
    await put(store, time, perFile + 4)
    await store.close()
    // RocketMQ notes how far the queues are flushed, whatever the index.
    const { physicMsgTimestamp, indexMsgTimestamp } = loadCheckpoint(disk, root)
    await saveCheckpoint(disk, root, { physicMsgTimestamp, logicsMsgTimestamp: physicMsgTimestamp, indexMsgTimestamp })
    for (const { name } of disk.list(`${root}/ext`)) if (name !== 'lock') disk.remove(`${root}/ext/${name}`)
    const opened = await open(disk, {}, portsWith(time))
    assertCovered(disk)
    await opened.close()
  })
})
