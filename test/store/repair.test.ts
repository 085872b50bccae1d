/**
 * `repair` must leave every intact message where it was, let readers pass the lost ones, keep what it
 * overwrites, and be able to die at any moment. Damage is made in small stores of many segments.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { segmentName } from '../../lib/format/names.js'
import { type RepairOptions, type RepairReport, repairStore } from '../../lib/store/checking/repair.js'
import type { PutReceipt } from '../../lib/store/message.js'
import type { MessageStore } from '../../lib/store/message-store.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import {
  filesIn,
  flip,
  messageNumber,
  openSmall,
  putMany,
  ROOT,
  readQueue,
  smallSizes,
  smallStore,
  storeWithoutSums,
} from '../support/small-store.js'

const { segmentBytes, index } = smallSizes
const QUEUES: (readonly [string, number])[] = [
  ['plain', 0],
  ...[0, 1, 2].flatMap((n) => [0, 1].map((id) => [`topic-${n}`, id] as const)),
]

const repair = (disk: MemoryDisk | SimDisk, options: RepairOptions = {}): Promise<RepairReport> =>
  repairStore(ROOT, { index, ...options }, { disk })

function segmentPath(address: number): string {
  return `${ROOT}/commitlog/${segmentName(address - (address % segmentBytes))}`
}

/** Damages the record of a receipt somewhere in its middle. */
function damage(disk: MemoryDisk, { commitLogOffset, size }: PutReceipt): void {
  flip(disk, segmentPath(commitLogOffset), (commitLogOffset % segmentBytes) + (size >> 1))
}

/** Asserts that all messages but the lost ones are where they were put, and that the lost ones are stepped over. */
async function assertKept(
  disk: MemoryDisk | SimDisk,
  receipts: readonly PutReceipt[],
  lost: readonly PutReceipt[],
): Promise<void> {
  const store = await openSmall(disk as MemoryDisk, { readOnly: true })
  assert.deepEqual(store.recovery.corruption, [])
  await assertReads(store, receipts, lost)
  const report = await store.verify()
  assert.deepEqual(
    report.findings.filter(({ severity }) => severity !== 'note'),
    [],
  )
  await store.close()
}

async function assertReads(store: MessageStore, receipts: readonly PutReceipt[], lost: readonly PutReceipt[]): Promise<void> {
  const isLost = new Set(lost)
  for (const [topic, queueId] of QUEUES) {
    const found = await readQueue(store, topic, queueId)
    const expected = receipts
      .map((receipt, n) => ({ receipt, n }))
      .filter(
        ({ receipt, n }) => receipt.topic === topic && receipt.queueId === queueId && messageNumber(n).sysFlag === undefined,
      )
    for (const { receipt, n } of expected) {
      const message = found.get(receipt.queueOffset)
      if (isLost.has(receipt)) {
        assert.equal(message, undefined, `lost message ${n}`)
        continue
      }
      assert.equal(message?.body.toString(), messageNumber(n).body, `message ${n}`)
      assert.equal(message?.commitLogOffset, receipt.commitLogOffset)
    }
    const last = expected.at(-1)
    if (last !== undefined) assert.equal(store.bounds(topic, queueId).maxOffset, last.receipt.queueOffset + 1)
  }
}

/** Receipts of the first and the last record of a segment in the middle. */
function edges(receipts: readonly PutReceipt[]): { first: PutReceipt; last: PutReceipt; nextFirst: PutReceipt } {
  const at = receipts.findIndex(({ commitLogOffset }) => commitLogOffset === 2 * segmentBytes)
  const next = receipts.findIndex(({ commitLogOffset }) => commitLogOffset === 3 * segmentBytes)
  return { first: receipts[at]!, last: receipts[next - 1]!, nextFirst: receipts[next]! }
}

test('a sound store is left as it is, byte for byte', async () => {
  const { disk } = await smallStore(300)
  const before = disk.files().map((path) => [path, Buffer.from(disk.bytesOf(path)).toString('hex')])
  const report = await repair(disk)
  assert.deepEqual([report.ranges, report.changed, report.rebuiltViews], [[], false, false])
  assert.deepEqual(
    disk.files().map((path) => [path, Buffer.from(disk.bytesOf(path)).toString('hex')]),
    before,
  )
})

