/**
 * Where the log of a Java store ends. RocketMQ flushes everything when it stops, but its checkpoint may name
 * an earlier time; and it cuts a log in memory only, so that old records stand behind its end.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { segmentName } from '../../lib/format/names.js'
import { filesIn, openSmall, putMany, ROOT, smallSizes, storeWithoutSums } from '../support/small-store.js'

const { segmentBytes } = smallSizes

function damageAt(disk: MemoryDisk, address: number): void {
  const start = address - (address % segmentBytes)
  disk.overwrite(`${ROOT}/commitlog/${segmentName(start)}`, address - start + 4, Buffer.from([1, 2]))
}

test('after a clean stop damage is never taken for a torn write, however old the checkpoint', async () => {
  const disk = await storeWithoutSums(400)
  const whole = await openSmall(disk, { readOnly: true })
  const { messages } = await whole.get({ topic: 'topic-0', offset: 30, maxMessages: 1 })
  const [first] = (await whole.get({ topic: 'topic-0', offset: 0, maxMessages: 1 })).messages
  const { end } = whole.recovery
  await whole.close()
  const old = Buffer.alloc(8)
  old.writeBigInt64BE(BigInt(first!.storeTimestamp))
  disk.overwrite(`${ROOT}/checkpoint`, 0, old)
  damageAt(disk, messages[0]!.commitLogOffset)
  const before = filesIn(disk, `${ROOT}/commitlog`).map((path) => Buffer.from(disk.bytesOf(path)).toString('hex'))
  const store = await openSmall(disk)
  assert.equal(store.recovery.origin, 'java-clean')
  assert.equal(store.status, 'readOnly')
  assert.equal(store.recovery.corruption[0]?.from, messages[0]!.commitLogOffset)
  assert.equal(store.recovery.end, end)
  await store.close()
  assert.deepEqual(
    filesIn(disk, `${ROOT}/commitlog`).map((path) => Buffer.from(disk.bytesOf(path)).toString('hex')),
    before,
  )
})

test('old records behind the end of a log that RocketMQ cut in memory do not make it look damaged', async () => {
  const disk = new MemoryDisk({ clock: { now: () => Date.now() } })
  const first = await openSmall(disk, {}, 100)
  await putMany(first, 0, 120)
  await first.close()
  const cut = disk.snapshot()
  const second = await openSmall(disk, {}, 100)
  await putMany(second, 120, 200)
  await second.close()
  const stale = new Map(
    [...filesIn(disk, `${ROOT}/commitlog`), ...filesIn(disk, `${ROOT}/consumequeue`)].map((path) => [
      path,
      Buffer.from(disk.bytesOf(path)),
    ]),
  )
  disk.restore(cut)
  const third = await openSmall(disk, {}, 100_000)
  for (let n = 0; n < 7; n++) await third.put({ topic: 'topic-1', queueId: 1, body: `other ${'x'.repeat(50 + n)}` })
  await third.close()
  // What the last run did not write over is as the run before left it.
  for (const [path, old] of stale) {
    // RocketMQ deletes the files behind the one that it cuts.
    if (disk.stat(path) === undefined) continue
    const now = Buffer.from(disk.bytesOf(path))
    const used = now.findLastIndex((byte) => byte !== 0) + 1
    disk.overwrite(path, used, old.subarray(used))
  }
  for (const path of filesIn(disk, `${ROOT}/ext`)) disk.remove(path)
  const store = await openSmall(disk)
  assert.deepEqual([store.recovery.origin, store.status, store.recovery.corruption], ['java-clean', 'open', []])
  const { maxOffset } = store.bounds('topic-1', 1)
  const { messages } = await store.get({ topic: 'topic-1', queueId: 1, offset: maxOffset - 1 })
  assert.equal(messages[0]!.body.toString(), `other ${'x'.repeat(56)}`)
  await store.close()
})
