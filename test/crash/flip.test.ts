/**
 * FLIP: damage to a store at rest. Whatever bit of whatever file is flipped, no wrong message is ever served,
 * nothing is missing without a word, and nothing is dropped but what the damage touched.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { blockOf } from '../../lib/format/block.js'
import { CheckLevel, checkRecord, readRecord } from '../../lib/format/record.js'
import type { StoreOptions } from '../../lib/index.js'
import { flipSizes, judge, type StoreImage, storeImage, type Verdict } from '../support/flip-store.js'
import { root } from '../support/open-store.js'
import { Random } from '../support/random.js'
import { seedOf, sized, tier } from '../support/tier.js'

const TIME_LIMIT_MS = 20 * 60_000

/** Counts, by kind of file. */
class Tally {
  readonly counts: Record<string, { cases: number; intact: number; reported: number; refused: number }> = {}
  readonly failures: string[] = []
  silentlyWrong = 0
  dropped = 0

  add(path: string, what: string, { outcome, wrong, dropped }: Verdict): void {
    const kind =
      path.slice(root.length + 1).split('/')[0] === 'ext'
        ? path.slice(root.length + 1)
        : path.slice(root.length + 1).split('/')[0]!
    const count = (this.counts[kind] ??= { cases: 0, intact: 0, reported: 0, refused: 0 })
    count.cases++
    count[outcome]++
    if (wrong !== undefined) this.silentlyWrong++
    if (dropped !== undefined) this.dropped++
    if ((wrong ?? dropped) !== undefined && this.failures.length < 10) this.failures.push(`${what}: ${wrong ?? dropped}`)
  }

  get text(): string {
    const rows = Object.entries(this.counts).map(([kind, count]) => `${kind} ${JSON.stringify(count)}`)
    return `silently wrong ${this.silentlyWrong}, dropped ${this.dropped}, hangs 0; ${rows.join('; ')}`
  }

  check(): void {
    assert.deepEqual(this.failures, [])
    assert.deepEqual([this.silentlyWrong, this.dropped], [0, 0])
  }
}

/** Where a position of a file of the log stands in the log; others stand nowhere. */
function addressIn(path: string): number {
  return path.includes('/commitlog/') ? Number(path.slice(path.lastIndexOf('/') + 1)) : Number.NaN
}

/** Bytes that are put over others. */
interface Patch {
  readonly from: number
  readonly content: Uint8Array
}

async function damaged(image: StoreImage, path: string, patches: readonly Patch[], options: StoreOptions = {}): Promise<Verdict> {
  const disk = new MemoryDisk()
  disk.restore(image.snapshot)
  const changed: number[] = []
  for (const { from, content } of patches) {
    const before = disk.bytesOf(path, from, from + content.length)
    for (let at = 0; at < content.length; at++) if (before[at] !== content[at]) changed.push(addressIn(path) + from + at)
    disk.overwrite(path, from, content)
  }
  return judge(disk, image, (a, b) => changed.some((address) => address >= a && address < b), options)
}

function bytesIn(image: StoreImage, path: string, from: number, to: number): Uint8Array {
  const disk = new MemoryDisk()
  disk.restore(image.snapshot)
  return disk.bytesOf(path, from, to)
}

