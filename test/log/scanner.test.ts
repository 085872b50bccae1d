/** The scanner: visits every good record once, stops at the first that is none, and finds the next. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { SegmentChain } from '../../lib/disk/segment-chain.js'
import { CheckLevel, Finding } from '../../lib/format/record.js'
import { LogScanner } from '../../lib/log/scanner.js'
import { flipLog, freshDisk, open, root } from '../support/open-store.js'
import { Random } from '../support/random.js'

async function filled(): Promise<{ disk: MemoryDisk; records: { address: number; size: number }[]; end: number }> {
  const disk = freshDisk()
  const store = await open(disk)
  const random = new Random(9)
  const records = []
  for (let i = 0; i < 60; i++) {
    const { commitLogOffset, size } = await store.put({ topic: 'a', body: random.bytes(random.int(900)) })
    records.push({ address: commitLogOffset, size })
  }
  const end = store.metrics.snapshot()['commitLogEnd']!
  await store.close()
  return { disk, records, end }
}

function scannerOf(disk: MemoryDisk): { scanner: LogScanner; chain: SegmentChain } {
  const options = { disk, files: new OpenFiles(disk), directory: `${root}/commitlog`, segmentBytes: undefined, writable: false }
  const chain = SegmentChain.load(options)
  return { scanner: new LogScanner({ chain, levelAt: () => CheckLevel.record }), chain }
}

test('from any record it visits every later one once, up to the end of the log', async () => {
  const { disk, records, end } = await filled()
  const { scanner, chain } = scannerOf(disk)
  for (let from = 0; from < records.length; from += 7) {
    const seen: { address: number; size: number }[] = []
    const stop = await scanner.scan(records[from]!.address, chain.end, (_block, _at, size, address) =>
      seen.push({ address, size }),
    )
    assert.deepEqual(seen, records.slice(from))
    assert.deepEqual(stop, { address: end, finding: Finding.unwritten })
  }
  assert.equal(await scanner.lastNonZero(0), end)
  assert.equal(await scanner.lastNonZero(end), end)
})

test('it stops at a damaged record and finds the next, wherever the damage is', async () => {
  const { disk, records, end } = await filled()
  const { scanner, chain } = scannerOf(disk)
  for (let i = 0; i < records.length; i++) {
    const { address, size } = records[i]!
    for (const at of [0, 4, 20, 60, size - 1]) {
      flipLog(disk, address + at)
      let visited = 0
      const stop = await scanner.scan(0, chain.end, () => visited++)
      assert.deepEqual([stop.address, visited], [address, i], `record ${i}, byte ${at}`)
      assert.notEqual(stop.finding, Finding.unwritten)
      assert.equal(await scanner.findRecord(address + 1, end), records[i + 1]?.address ?? -1, `record ${i}, byte ${at}`)
      assert.ok((await scanner.checkOne(address)).size < 0)
      flipLog(disk, address + at)
      assert.equal((await scanner.checkOne(address)).size, size)
    }
  }
})
