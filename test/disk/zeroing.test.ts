/** Zeroing what a failed write left must need no space: the disk is full then. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SegmentChain } from '../../lib/disk/segment-chain.js'
import { zeroWhatIsThere } from '../../lib/disk/zeroing.js'

/** A chain of one segment that notes which bytes are written. */
function chainOf(bytes: Buffer): { chain: SegmentChain; written: Set<number>; writes: number[] } {
  const written = new Set<number>()
  const writes: number[] = []
  const chain = {
    readAt: (target: Uint8Array, address: number) => bytes.copy(target, 0, address, address + target.length),
    writeAt(source: Uint8Array, address: number) {
      bytes.set(source, address)
      writes.push(address)
      for (let i = 0; i < source.length; i++) written.add(address + i)
    },
  }
  return { chain: chain as unknown as SegmentChain, written, writes }
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

test('zeroing leaves holes between what was written, and takes no two writes where one will do', () => {
  const bytes = Buffer.alloc(600_000)
  bytes.fill(7, 0, 300_000)
  bytes.fill(7, 301_024, 400_000)
  const { chain, written, writes } = chainOf(bytes)
  assert.equal(zeroWhatIsThere(chain, 10, 500_000), true)
  assert.ok(bytes.subarray(10).every((byte) => byte === 0))
  for (let at = 300_000; at < 301_024; at++) assert.ok(!written.has(at))
  assert.equal(writes.length, 3)
  assert.equal(zeroWhatIsThere(chain, 10, 500_000), false)
})
