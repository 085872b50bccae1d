/** CommitLog, tail and blocks: any appends read back as they were appended, also after writes that failed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DiskError } from '../../lib/disk/disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { SegmentChain } from '../../lib/disk/segment-chain.js'
import { MAGIC_BLANK } from '../../lib/format/record.js'
import { CommitLog } from '../../lib/log/commit-log.js'
import { Cursor } from '../../lib/log/log-blocks.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'

const SEGMENT = 1024

function build(options: { tailBytes?: number; readCacheBytes?: number; zerosWithin?: number } = {}) {
  const disk = new SimDisk()
  const files = new OpenFiles(disk)
  const chain = SegmentChain.load({ disk, files, directory: '/log', segmentBytes: SEGMENT, writable: true })
  return { disk, chain, log: new CommitLog(chain, 0, { tailBytes: 0, readCacheBytes: 0, ...options }) }
}

/** Appends bytes as a put does; returns their address. */
function append(log: CommitLog, bytes: Buffer, room = bytes.length): number {
  const chunk = log.reserve(room)
  bytes.copy(chunk.block.bytes, chunk.used)
  log.append(chunk, chunk.used + bytes.length)
  return log.end - bytes.length
}

function read(log: CommitLog, address: number, length: number, walking: boolean): Buffer | undefined {
  const cursor = new Cursor()
  if (!log.blocks.locate(cursor, address, length, walking)) return undefined
  return Buffer.from(cursor.block.bytes.subarray(cursor.at, cursor.at + length))
}

describe('appending', () => {
  test('records never straddle segments, and a segment that is full ends with a blank', () => {
    const { log, chain } = build()
    const first = append(log, Buffer.alloc(700, 1))
    const second = append(log, Buffer.alloc(400, 2))
    assert.deepEqual([first, second], [0, SEGMENT])
    log.writeTail()
    const blank = Buffer.alloc(8)
    chain.readAt(blank, 700)
    assert.deepEqual([blank.readInt32BE(0), blank.readInt32BE(4)], [SEGMENT - 700, MAGIC_BLANK])
  })

  test('a record may leave exactly the room of a blank, and not one byte less', () => {
    for (const [size, next] of [
      [SEGMENT - 8, SEGMENT],
      [SEGMENT - 9, SEGMENT - 9],
    ] as const) {
      const { log } = build()
      assert.equal(append(log, Buffer.alloc(size, 1)), 0)
      assert.equal(append(log, Buffer.alloc(1, 2)), next)
    }
  })

  test('bytes that are not written are not read, and those that are, are, from the tail, a block or the file', () => {
    for (const tailBytes of [0, 1 << 20]) {
      const { log } = build({ tailBytes })
      const bytes = Buffer.from('some bytes')
      const address = append(log, bytes)
      assert.equal(read(log, address, bytes.length, false), undefined)
      log.writeTail()
      for (const walking of [true, false]) assert.deepEqual(read(log, address, bytes.length, walking), bytes)
      assert.equal(read(log, address, bytes.length + 1, true), undefined)
    }
  })

  test('zeros go ahead of the end to the end of the segment, once, and records take their place', () => {
    const { log, chain, disk } = build({ zerosWithin: 1 << 20 })
    append(log, Buffer.alloc(100, 1))
    log.writeTail()
    assert.deepEqual([log.end, log.writtenEnd], [100, 100])
    const writes: string[] = []
    disk.onOperation = (kind) => void writes.push(kind)
    append(log, Buffer.alloc(600, 2))
    log.writeTail()
    assert.equal(writes.filter((kind) => kind === 'write').length, 1)
    const bytes = Buffer.alloc(SEGMENT)
    chain.readAt(bytes, 0)
    assert.deepEqual(bytes, Buffer.concat([Buffer.alloc(100, 1), Buffer.alloc(600, 2), Buffer.alloc(SEGMENT - 700)]))
    append(log, Buffer.alloc(SEGMENT - 8, 3))
    log.writeTail()
    assert.deepEqual([chain.end, log.end], [2 * SEGMENT, 2 * SEGMENT - 8])
  })

  test('zeros ahead and what is not durable stay together within their bound', async () => {
    const { log, disk } = build({ zerosWithin: 300 })
    let writes = 0
    disk.onOperation = (kind) => {
      if (kind === 'write') writes++
    }
    append(log, Buffer.alloc(300, 1))
    log.writeTail()
    assert.equal(writes, 1)
    await log.flush()
    append(log, Buffer.alloc(299, 1))
    log.writeTail()
    assert.equal(writes, 3)
  })

  test('a disk that has no room for zeros ahead takes the records all the same', () => {
    const { log, disk } = build({ zerosWithin: 1 << 20 })
    disk.inject({ on: 'write', path: 'log', code: 'ENOSPC', skip: 1 })
    const address = append(log, Buffer.from('first'))
    log.writeTail()
    append(log, Buffer.from('second'))
    log.writeTail()
    assert.deepEqual(read(log, address, 11, false), Buffer.from('firstsecond'))
  })

  test('bytes that a reader was shown stay as they are, however much is appended after', () => {
    const { log } = build({ tailBytes: 64 * 1024 })
    const bytes = Buffer.alloc(500, 1)
    const address = append(log, bytes)
    log.writeTail()
    const cursor = new Cursor()
    assert.ok(log.blocks.locate(cursor, address, bytes.length, true))
    const shown = cursor.block.bytes.subarray(cursor.at, cursor.at + bytes.length)
    for (let n = 0; n < 2000; n++) {
      append(log, Buffer.alloc(500, 2))
      log.writeTail()
    }
    assert.ok(bytes.equals(shown))
  })

  test('reserving without appending changes nothing, however often and however much', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = new Random(seed)
      const { log, chain } = build({ tailBytes: random.pick([0, 4096, 1 << 20]) })
      const appended: { address: number; bytes: Buffer }[] = []
      for (let i = 0; i < 60; i++) {
        if (random.chance(0.3)) log.reserve(random.pick([10, 100_000, 300_000]))
        const bytes = random.bytes(random.between(1, 500))
        appended.push({ address: append(log, bytes, random.pick([bytes.length, 1000, 70_000, 200_000])), bytes })
        if (random.chance(0.2)) log.writeTail()
        if (random.chance(0.1)) await log.flush()
      }
      log.writeTail()
      for (const { address, bytes } of appended) {
        assert.deepEqual(read(log, address, bytes.length, random.chance(0.5)), bytes, `seed ${seed}`)
        const onDisk = Buffer.alloc(bytes.length)
        chain.readAt(onDisk, address)
        assert.deepEqual(onDisk, bytes, `seed ${seed}, on the disk`)
      }
      await log.flush()
      assert.deepEqual([log.durableEnd, log.writtenEnd], [log.end, log.end])
    }
  })
})

