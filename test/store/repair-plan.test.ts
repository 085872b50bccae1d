/** What is written into a damaged range fills it exactly, whatever the queue entries say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LostEntry, planRepair, type RangeToFill, type RepairPiece } from '../../lib/store/checking/repair-plan.js'
import { Random } from '../support/random.js'

const segmentBytes = 64 * 1024
const base = { segmentBytes, isFollowed: true, minBytes: 91, lost: [] }

const entry = (commitLogOffset: number, size: number, topic = 'orders'): LostEntry => ({
  topic,
  queueId: 0,
  queueOffset: 5,
  commitLogOffset,
  size,
})
const shape = (pieces: RepairPiece[]) => pieces.map(({ kind, address, size, lost }) => [kind, address, size, lost?.topic])

function assertFills(range: RangeToFill, pieces: RepairPiece[]): void {
  let at = range.from
  for (const { kind, address, size } of pieces) {
    assert.equal(address, at)
    at += size
    if (kind === 'blank') assert.equal(at % segmentBytes, 0)
    else assert.ok(size >= range.minBytes && Math.floor(address / segmentBytes) === Math.floor((at + 7) / segmentBytes))
  }
  if (range.isFollowed) assert.equal(at, range.to)
  else assert.ok(at >= range.to)
}

test('each lost message gets a stand-in where it was, and the rest is filled', () => {
  const pieces = planRepair({ ...base, from: 1000, to: 1600, lost: [entry(1300, 150), entry(1000, 150)] })
  assert.deepEqual(shape(pieces), [
    ['standIn', 1000, 150, 'orders'],
    ['standIn', 1150, 150, undefined],
    ['standIn', 1300, 150, 'orders'],
    ['standIn', 1450, 150, undefined],
  ])
})

test('the message’s own queue names it, not one that it was dispatched to beside', () => {
  const lost = [entry(1000, 200, '%LMQ%a'), entry(1000, 200, 'orders'), entry(1000, 200, '%LMQ%b')]
  assert.deepEqual(shape(planRepair({ ...base, from: 1000, to: 1200, lost })), [['standIn', 1000, 200, 'orders']])
})

test('entries that leave no room for records around them are not believed', () => {
  const lost = [entry(1010, 150), entry(1000, 50), entry(1000, 250), entry(1000, 2 ** 31 - 1)]
  assert.deepEqual(shape(planRepair({ ...base, from: 1000, to: 1300, lost })), [['standIn', 1000, 300, undefined]])
})

test('at the end of a segment a blank takes what is left, and a segment never begins with one', () => {
  assert.deepEqual(shape(planRepair({ ...base, from: segmentBytes - 50, to: segmentBytes })), [
    ['blank', segmentBytes - 50, 50, undefined],
  ])
  assert.deepEqual(shape(planRepair({ ...base, from: segmentBytes - 500, to: segmentBytes + 200 })), [
    ['standIn', segmentBytes - 500, 256, undefined],
    ['blank', segmentBytes - 244, 244, undefined],
    ['standIn', segmentBytes, 200, undefined],
  ])
})

test('a large range is filled with records that every store may hold', () => {
  const large = { ...base, segmentBytes: 2 ** 30, from: 0, to: 100 * 2 ** 20 + 17 }
  const pieces = planRepair(large)
  assert.ok(pieces.length > 90 && pieces.every(({ size }) => size <= 2 ** 20 + 91))
  assert.equal(
    pieces.reduce((sum, { size }) => sum + size, 0),
    large.to,
  )
})

test('where no record follows, a range may grow to hold one', () => {
  assert.deepEqual(shape(planRepair({ ...base, isFollowed: false, from: 1000, to: 1010 })), [['standIn', 1000, 91, undefined]])
  assert.deepEqual(shape(planRepair({ ...base, isFollowed: false, from: segmentBytes - 60, to: segmentBytes - 50 })), [
    ['blank', segmentBytes - 60, 60, undefined],
  ])
})

test('a range between two records that is too short for one is refused', () => {
  assert.throws(() => planRepair({ ...base, from: 1000, to: 1090 }), {
    code: 'STORE_CORRUPT',
    message: /from 1000 to 1090 .*90 bytes, a record needs 91/,
  })
})

test('any range with any entries is filled exactly', () => {
  const seed = Number(process.env['MQLITE_SEED'] ?? Date.now())
  const random = new Random(seed)
  for (let round = 0; round < 2000; round++) {
    const from = random.int(segmentBytes - 8)
    const range = {
      ...base,
      isFollowed: random.chance(0.7),
      minBytes: random.pick([91, 111]),
      from,
      to: from + random.between(300, 3 * segmentBytes),
    }
    // A record ends at least a blank before the end of its segment.
    if (range.isFollowed && range.to % segmentBytes !== 0 && range.to % segmentBytes < 200) range.to += 200
    if (range.to % segmentBytes > segmentBytes - 8) range.to += 8 + 200
    const lost = Array.from({ length: random.int(20) }, () => entry(from + random.int(range.to - from), random.between(1, 2000)))
    assertFills(range, planRepair({ ...range, lost }))
  }
})
