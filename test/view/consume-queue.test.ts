/** ConsumeQueues against an array: any placing, writing, cutting, trimming and reloading. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { entryOffset, entrySize, entryTagsCode, FILLER_SIZE } from '../../lib/format/queue-entry.js'
import { ConsumeQueue } from '../../lib/view/consume-queue.js'
import { EntryBlock } from '../../lib/view/entry-block.js'

const PER_FILE = 5
const SIZE = 100

function load(disk: MemoryDisk, trustedEnd = Number.POSITIVE_INFINITY): ConsumeQueue {
  const queue = new ConsumeQueue({
    disk,
    files: new OpenFiles(disk, 16),
    directory: '/q/a/0',
    topic: 'a',
    queueId: 0,
    rowsPerSegment: PER_FILE,
    writable: true,
    tmpDirectory: '/q/tmp',
    mayHaveUnflushedNames: false,
    trustedEnd,
  })
  queue.settle()
  return queue
}

function fresh(): MemoryDisk {
  const disk = new MemoryDisk()
  disk.makeDirectory('/q')
  return disk
}

/** Every entry from the minimum offset on: address, size and tags code. */
function content(queue: ConsumeQueue): [number, number, number][] {
  const entries: [number, number, number][] = []
  const block = new EntryBlock()
  for (let offset = queue.minOffset; offset < queue.maxOffset; ) {
    const got = queue.read(offset, 3, block)
    assert.ok(got > 0 && got <= 3, `read ${got} at ${offset}`)
    for (let i = 0; i < got; i++) {
      const at = i * 20
      entries.push([entryOffset(block.view, at), entrySize(block.view, at), entryTagsCode(block.view, at)])
    }
    offset += got
  }
  return entries
}

type Entry = [number, number, number]
type Command = { do: 'append' | 'flush' | 'truncate' | 'trim' | 'reload'; n: number }

const command = fc.record({
  do: fc.constantFrom('append', 'append', 'append', 'append', 'flush', 'truncate', 'trim', 'reload') as fc.Arbitrary<
    Command['do']
  >,
  n: fc.nat(1000),
})

describe('against an array', () => {
  test('any appends, flushes, cuts, trims and restarts agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
        const disk = fresh()
        let queue = load(disk)
        let model: Entry[] = []
        let first = 0
        let logEnd = 0
        let logStart = 0
        for (const { do: what, n } of commands) {
          if (what === 'append') {
            const entry: Entry = [logEnd + (n % 3) * 50, SIZE, n - 500]
            logEnd = entry[0] + SIZE
            assert.equal(queue.append(...entry), first + model.length)
            model.push(entry)
          } else if (what === 'flush') await queue.flush(logEnd - (n % 300))
          else if (what === 'truncate') {
            logEnd = Math.max(logStart, logEnd - (n % 350))
            queue.truncate(logEnd)
            model = model.filter(([address]) => address + SIZE <= logEnd)
          } else if (what === 'trim') {
            logStart = Math.min(logEnd, logStart + (n % 250))
            queue.trim(logStart)
            const kept = model.filter(([address]) => address >= logStart)
            first += model.length - kept.length
            model = kept
          } else {
            await queue.flush(Number.MAX_SAFE_INTEGER)
            const wasEmpty = model.length === 0
            queue = load(disk)
            queue.trim(logStart)
            // An empty queue knows its place from the files alone, which hold it to the entry.
            if (wasEmpty) assert.equal(queue.minOffset, queue.maxOffset)
          }
          assert.deepEqual([queue.minOffset, queue.maxOffset], [first, first + model.length])
          assert.deepEqual(content(queue), model)
          assert.equal(queue.lastCommitLogEnd >= 0 || model.length === 0, true)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('placing the same records again, from anywhere, changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.nat(30), fc.nat(3000), async (count, from, durable) => {
        const queue = load(fresh())
        for (let i = 0; i < count; i++) assert.equal(queue.place(i, i * SIZE, SIZE, i), 'appended')
        await queue.flush(durable)
        const before = content(queue)
        for (let i = Math.min(from, count - 1); i < count; i++) assert.equal(queue.place(i, i * SIZE, SIZE, i), 'same')
        assert.deepEqual(content(queue), before)
      }),
    )
  })

  test('a record that differs from its entry replaces it and all that follow', async () => {
    for (let at = 0; at < 12; at++) {
      for (const durable of [0, 500, 5000]) {
        const queue = load(fresh())
        for (let i = 0; i < 12; i++) queue.place(i, i * SIZE, SIZE, i)
        await queue.flush(durable)
        assert.equal(queue.place(at, at * SIZE + 1, SIZE, 77), 'rewritten')
        const wanted = Array.from({ length: at }, (_, i): Entry => [i * SIZE, SIZE, i])
        assert.deepEqual(content(queue), [...wanted, [at * SIZE + 1, SIZE, 77]])
      }
    }
  })
})

