/** The commands on directories that the real RocketMQ wrote, with no size named. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { isQueued } from '../interop/data.js'
import { type Dump, goldenSizes, readDump, unpackGolden } from '../interop/golden-store.js'
import { type Generation, generations } from '../interop/java-build.js'
import { runHere as run, temporary } from '../support/command-line.js'

const { segmentBytes = 0, indexSlots, indexEntries } = goldenSizes

function unpacked(t: TestContext, generation: Generation): { directory: string; dump: Dump } {
  const directory = temporary(t)
  unpackGolden(generation, directory)
  return { directory, dump: readDump(generation) }
}

function flip(path: string, position: number): void {
  const bytes = readFileSync(path)
  bytes[position]! ^= 0x10
  writeFileSync(path, bytes)
}

type Row = { kind: string; commitLogOffset: number; topic: string; queueOffset: number; size: number }

for (const generation of generations) {
  describe(`a directory that RocketMQ ${generation} wrote`, () => {
    test('verifies clean, and everything in it is listed', async (t) => {
      const { directory, dump } = unpacked(t, generation)
      const verified = await run('verify', directory, '--json')
      const report = JSON.parse(verified.out) as { findings: unknown[]; log: { records: number }; index: { entries: number } }
      assert.deepEqual([verified.code, report.findings, report.log.records], [0, [], dump.records.length])
      assert.ok(report.index.entries > 0)
      const log = JSON.parse((await run('inspect', directory, 'log', '--limit', '100000', '--json')).out) as { rows: Row[] }
      assert.deepEqual(
        log.rows
          .filter(({ kind }) => kind === 'record')
          .map(({ commitLogOffset, topic, size }) => [commitLogOffset, topic, size]),
        dump.records.map(({ commitLogOffset, topic, size }) => [commitLogOffset, topic, size]),
      )
      const { files } = JSON.parse((await run('inspect', directory, 'index', '--json')).out) as {
        files: { slots: number; entries: number }[]
      }
      assert.ok(files.length > 0 && files.every(({ slots, entries }) => slots === indexSlots && entries === indexEntries))
      const overview = JSON.parse((await run('inspect', directory, '--json')).out) as {
        log: { origin: string }
        queues: { topic: string }[]
      }
      assert.match(overview.log.origin, /^java-/)
      assert.equal(overview.queues.length, dump.queues.length)
    })

    test('is printed by tail, queue by queue, as RocketMQ reads it', async (t) => {
      const { directory, dump } = unpacked(t, generation)
      for (const { topic, queueId } of dump.queues) {
        const { code, out } = await run('tail', directory, topic, '--queue', String(queueId), '--from', '0', '--json')
        const printed = out
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Row)
        const expected = dump.records.filter((record) => record.topic === topic && record.queueId === queueId && isQueued(record))
        assert.equal(code, 0)
        assert.deepEqual(
          printed.map(({ queueOffset, commitLogOffset }) => [queueOffset, commitLogOffset]),
          expected.map(({ queueOffset, commitLogOffset }) => [queueOffset, commitLogOffset]),
        )
      }
    })

    test('with a damaged record is found out and repaired, and the other messages stay', async (t) => {
      const { directory, dump } = unpacked(t, generation)
      const victim = dump.records[Math.floor(dump.records.length / 3)]!
      const segment = victim.commitLogOffset - (victim.commitLogOffset % segmentBytes)
      const path = join(directory, 'commitlog', String(segment).padStart(20, '0'))
      flip(path, victim.commitLogOffset - segment + 5)
      assert.equal((await run('verify', directory)).code, 1)
      assert.equal((await run('repair', directory)).code, 0)
      assert.equal((await run('verify', directory)).code, 0)
      const log = JSON.parse((await run('inspect', directory, 'log', '--limit', '100000', '--json')).out) as { rows: Row[] }
      assert.deepEqual(
        log.rows.filter(({ kind }) => kind === 'record').map(({ commitLogOffset }) => commitLogOffset),
        dump.records.map(({ commitLogOffset }) => commitLogOffset).filter((address) => address !== victim.commitLogOffset),
      )
      assert.deepEqual(
        log.rows.filter(({ kind }) => kind === 'stand-in').map(({ commitLogOffset, size }) => [commitLogOffset, size]),
        [[victim.commitLogOffset, victim.size]],
      )
    })

    test('with damaged views is found out and repaired, unless opening brings them again from the log', async (t) => {
      const { directory } = unpacked(t, generation)
      const [index] = readdirSync(join(directory, 'index')).sort()
      flip(join(directory, 'index', index!), 40 + 4 * indexSlots! + 20 * 3 + 7)
      assert.equal((await run('verify', directory)).code, 1)
      flip(join(directory, 'consumequeue', 'orders', '0', '0'.repeat(20)), 2 * 20 + 6)
      assert.equal((await run('repair', directory)).code, 0)
      assert.match((await run('verify', directory)).out, /ok: nothing wrong in/)
    })
  })
}