const places: [string, (receipts: readonly PutReceipt[]) => PutReceipt[]][] = [
  ['the first record of the log', (receipts) => [receipts[0]!]],
  ['the last record of the log', (receipts) => [receipts.at(-1)!]],
  ['one in the middle', (receipts) => [receipts[100]!]],
  ['the smallest record, without body and properties', (receipts) => [receipts.find(({ topic }) => topic === 'plain')!]],
  ['two apart from one another', (receipts) => [receipts[50]!, receipts[250]!]],
  ['three neighbours', (receipts) => receipts.slice(120, 123)],
  ['the first record of a segment', (receipts) => [edges(receipts).first]],
  ['the last record of a segment', (receipts) => [edges(receipts).last]],
  ['the last record of a segment and the first of the next', (receipts) => [edges(receipts).last, edges(receipts).nextFirst]],
  ['a prepared transaction, which is in no queue', (receipts) => [receipts[20]!]],
]

for (const [name, choose] of places) {
  test(`damage to ${name} is repaired, and everything intact keeps its place`, async () => {
    const { disk, receipts } = await smallStore(400)
    const lost = choose(receipts)
    for (const receipt of lost) damage(disk, receipt)
    const [first] = lost
    const damaged = Buffer.from(disk.bytesOf(segmentPath(first!.commitLogOffset)))
    const report = await repair(disk)
    assert.equal(report.changed, true)
    assert.equal(report.verified.ok, true)
    const [range] = report.ranges
    assert.equal(range!.from, first!.commitLogOffset)
    const within = range!.from % segmentBytes
    const kept = Buffer.from(disk.bytesOf(`${ROOT}/${range!.keptAs}`))
    const here = Math.min(kept.length, segmentBytes - within)
    assert.deepEqual(kept.subarray(0, here), damaged.subarray(within, within + here))
    await assertKept(disk, receipts, lost)
    const again = await repair(disk)
    assert.deepEqual([again.ranges, again.changed], [[], false])
    const store = await openSmall(disk)
    assert.equal(store.status, 'open')
    const more = await putMany(store, 400, 420)
    await store.close()
    await assertKept(disk, [...receipts, ...more], lost)
  })
}

test('the report names the messages that are lost', async () => {
  const { disk, receipts } = await smallStore(200)
  for (const receipt of receipts.slice(60, 62)) damage(disk, receipt)
  const dry = await repair(disk, { dryRun: true })
  const told = dry.ranges[0]!.lost.map(({ topic, queueId, queueOffset, commitLogOffset, size }) => ({
    topic,
    queueId,
    queueOffset,
    commitLogOffset,
    size,
  }))
  assert.deepEqual(
    told.sort((a, b) => a.commitLogOffset - b.commitLogOffset),
    receipts
      .slice(60, 62)
      .map(({ topic, queueId, queueOffset, commitLogOffset, size }) => ({ topic, queueId, queueOffset, commitLogOffset, size })),
  )
  assert.equal(dry.changed, false)
})

test('a dry run changes nothing and needs no lock', async () => {
  const { disk, receipts } = await smallStore(200)
  damage(disk, receipts[60]!)
  const before = disk.files().map((path) => [path, Buffer.from(disk.bytesOf(path)).toString('hex')])
  const holder = await openSmall(disk)
  assert.equal(holder.status, 'open')
  const report = await repair(disk, { dryRun: true })
  assert.equal(report.ranges.length, 1)
  assert.equal(report.ranges[0]!.keptAs, '')
  await assert.rejects(repair(disk), { code: 'STORE_LOCKED' })
  await holder.close()
  assert.deepEqual(
    filesIn(disk, `${ROOT}/commitlog`).map((path) => [path, Buffer.from(disk.bytesOf(path)).toString('hex')]),
    before.filter(([path]) => path!.startsWith(`${ROOT}/commitlog/`)),
  )
})

test('a lost segment is filled, and what stood in it is stepped over', async () => {
  const { disk, receipts } = await smallStore(400)
  disk.remove(`${ROOT}/commitlog/${segmentName(2 * segmentBytes)}`)
  const lost = receipts.filter(({ commitLogOffset: at }) => at >= 2 * segmentBytes && at < 3 * segmentBytes)
  const report = await repair(disk)
  assert.equal(report.ranges.length, 1)
  assert.ok(lost.length > 50)
  await assertKept(disk, receipts, lost)
})