describe('gaps', () => {
  test('an empty queue begins where its first record says, with fillers from the start of its file', async () => {
    for (const start of [0, 1, PER_FILE - 1, PER_FILE, 3 * PER_FILE + 2]) {
      const disk = fresh()
      const queue = load(disk)
      queue.place(start, 7000, SIZE, 1)
      assert.deepEqual([queue.minOffset, queue.maxOffset], [start, start + 1])
      await queue.flush(Number.MAX_SAFE_INTEGER)
      const name = String((start - (start % PER_FILE)) * 20).padStart(20, '0')
      assert.deepEqual(
        disk.list('/q/a/0').map((file) => file.name),
        [name],
      )
      const again = load(disk)
      assert.deepEqual([again.minOffset, again.maxOffset], [start, start + 1])
      assert.deepEqual(content(again), [[7000, SIZE, 1]])
    }
  })

  test('offsets that are missing get fillers, which lead nowhere', () => {
    const queue = load(fresh())
    queue.place(0, 0, SIZE, 1)
    assert.equal(queue.place(3, 900, SIZE, 2), 'filled')
    assert.deepEqual(
      content(queue).map(([, size]) => size),
      [SIZE, FILLER_SIZE, FILLER_SIZE, SIZE],
    )
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((offset) => queue.commitLogOffsetAt(offset)),
      [0, undefined, undefined, 900, undefined],
    )
  })

  test('fillers between entries mislead no search: not for what is durable, cut, trimmed, trusted or sought by time', async () => {
    // Every pattern of entries and gaps over ten offsets, the first and the last an entry.
    for (let pattern = 0; pattern < 256; pattern++) {
      const offsets = [0, ...Array.from({ length: 8 }, (_, i) => i + 1).filter((offset) => (pattern >> (offset - 1)) & 1), 9]
      const filled = (disk: MemoryDisk): ConsumeQueue => {
        const queue = load(disk)
        for (const offset of offsets) queue.place(offset, offset * SIZE, SIZE, 0)
        return queue
      }
      const real = (queue: ConsumeQueue): number[] =>
        content(queue)
          .filter(([, size]) => size === SIZE)
          .map(([address]) => address / SIZE)
      for (let limit = 0; limit <= 10; limit++) {
        const disk = fresh()
        const queue = filled(disk)
        await queue.flush(limit * SIZE)
        const what = `pattern ${pattern}, limit ${limit}`
        assert.deepEqual(
          real(load(disk)),
          offsets.filter((offset) => offset < limit),
          `durable, ${what}`,
        )
        await queue.flush(Number.MAX_SAFE_INTEGER)
        assert.deepEqual(
          real(load(disk, limit * SIZE)),
          offsets.filter((offset) => offset < limit),
          `trusted, ${what}`,
        )
        const storedAt = (address: number): number => address / SIZE
        const sought = filled(fresh()).offsetByTime(limit, 'lower', storedAt)
        assert.equal(
          offsets.find((offset) => offset >= sought) ?? 10,
          offsets.find((offset) => offset >= limit) ?? 10,
          `time, ${what}`,
        )
        const trimmed = filled(fresh())
        trimmed.trim(limit * SIZE)
        assert.deepEqual(
          real(trimmed),
          offsets.filter((offset) => offset >= limit),
          `trimmed, ${what}`,
        )
        assert.equal(trimmed.minOffset, offsets.find((offset) => offset >= limit) ?? 10, `trimmed, ${what}`)
        const cut = filled(fresh())
        cut.truncate(limit * SIZE)
        assert.deepEqual(
          real(cut),
          offsets.filter((offset) => offset < limit),
          `cut, ${what}`,
        )
      }
    }
  })

  test('an offset further on than records can have stood in between is refused', () => {
    const queue = load(fresh())
    queue.place(0, 0, SIZE, 1)
    for (const offset of [100, 2 ** 40, Number.MAX_SAFE_INTEGER]) assert.equal(queue.place(offset, SIZE, SIZE, 1), 'refused')
    assert.equal(queue.maxOffset, 1)
    assert.equal(queue.place(1, SIZE, SIZE, 1), 'appended')
  })
})

describe('loading', () => {
  test('entries of records that end above the trusted end are dropped, told as evidence, and zeroed once settled', async () => {
    for (let trusted = 0; trusted <= 12 * SIZE; trusted += SIZE / 2) {
      const disk = fresh()
      const first = load(disk)
      for (let i = 0; i < 12; i++) first.append(i * SIZE, SIZE, i)
      await first.flush(Number.MAX_SAFE_INTEGER)
      const queue = load(disk, trusted)
      const kept = Math.floor(trusted / SIZE)
      assert.equal(queue.maxOffset, kept, `trusted ${trusted}`)
      assert.equal(queue.evidenceEnd, 12 * SIZE)
      const again = load(disk)
      assert.equal(again.maxOffset, kept)
      queue.place(kept, 5000, SIZE, 9)
      assert.equal(content(queue).length, kept + 1)
    }
  })

  test('only entries of durable records are written', async () => {
    for (let durable = 0; durable <= 12 * SIZE; durable += 30) {
      const disk = fresh()
      const queue = load(disk)
      for (let i = 0; i < 12; i++) queue.append(i * SIZE, SIZE, i)
      await queue.flush(durable)
      assert.equal(queue.isDirty, durable < 12 * SIZE)
      assert.equal(load(disk).maxOffset, Math.floor(durable / SIZE))
    }
  })
})

test('offsetByTime agrees with looking at every entry, whatever can be read', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 1, maxLength: 40 }),
      fc.nat(20),
      fc.integer({ min: -1, max: 130 }),
      (steps, from, ms) => {
        const queue = load(fresh())
        let time = 0
        const times = steps.map((delta) => (time += delta))
        const min = Math.min(from, times.length - 1)
        for (let i = 0; i < times.length; i++) queue.append(i * SIZE, SIZE, 0)
        queue.trim(min * SIZE)
        const storedAt = (address: number): number | undefined => times[address / SIZE]
        const kept = times.slice(min)
        const first = kept.findIndex((t) => t >= ms)
        assert.equal(queue.offsetByTime(ms, 'lower', storedAt), min + (first < 0 ? kept.length : first))
        assert.equal(
          queue.offsetByTime(ms, 'upper', storedAt),
          min +
            Math.max(
              0,
              kept.findLastIndex((t) => t <= ms),
            ),
        )
      },
    ),
  )
})
