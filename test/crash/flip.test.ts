/**
 * FLIP: damage to a store at rest. Whatever bit of whatever file is flipped, no wrong message is ever served,
 * nothing is missing without a word, and nothing is dropped but what the damage touched.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { blockOf } from '../../lib/format/block.js'
import { CheckLevel, checkRecord, readRecord } from '../../lib/format/record.js'
import { runApart } from '../support/apart.js'
import { bytesIn, damageMore, type FlipCounts, flipBits } from '../support/flip-damage.js'
import { flipSizes, storeImage } from '../support/flip-store.js'
import { root } from '../support/open-store.js'
import { isFull, seedOf, sized } from '../support/tier.js'

const module = new URL('../support/flip-damage.js', import.meta.url).href
const TIME_LIMIT_MS = 30 * 60_000

function textOf({ cases, silentlyWrong, dropped, kinds }: FlipCounts): string {
  const rows = Object.entries(kinds).map(([kind, outcomes]) => `${kind} ${JSON.stringify(outcomes)}`)
  return `${cases} cases, silently wrong ${silentlyWrong}, dropped ${dropped}, hangs 0; ${rows.join('; ')}`
}

function check({ failures, silentlyWrong, dropped }: FlipCounts): void {
  assert.deepEqual(failures, [])
  assert.deepEqual([silentlyWrong, dropped], [0, 0])
}

describe('FLIP', () => {
  for (const ending of ['closed', 'killed'] as const) {
    test(`a flipped bit anywhere in a ${ending} store is harmless, noticed or refused`, { timeout: TIME_LIMIT_MS }, async (t) => {
      const options = { ending, seed: seedOf(1), bits: isFull ? 'every' : 'one', every: sized(13, 1) } as const
      const counts = await runApart(module, flipBits, options, t.signal)
      t.diagnostic(textOf(counts))
      check(counts)
    })

    test(`larger damage anywhere in a ${ending} store is harmless, noticed or refused`, { timeout: TIME_LIMIT_MS }, async (t) => {
      const counts = await runApart(module, damageMore, { ending, seed: seedOf(2), cases: sized(200, 50_000) }, t.signal)
      t.diagnostic(textOf(counts))
      check(counts)
    })
  }

  test('the judgement is not blind: without record checksums it finds wrong messages and lost ones', async (t) => {
    const store = { checksum: 'body' } as const
    const options = { ending: 'killed', seed: seedOf(3), bits: 'one', every: sized(13, 7), files: '/commitlog/', store } as const
    const counts = await runApart(module, flipBits, options, t.signal)
    // A share of the cases is enough for a share of the run.
    assert.ok(counts.silentlyWrong > counts.cases / 10, textOf(counts))
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