test('records that vanished from the end of the log leave their offsets used', async () => {
  const { disk, receipts } = await smallStore(400)
  const lost = receipts.slice(380)
  const from = lost[0]!.commitLogOffset
  const to = lost.at(-1)!.commitLogOffset + lost.at(-1)!.size
  for (let at = from; at < to; at++) disk.overwrite(segmentPath(at), at % segmentBytes, Buffer.alloc(1))
  const report = await repair(disk)
  assert.deepEqual([report.ranges[0]!.from, report.ranges[0]!.to], [from, to])
  await assertKept(disk, receipts, lost)
})

test('the store of a killed process is repaired and then recovers as usual', async () => {
  const { disk, receipts } = await smallStore(200)
  const store = await openSmall(disk)
  const more = await putMany(store, 200, 300)
  await store.flush()
  const killed = disk.snapshot()
  await store.close()
  disk.restore(killed)
  damage(disk, receipts[40]!)
  damage(disk, more[50]!)
  const report = await repair(disk)
  assert.equal(report.ranges.length, 2)
  const all = [...receipts, ...more]
  await assertKept(disk, all, [receipts[40]!, more[50]!])
  const reopened = await openSmall(disk)
  await reopened.close()
  await assertKept(disk, all, [receipts[40]!, more[50]!])
})

test('a store without marks of ours is repaired as well', async () => {
  const disk = await storeWithoutSums(400)
  const store = await openSmall(disk, { readOnly: true })
  const found = (await store.get({ topic: 'topic-0', offset: 4, maxMessages: 1 })).messages[0]!
  await store.close()
  disk.overwrite(segmentPath(found.commitLogOffset), (found.commitLogOffset % segmentBytes) + 4, Buffer.from([1, 2]))
  const report = await repair(disk)
  assert.equal(report.ranges.length, 1)
  assert.equal(report.verified.ok, true)
  const repaired = await openSmall(disk, { readOnly: true })
  const around = await repaired.get({ topic: 'topic-0', offset: 3, maxMessages: 3 })
  assert.deepEqual(
    around.messages.map(({ queueOffset }) => queueOffset),
    [3, 5, 6],
  )
  await repaired.close()
})

test('views without a log of damages are made anew from it, and messages keep their offsets', async () => {
  const disk = await storeWithoutSums(400)
  const whole = await openSmall(disk, { readOnly: true })
  const before = await readQueue(whole, 'topic-0', 0)
  await whole.close()
  flip(disk, filesIn(disk, `${ROOT}/consumequeue/topic-0/0`)[0]!, 20 * 5 + 6)
  flip(disk, filesIn(disk, `${ROOT}/index`)[0]!, 40 + index.slots * 4 + 20 * 9 + 1)
  const dry = await repair(disk, { dryRun: true })
  assert.deepEqual([dry.rebuiltViews, dry.changed], [true, false])
  const report = await repair(disk)
  assert.deepEqual([report.rebuiltViews, report.changed, report.verified.findings], [true, true, []])
  const after = await openSmall(disk, { readOnly: true })
  assert.deepEqual([...(await readQueue(after, 'topic-0', 0)).keys()], [...before.keys()])
  await after.close()
})

test('queues made anew after a repair still step over what was lost', async () => {
  const { disk, receipts } = await smallStore(400)
  const lost = [receipts[10]!, receipts[100]!, receipts.findLast(({ topic }) => topic === 'plain')!]
  for (const receipt of lost) damage(disk, receipt)
  await repair(disk)
  for (const path of [...filesIn(disk, `${ROOT}/consumequeue`), ...filesIn(disk, `${ROOT}/index`), `${ROOT}/ext/views`])
    disk.remove(path)
  const store = await openSmall(disk)
  await assertReads(store, receipts, lost)
  assert.deepEqual((await store.verify()).findings, [])
  await store.close()
})

