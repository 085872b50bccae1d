/** Zeroing what a failed write left must need no space: the disk is full then. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SegmentChain } from '../../lib/disk/segment-chain.js'
import { zeroWhatIsThere } from '../../lib/log/commit-log.js'

/** A chain of one segment that notes which bytes are written. */
function chainOf(bytes: Buffer): { chain: SegmentChain; written: Set<number> } {
  const written = new Set<number>()
  const chain = {
    readAt: (target: Uint8Array, address: number) => bytes.copy(target, 0, address, address + target.length),
    writeAt(source: Uint8Array, address: number) {
      bytes.set(source, address)
      for (let i = 0; i < source.length; i++) written.add(address + i)
    },
  }
  return { chain: chain as unknown as SegmentChain, written }
}

test('zeroing a torn write touches no block in which nothing was written, wherever the write began', () => {
  for (const blockBytes of [512, 1024, 4096]) {
    for (const from of [0, 1, 100, 4095, 4096, 5000]) {
      for (const length of [1, 50, 3000, 4096, 9000]) {
        const bytes = Buffer.alloc(40_960)
        bytes.fill(7, from, from + length)
        const { chain, written } = chainOf(bytes)
        zeroWhatIsThere(chain, from, from + 20_000)
        assert.ok(bytes.every((byte) => byte === 0))
        const lastBlock = Math.floor((from + length - 1) / blockBytes)
        for (const at of written) assert.ok(at >= from && Math.floor(at / blockBytes) <= lastBlock, `${at} is a hole`)
      }
    }
  }
})

test('zeroing leaves what is before and behind its range', () => {
  const bytes = Buffer.alloc(20_000, 9)
  const { chain } = chainOf(bytes)
  zeroWhatIsThere(chain, 5000, 15_001)
  assert.deepEqual([bytes[4999], bytes[5000], bytes[15_000], bytes[15_001]], [9, 0, 0, 9])
})
