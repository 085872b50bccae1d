/**
 * `verify` must find every kind of damage and nothing in a sound store. Each test makes a store of several
 * segments and files, damages one place, and looks for the finding.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { indexFileBytes } from '../../lib/format/index-layout.js'
import { segmentName } from '../../lib/format/names.js'
import type { FindingKind, VerifyReport } from '../../lib/store/checking/verify-report.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { filesIn, flip, openSmall, putMany, ROOT, smallSizes, smallStore, storeWithoutSums } from '../support/small-store.js'

const { segmentBytes, queueSegmentEntries, index } = smallSizes
const ENTRY = 20

async function verifyDisk(disk: MemoryDisk, options: StoreOptions = { readOnly: true }): Promise<VerifyReport> {
  const store = await openSmall(disk, options)
  try {
    return await store.verify()
  } finally {
    await store.close()
  }
}

const kindsOf = (report: VerifyReport): FindingKind[] => [...new Set(report.findings.map(({ kind }) => kind))].sort()

function logPath(address: number): [path: string, position: number] {
  const start = address - (address % segmentBytes)
  return [`${ROOT}/commitlog/${segmentName(start)}`, address - start]
}

const queuePath = (topic: string, queueId: number, file = 0): string =>
  `${ROOT}/consumequeue/${topic}/${queueId}/${segmentName(file * queueSegmentEntries * ENTRY)}`

test('a closed store verifies clean, and every record, entry and key is counted', async () => {
  const { disk, receipts } = await smallStore(600)
  const report = await verifyDisk(disk)
  assert.deepEqual(report.findings, [])
  assert.equal(report.ok, true)
  assert.equal(report.log.records, receipts.length)
  assert.ok(report.log.segments > 5)
  assert.equal(report.queues.queues, 7)
  assert.ok(report.queues.entries > 500 && (report.index?.entries ?? 0) > 400 && (report.index?.files ?? 0) > 2)
})

test('an open store verifies clean while it is written to, with entries that are still in memory', async () => {
  const { disk } = await smallStore(100)
  const store = await openSmall(disk)
  await putMany(store, 100, 300)
  const checking = store.verify()
  await putMany(store, 300, 500)
  assert.deepEqual((await checking).findings, [])
  const after = await store.verify()
  assert.deepEqual(after.findings, [])
  assert.equal(after.log.records, 500)
  await store.close()
})

test('a reader beside a live writer verifies clean, and so does a store whose process was killed', async () => {
  const { disk } = await smallStore(50)
  const store = await openSmall(disk)
  await putMany(store, 50, 300)
  assert.deepEqual((await verifyDisk(disk)).findings, [])
  const snapshot = disk.snapshot()
  await store.close()
  disk.restore(snapshot)
  assert.deepEqual((await verifyDisk(disk)).findings, [])
})

test('every flipped bit of a record is found', async () => {
  const { disk, receipts } = await smallStore(60)
  const { commitLogOffset, size } = receipts[20]!
  for (let i = 0; i < size; i++) {
    const [path, position] = logPath(commitLogOffset + i)
    flip(disk, path, position, i % 8)
    const report = await verifyDisk(disk)
    const finding = report.findings.find(({ remedy }) => remedy === 'repair')
    assert.ok(finding !== undefined, `byte ${i}: ${kindsOf(report)}`)
    assert.equal(finding.place.commitLogOffset, commitLogOffset)
    assert.equal(finding.place.to, commitLogOffset + size)
    assert.equal(report.ok, false)
    flip(disk, path, position, i % 8)
  }
})

test('records that became zeros, a lost segment and bytes behind the end are told apart', async () => {
  const { disk, receipts } = await smallStore(400)
  const whole = disk.snapshot()
  const middle = receipts[30]!
  disk.overwrite(logPath(middle.commitLogOffset)[0], logPath(middle.commitLogOffset)[1], Buffer.alloc(middle.size))
  assert.deepEqual(kindsOf(await verifyDisk(disk)), ['recordsMissing'])
  disk.restore(whole)
  disk.remove(`${ROOT}/commitlog/${segmentName(segmentBytes)}`)
  assert.deepEqual(kindsOf(await verifyDisk(disk)), ['segmentMissing'])
  disk.restore(whole)
  const last = receipts[399]!
  flip(disk, ...logPath(last.commitLogOffset + last.size + 100))
  const behind = await verifyDisk(disk)
  assert.deepEqual(kindsOf(behind), ['behindEnd'])
  assert.equal(behind.worst, 'warning')
})

test('bytes in the unused rest of a segment are noted and harm nobody', async () => {
  const { disk } = await smallStore(400)
  flip(disk, `${ROOT}/commitlog/${segmentName(0)}`, segmentBytes - 1)
  const report = await verifyDisk(disk)
  assert.deepEqual(kindsOf(report), ['blankDirty'])
  assert.equal(report.ok, true)
})

test('of the rest of a segment that was never written no more is read than a few blocks', async () => {
  const disk = new MemoryDisk()
  const store = await openSmall(disk, { segmentBytes: 256 * 1024 * 1024 })
  await putMany(store, 0, 20)
  await store.flush()
  let bytes = 0
  const open = disk.open.bind(disk)
  disk.open = (...given) => {
    const file = open(...given)
    const readAt = file.readAt.bind(file)
    file.readAt = (...place) => {
      const got = readAt(...place)
      bytes += got
      return got
    }
    return file
  }
  const reader = await openSmall(disk, { readOnly: true, segmentBytes: 256 * 1024 * 1024 })
  bytes = 0
  for (const one of [store, reader]) assert.deepEqual((await one.verify()).findings, [])
  assert.ok(bytes < 32 * 1024 * 1024, String(bytes))
  await reader.close()
  await store.close()
})

test('a torn write that opening would cut is a note', async () => {
  const { disk } = await smallStore(10)
  const store = await openSmall(disk)
  const [receipt] = await putMany(store, 10, 11)
  const { commitLogOffset } = receipt!
  const killed = disk.snapshot()
  await store.close()
  disk.restore(killed)
  flip(disk, ...logPath(commitLogOffset + 30))
  const report = await verifyDisk(disk)
  assert.deepEqual(kindsOf(report), ['unflushedTail'])
  assert.equal(report.ok, true)
})

test('every flipped bit of a queue entry is found', async () => {
  const disk = await storeWithoutSums(300)
  for (let i = 0; i < ENTRY * 8; i++) {
    const [position, bit] = [10 * ENTRY + (i >> 3), i % 8]
    flip(disk, queuePath('topic-1', 1), position, bit)
    const report = await verifyDisk(disk)
    assert.equal(report.worst, 'damage', `bit ${i}: ${kindsOf(report)}`)
    const isThere = report.findings.some(({ place, remedy }) => place.topic === 'topic-1' && remedy === 'rebuild')
    assert.ok(isThere, `bit ${i}`)
    flip(disk, queuePath('topic-1', 1), position, bit)
  }
})

test('zeroed queue entries are found as one run, at the start, in the middle and at the end', async () => {
  const disk = await storeWithoutSums(300)
  const whole = disk.snapshot()
  for (const first of [0, 7, 20]) {
    disk.restore(whole)
    disk.overwrite(queuePath('topic-0', 0), first * ENTRY, Buffer.alloc(4 * ENTRY))
    const report = await verifyDisk(disk)
    const missing = report.findings.filter(({ kind, place }) => kind === 'entryMissing' && place.topic === 'topic-0')
    assert.equal(missing.length, 1)
    assert.equal(missing[0]!.place.queueOffset, first)
    assert.ok(missing[0]!.count >= 4)
  }
})

test('swapped queue entries are found, each once', async () => {
  const disk = await storeWithoutSums(300)
  const path = queuePath('topic-2', 0)
  const two = Buffer.from(disk.bytesOf(path, 12 * ENTRY, 14 * ENTRY))
  disk.overwrite(path, 12 * ENTRY, Buffer.concat([two.subarray(ENTRY), two.subarray(0, ENTRY)]))
  const { findings } = await verifyDisk(disk)
  assert.deepEqual(
    findings.map(({ kind, place, count }) => [kind, place.topic, place.queueId, place.queueOffset, count]),
    [['entryWrong', 'topic-2', 0, 12, 2]],
  )
})

test('an entry of another queue behind the last is found, even where no record is missing one', async () => {
  const disk = await storeWithoutSums(300)
  const path = queuePath('plain', 0)
  const other = Buffer.from(disk.bytesOf(queuePath('topic-1', 0), 0, ENTRY))
  const free = [...Array(queueSegmentEntries).keys()].find((n) =>
    disk.bytesOf(path, n * ENTRY, n * ENTRY + 12).every((byte) => byte === 0),
  )
  assert.ok(free !== undefined && free > 0)
  disk.overwrite(path, free * ENTRY, other)
  const { findings } = await verifyDisk(disk)
  assert.deepEqual(
    findings.map(({ kind, place }) => [kind, place.topic, place.queueOffset]),
    [['entryDisorder', 'plain', free]],
  )
})

test('missing queue files are found: the first, one in the middle, a whole queue', async () => {
  const disk = await storeWithoutSums(900)
  const whole = disk.snapshot()
  const files = filesIn(disk, `${ROOT}/consumequeue/topic-0/0`)
  assert.ok(files.length >= 3, `${files.length} files`)
  const worst = ['damage', 'warning', 'damage']
  for (const [i, lost] of [[files[0]!], [files[1]!], files].entries()) {
    disk.restore(whole)
    for (const path of lost) disk.remove(path)
    const report = await verifyDisk(disk)
    // A gap tells by itself that a file is lost, so that opening makes the queue anew.
    assert.equal(report.worst, worst[i])
    assert.ok(
      report.findings.every(({ place, remedy }) => place.topic === 'topic-0' && place.queueId === 0 && remedy === 'rebuild'),
      JSON.stringify(report.findings),
    )
  }
})

test('every flipped bit of an index entry and of a slot in use is found', async () => {
  const disk = await storeWithoutSums(300)
  const [path] = filesIn(disk, `${ROOT}/index`)
  const bytes = Buffer.from(disk.bytesOf(path!))
  assert.equal(bytes.length, indexFileBytes(index.slots, index.entries))
  const entryAt = 40 + index.slots * 4 + 17 * ENTRY
  const slot = [...Array(index.slots).keys()].find((n) => bytes.readInt32BE(40 + n * 4) > 0)!
  const places = [...Array(ENTRY).keys()].map((i) => entryAt + i).concat([0, 1, 2, 3].map((i) => 40 + slot * 4 + i))
  for (const position of places) {
    for (const bit of [0, 3, 7]) {
      flip(disk, path!, position, bit)
      const report = await verifyDisk(disk)
      assert.equal(report.worst, 'warning', `byte ${position}, bit ${bit}`)
      assert.ok(report.findings.every(({ remedy, kind }) => remedy === 'rebuild' && /^index|^key/.test(kind)))
      flip(disk, path!, position, bit)
    }
  }
})

test('every field of an index header is checked, for the first file and the last', async () => {
  const disk = await storeWithoutSums(600)
  const files = filesIn(disk, `${ROOT}/index`)
  assert.ok(files.length > 2)
  const fields = { beginTimestamp: 0, beginCommitLogOffset: 16, endCommitLogOffset: 24, hashSlotCount: 32, indexCount: 36 }
  for (const path of [files[0]!, files.at(-1)!]) {
    for (const [field, at] of Object.entries(fields)) {
      const position = at + (at >= 32 ? 3 : 7)
      flip(disk, path, position, 3)
      const report = await verifyDisk(disk)
      assert.equal(report.worst, 'warning', `${field} of ${path}`)
      flip(disk, path, position, 3)
    }
  }
})

test('a lost index file is found by the keys that are missing', async () => {
  const disk = await storeWithoutSums(600)
  disk.remove(filesIn(disk, `${ROOT}/index`)[1]!)
  const report = await verifyDisk(disk)
  assert.deepEqual(kindsOf(report), ['keyMissing'])
  assert.ok(report.findings[0]!.count > 50)
})

test('a flipped bit in any view file that has a sum is told, although opening makes the file anew', async () => {
  const { disk } = await smallStore(600)
  const views = [...filesIn(disk, `${ROOT}/consumequeue`), ...filesIn(disk, `${ROOT}/index`)]
  for (const path of views) {
    flip(disk, path, path.includes('/index/') ? 40 + index.slots * 4 + 30 : 5)
    const store = await openSmall(disk, { readOnly: true })
    const report = await store.verify()
    assert.deepEqual(kindsOf(report), ['viewFileDamaged'], path)
    assert.equal(`${ROOT}/${report.findings[0]!.place.file}`, path)
    assert.equal(report.worst, 'warning')
    await store.close()
    flip(disk, path, path.includes('/index/') ? 40 + index.slots * 4 + 30 : 5)
  }
  for (const path of views.slice(1)) {
    const whole = disk.snapshot()
    disk.remove(path)
    const report = await verifyDisk(disk)
    assert.equal(report.ok, false, path)
    disk.restore(whole)
  }
})

test('a view file that is damaged under an open store is told when it is read', async () => {
  const { disk } = await smallStore(600)
  const store = await openSmall(disk, { index: { ...index, enabled: true } })
  flip(disk, queuePath('topic-0', 0), 5)
  const report = await store.verify()
  assert.notEqual(report.worst, undefined)
  assert.ok(report.findings.every(({ place, remedy }) => place.topic === 'topic-0' && remedy === 'rebuild'))
  await store.close()
})

test('times in the checkpoint that cannot be, a lost checkpoint and damaged marks are found', async () => {
  const { disk } = await smallStore(60)
  const whole = disk.snapshot()
  const cases: [FindingKind, () => void][] = [
    ['checkpointWrong', () => flip(disk, `${ROOT}/checkpoint`, 2, 0)],
    ['checkpointWrong', () => disk.open(`${ROOT}/checkpoint`, { write: true }).resize(10)],
    ['markDamaged', () => flip(disk, `${ROOT}/ext/durable`, 12)],
    ['markDamaged', () => flip(disk, `${ROOT}/ext/clean`, 12)],
    ['markDamaged', () => flip(disk, `${ROOT}/ext/ranges`, 20)],
    ['markDamaged', () => flip(disk, `${ROOT}/ext/views`, 20)],
  ]
  for (const [kind, damage] of cases) {
    disk.restore(whole)
    damage()
    const report = await verifyDisk(disk)
    assert.ok(kindsOf(report).includes(kind), `${kind}: ${kindsOf(report)}`)
    assert.notEqual(report.worst, 'damage')
  }
})

test('a check tells how far it is and can be called off', async () => {
  const { disk } = await smallStore(300)
  const store = await openSmall(disk)
  const seen: string[] = []
  await store.verify({ onProgress: ({ phase, done, total }) => void (done === total && seen.push(phase)) })
  assert.deepEqual([...new Set(seen)], ['log', 'queues'])
  const reason = new Error('enough')
  await assert.rejects(store.verify({ signal: AbortSignal.abort(reason) }), reason)
  await store.close()
  await assert.rejects(store.verify(), { code: 'STORE_CLOSED' })
})
