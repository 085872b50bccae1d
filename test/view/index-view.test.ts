/** The index against a list: any entries over any number of files, flushed or not, cut, trimmed and loaded again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { CACHE_PAGE_BYTES } from '../../lib/disk/page-cache.js'
import { IndexView } from '../../lib/view/index-view.js'
import { ManualTime } from '../support/manual-time.js'

const SIZE = 100
const START = Date.UTC(2024, 4, 5)

function load(disk: MemoryDisk, trustedEnd = Number.POSITIVE_INFINITY): IndexView {
  return IndexView.load({
    disk,
    files: new OpenFiles(disk, 16),
    directory: '/s/index',
    slots: 3,
    entries: 8,
    writable: true,
    clock: new ManualTime(START),
    tmpDirectory: '/s/tmp',
    logStart: 0,
    trustedEnd,
    // Two pages for entries and slots of all files: they drive each other out.
    cacheBytes: 2 * CACHE_PAGE_BYTES,
  })
}

interface Listed {
  readonly hash: number
  readonly address: number
  readonly ms: number
}

/** What a query may not miss, and in which order. */
function wanted(model: readonly Listed[], hash: number, from: number, to: number): number[] {
  return model
    .filter((entry) => entry.hash === hash && entry.ms >= from && entry.ms <= to)
    .map(({ address }) => address)
    .reverse()
}

const hashes = fc.constantFrom(0, 1, 3, 4, 0x7fffffff)
const commands = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('put' as const),
        keys: fc.array(hashes, { minLength: 1, maxLength: 4 }),
        ms: fc.constantFrom(0, 1, 999, 1000, 5000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const), behind: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('relieve' as const), behind: fc.nat(4), least: fc.nat(6) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), behind: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const) }) },
  ),
  { maxLength: 50 },
)

test('queries find every entry in the time range, newest first, and give no address of another hash within a file', async () => {
  await fc.assert(
    fc.asyncProperty(
      commands,
      fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { minLength: 3, maxLength: 3 }),
      async (steps, spans) => {
        const disk = new MemoryDisk()
        disk.makeDirectory('/s')
        let index = load(disk)
        let model: Listed[] = []
        // Hash 0 at address 0 cannot be told from zeros that nobody wrote: the log brings it again.
        let records = 1
        let now = START
        for (const step of steps) {
          if (step.do === 'put') {
            now += step.ms
            for (const hash of step.keys) {
              index.put(hash, records * SIZE, now)
              model.push({ hash, address: records * SIZE, ms: now })
            }
            records++
          } else if (step.do === 'flush') await index.flush(Math.max(0, records - step.behind) * SIZE)
          else if (step.do === 'relieve') index.relieve(Math.max(0, records - step.behind) * SIZE, step.least)
          else if (step.do === 'cut') {
            records = Math.max(1, records - step.behind)
            // Recovery cuts what files hold; nothing is in memory then.
            await index.flush(Number.MAX_SAFE_INTEGER)
            index.truncate(records * SIZE)
            model = model.filter(({ address }) => address < records * SIZE)
          } else {
            await index.flush(Number.MAX_SAFE_INTEGER)
            index = load(disk)
          }
          assert.equal(index.entryCount, model.length)
          const times = model.map(({ ms }) => ms)
          const ends = spans.map(([a, b]) => [times[a % times.length] ?? 0, times[b % times.length] ?? 0].sort((x, y) => x - y))
          for (const [from = 0, to = 0] of [[0, Number.MAX_SAFE_INTEGER], ...ends]) {
            for (const hash of [0, 1, 3, 4, 0x7fffffff, 2]) {
              const found = [...index.candidates(hash, from, to)]
              const must = wanted(model, hash, from, to)
              const may = wanted(model, hash, 0, Number.MAX_SAFE_INTEGER)
              assert.deepEqual(
                found.filter((address) => must.includes(address)),
                must,
              )
              assert.ok(found.every((address) => may.includes(address)))
            }
          }
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('after a start that believes only a part, the rest can be put again and all is found once', async () => {
  for (let trusted = 0; trusted <= 20; trusted++) {
    const disk = new MemoryDisk()
    disk.makeDirectory('/s')
    const first = load(disk)
    const put = (index: IndexView, from: number): void => {
      for (let i = from; i < 20; i++) for (const hash of [1, 4, 7 + i]) index.put(hash, i * SIZE, START + i * 400)
    }
    put(first, 0)
    await first.flush(10 * SIZE)
    // Ahead of slots and header, as a process that ends then leaves them.
    first.relieve(Number.MAX_SAFE_INTEGER, 1)
    if (trusted % 2 === 0) await first.flush(Number.MAX_SAFE_INTEGER)
    const index = load(disk, trusted * SIZE)
    const end = index.lastCommitLogOffset
    assert.ok(end < trusted * SIZE)
    put(index, end / SIZE + 1 < 0 ? 0 : Math.floor(end / SIZE) + 1)
    for (const hash of [1, 4]) {
      const found = [...index.candidates(hash, 0, Number.MAX_SAFE_INTEGER)]
      assert.deepEqual(
        found,
        Array.from({ length: 20 }, (_, i) => (19 - i) * SIZE),
        `trusted ${trusted}, hash ${hash}`,
      )
    }
    await index.flush(Number.MAX_SAFE_INTEGER)
    const again = load(disk)
    assert.equal([...again.candidates(4, 0, Number.MAX_SAFE_INTEGER)].length, 20)
  }
})

test('files whose records are all gone are deleted, never the last', async () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/s')
  const index = load(disk)
  for (let i = 0; i < 30; i++) index.put(1, i * SIZE, START + i)
  await index.flush(Number.MAX_SAFE_INTEGER)
  assert.equal(index.fileCount, 5)
  assert.equal(index.trim(7 * SIZE).length, 1)
  assert.equal(index.trim(Number.MAX_SAFE_INTEGER).length, 3)
  assert.deepEqual([index.fileCount, disk.list('/s/index').length], [1, 1])
})