describe('a failed write', () => {
  test('taking it back leaves what was written before, zeros behind it, and the same next address', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed)
      const { disk, log, chain } = build({ tailBytes: random.pick([0, 1 << 20]), zerosWithin: random.pick([0, 300, 1 << 20]) })
      const kept: { address: number; bytes: Buffer }[] = []
      for (let turn = 0; turn < 10; turn++) {
        const end = log.end
        const turnKept: typeof kept = []
        for (let i = random.between(1, 5); i > 0; i--) {
          const bytes = random.bytes(random.between(1, 600))
          turnKept.push({ address: append(log, bytes), bytes })
        }
        if (random.chance(0.5)) {
          disk.inject({ on: 'write', path: 'log', code: 'ENOSPC', skip: random.int(2), partialBytes: random.int(400) })
          try {
            log.writeTail()
            kept.push(...turnKept)
          } catch (error) {
            assert.ok(error instanceof DiskError)
            disk.faults.heal()
            log.undoUnwritten()
            assert.deepEqual([log.end, log.writtenEnd], [end, end])
            const rest = Buffer.alloc(SEGMENT)
            for (const start of chain.starts) {
              if (start + SEGMENT <= end) continue
              const from = Math.max(start, end)
              const got = chain.readAt(rest, from)
              assert.ok(
                rest.subarray(0, got).every((byte) => byte === 0),
                `seed ${seed}, from ${from}`,
              )
            }
          }
          disk.faults.heal()
        } else {
          log.writeTail()
          kept.push(...turnKept)
        }
      }
      for (const { address, bytes } of kept) assert.deepEqual(read(log, address, bytes.length, false), bytes, `seed ${seed}`)
    }
  })
})

describe('flushing', () => {
  test('what was written before a flush began is durable after it, and nothing else is promised', async () => {
    const { disk, log } = build()
    append(log, Buffer.alloc(100, 1))
    log.writeTail()
    let release = (): void => {}
    disk.flushLatency = () => new Promise<void>((resolve) => (release = resolve))
    const flushing = log.flush()
    append(log, Buffer.alloc(100, 2))
    log.writeTail()
    disk.flushLatency = undefined
    release()
    await flushing
    assert.deepEqual([log.durableEnd, log.writtenEnd], [100, 200])
  })
})

describe('a reader that jumps', () => {
  const RECORD = 1000
  const RECORDS = 700

  /** A log of 700 segments, and how many reads of the disk it takes to read each record at random, some of them twice. */
  function jump(readCacheBytes: number): { reads: () => number; check: (record: number) => void } {
    const { chain, log: written } = build()
    for (let n = 0; n < RECORDS; n++) append(written, Buffer.alloc(RECORD, n % 251))
    written.writeTail()
    const log = new CommitLog(chain, written.end, { tailBytes: 0, readCacheBytes })
    let reads = 0
    const readAt = chain.readAt.bind(chain)
    chain.readAt = (target, address) => {
      reads++
      return readAt(target, address)
    }
    const check = (record: number): void => {
      assert.deepEqual(read(log, record * SEGMENT, RECORD, false), Buffer.alloc(RECORD, record % 251))
    }
    return { reads: () => reads, check }
  }

  test('reads each block of a log once that its cache can hold, and of the block that is not full only what it asks for', () => {
    const { reads, check } = jump(1024 * 1024)
    const random = new Random(7)
    const inBlocks = 512
    for (let n = 0; n < 5000; n++) check(random.int(inBlocks))
    // Two blocks, each with a read for every segment in it.
    assert.equal(reads(), 512)
    for (let n = inBlocks; n < RECORDS; n++) check(n)
    assert.equal(reads(), RECORDS)
  })

  test('reads only what it asks for of a log that is larger', () => {
    const { reads, check } = jump(512 * 1024)
    for (let n = 0; n < 100; n++) check((n * 37) % RECORDS)
    assert.equal(reads(), 100)
  })
})