test('a lost batch of a batch topic is stepped over as a whole, also when the queue is made anew', async () => {
  const { disk } = await smallStore(50)
  disk.makeDirectory(`${ROOT}/config`)
  const config = { topicConfigTable: { batches: { topicName: 'batches', attributes: { 'queue.type': 'BatchCQ' } } } }
  const file = disk.open(`${ROOT}/config/topics.json`, { write: true, create: true })
  file.writeAt(Buffer.from(JSON.stringify(config)), 0)
  file.close()
  const store = await openSmall(disk)
  const firsts: PutReceipt[] = []
  for (let n = 0; n < 30; n++) {
    const batch = [0, 1, 2].map((i) => ({ topic: 'batches', body: `batch ${n} message ${i}` }))
    firsts.push((await store.putBatch(batch))[0]!)
  }
  await store.close()
  assert.ok(filesIn(disk, `${ROOT}/batchconsumequeue`).length > 0)
  damage(disk, firsts[7]!)
  const report = await repair(disk)
  assert.deepEqual(
    report.ranges.map(({ from, lost }) => [from, lost.map(({ queueOffset, batchSize }) => [queueOffset, batchSize])]),
    [[firsts[7]!.commitLogOffset, [[21, 3]]]],
  )
  assert.deepEqual([report.verified.ok, report.verified.findings], [true, []])
  const expected = [...Array(90).keys()].filter((n) => n < 21 || n > 23)
  for (const remove of [[], [`${ROOT}/ext/views`]]) {
    for (const path of remove) disk.remove(path)
    const after = await openSmall(disk)
    const { messages } = await after.get({ topic: 'batches', offset: 0, maxMessages: 100 })
    assert.deepEqual(
      messages.map(({ queueOffset }) => queueOffset),
      expected,
    )
    assert.deepEqual((await after.verify()).findings, [])
    await after.close()
  }
})

test('random damage, from a bit to several pages, never costs an intact message', async () => {
  const seed = Number(process.env['MQLITE_SEED'] ?? Date.now())
  for (let round = 0; round < 25; round++) {
    const random = new Random(seed + round)
    const { disk, receipts } = await smallStore(300)
    const end = receipts.at(-1)!.commitLogOffset + receipts.at(-1)!.size
    const ranges = Array.from({ length: random.between(1, 4) }, () => ({
      at: random.int(end),
      length: random.chance(0.5) ? 1 : random.between(1, 9000),
    }))
    const touched = new Set<PutReceipt>()
    for (const { at, length } of ranges) {
      for (let i = at; i < Math.min(at + length, end); i++) disk.overwrite(segmentPath(i), i % segmentBytes, random.bytes(1))
      for (const receipt of receipts)
        if (receipt.commitLogOffset < at + length && receipt.commitLogOffset + receipt.size > at) touched.add(receipt)
    }
    try {
      await repair(disk)
      const store = await openSmall(disk, { readOnly: true })
      const lost: PutReceipt[] = []
      // A byte that was overwritten with itself does no damage.
      for (const receipt of touched) {
        const message = await store.lookup({ commitLogOffset: receipt.commitLogOffset })
        if (
          message === undefined ||
          message.topic.startsWith('rmq_sys_') ||
          message.size !== receipt.size ||
          message.sysFlag !== (messageNumber(receipts.indexOf(receipt)).sysFlag ?? 0)
        )
          lost.push(receipt)
      }
      await store.close()
      await assertKept(disk, receipts, lost)
    } catch (error) {
      throw new Error(`seed ${seed + round}: ${(error as Error).message}`, { cause: error })
    }
  }
})

test('a repair that dies at any operation, even by power loss, is finished by the next', async () => {
  const { disk, receipts } = await smallStore(400)
  const lost = [receipts[30]!, receipts[31]!, edges(receipts).last]
  for (const receipt of lost) damage(disk, receipt)
  const counting = new SimDisk({ tree: disk.snapshot().tree })
  let operations = 0
  counting.onOperation = () => void operations++
  await repair(counting)
  assert.ok(operations > 20)
  for (let at = 0; at < operations; at += 1 + Math.floor(operations / 75)) {
    const sim = new SimDisk({ tree: disk.snapshot().tree })
    sim.onOperation = (_kind, _path, index) => {
      if (index >= at) throw new Error('dead')
    }
    await assert.rejects(repair(sim))
    sim.onOperation = undefined
    const after = sim.crash({ random: new Random(at) })
    await repair(after)
    await assertKept(after, receipts, lost)
  }
})