describe('FLIP', () => {
  for (const ending of ['closed', 'killed'] as const) {
    test(`a flipped bit anywhere in a ${ending} store is harmless, noticed or refused`, { timeout: TIME_LIMIT_MS }, async (t) => {
      const image = await storeImage(ending)
      const random = new Random(seedOf(1))
      const tally = new Tally()
      for (const { path, bytes } of image.files) {
        for (let at = 0; at < bytes; at++) {
          const [byte = 0] = bytesIn(image, path, at, at + 1)
          for (const bit of tier === 'crash' ? [0, 1, 2, 3, 4, 5, 6, 7] : [random.int(8)]) {
            const verdict = await damaged(image, path, [{ from: at, content: Uint8Array.of(byte ^ (1 << bit)) }])
            tally.add(path, `${path} byte ${at} bit ${bit}`, verdict)
          }
        }
      }
      t.diagnostic(tally.text)
      tally.check()
    })

    test(`larger damage anywhere in a ${ending} store is harmless, noticed or refused`, { timeout: TIME_LIMIT_MS }, async (t) => {
      const image = await storeImage(ending)
      const seed = seedOf(2)
      const tally = new Tally()
      const count = sized(300, 50_000)
      for (let n = 0; n < count; n++) {
        const random = new Random(seed * 1_000_003 + n)
        const { path, bytes } = random.pick(image.files)
        const { what, patches } = larger(random, image, path, bytes)
        tally.add(path, `seed ${seed}, case ${n}: ${what} of ${path}`, await damaged(image, path, patches))
      }
      t.diagnostic(tally.text)
      tally.check()
    })
  }

  test('the judgement is not blind: without record checksums it finds wrong messages and lost ones', async () => {
    const options = { checksum: 'body' } as const
    const image = await storeImage('killed', options)
    const random = new Random(seedOf(3))
    const tally = new Tally()
    for (const { path, bytes } of image.files.filter((file) => file.path.includes('/commitlog/'))) {
      for (let at = 0; at < bytes; at += 3) {
        const [byte = 0] = bytesIn(image, path, at, at + 1)
        const patch = { from: at, content: Uint8Array.of(byte ^ (1 << random.int(8))) }
        tally.add(path, `${path} byte ${at}`, await damaged(image, path, [patch], options))
      }
    }
    assert.ok(tally.silentlyWrong > 100, tally.text)
  })

  test('RocketMQ checks the body alone: so many flipped bits of a record would pass there', async (t) => {
    const image = await storeImage('closed', { checksum: 'body' })
    let passed = 0
    let bits = 0
    for (const { receipt } of image.known) {
      const { commitLogOffset, size } = receipt
      const start = commitLogOffset - (commitLogOffset % flipSizes.segmentBytes)
      const path = `${root}/commitlog/${String(start).padStart(20, '0')}`
      const record = Buffer.from(bytesIn(image, path, commitLogOffset - start, commitLogOffset - start + size))
      for (let bit = 0; bit < size * 8; bit++) {
        record[bit >> 3]! ^= 1 << (bit & 7)
        if (stockAccepts(record, size)) passed++
        bits++
        record[bit >> 3]! ^= 1 << (bit & 7)
      }
    }
    const share = passed / bits
    t.diagnostic(`${passed} of ${bits} flips pass a check of the body alone: ${(share * 100).toFixed(1)} %`)
    assert.ok(share > 0.3 && share < 0.8, String(share))
  })
})

/** RocketMQ's check of a record: magic, lengths, CRC of the body; the record's own address is not looked at. */
function stockAccepts(record: Buffer, size: number): boolean {
  const block = blockOf(record)
  return checkRecord(block, 0, size, size, readRecord.commitLogOffset(block.view, 0), CheckLevel.body) === size
}

/** Zeroed sectors, random bytes, a block copied over another, two blocks swapped. */
function larger(random: Random, image: StoreImage, path: string, bytes: number): { what: string; patches: Patch[] } {
  const kind = random.pick(['zeros', 'ones', 'random', 'copy', 'swap'] as const)
  const length = random.between(1, Math.min(bytes, random.pick([4, 40, 512])))
  const from = random.int(bytes - length + 1)
  const other = random.int(bytes - length + 1)
  const what = `${kind} of ${length} bytes at ${from}`
  if (kind === 'zeros') return { what, patches: [{ from, content: new Uint8Array(length) }] }
  if (kind === 'ones') return { what, patches: [{ from, content: new Uint8Array(length).fill(255) }] }
  if (kind === 'random') return { what, patches: [{ from, content: random.bytes(length) }] }
  const copied = { from, content: Uint8Array.from(bytesIn(image, path, other, other + length)) }
  if (kind === 'copy') return { what: `${what} from ${other}`, patches: [copied] }
  return {
    what: `${what} and ${other}`,
    patches: [{ from: other, content: Uint8Array.from(bytesIn(image, path, from, from + length)) }, copied],
  }
}
