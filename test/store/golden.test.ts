/** Directories that the real RocketMQ wrote: what it said of them is what mqlite says, whatever becomes of mqlite. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { MessageStore } from '../../lib/index.js'
import { cleanUp } from '../interop/clean-up.js'
import { isQueued } from '../interop/data.js'
import { type Dump, goldenSizes, readDump, unpackGolden } from '../interop/golden-store.js'
import { type Generation, generations } from '../interop/java-build.js'
import { openOptions, openOurs, temporary } from '../interop/ours.js'
import { assertTimesAreTrue, type Snapshot, snapshotOurs } from '../interop/snapshot.js'

for (const generation of generations) {
  describe(`a directory that RocketMQ ${generation} wrote`, () => {
    test('has in every field of every message, under every key and at every time what RocketMQ said', async (t) => {
      const { directory, dump } = unpacked(t, generation)
      const store = await openOurs(t, directory, goldenSizes)
      assertIs(await snapshotOurs(store, goldenSizes), dump, generation)
    })

    test('says the same when it is only read, and not one byte of it changes', async (t) => {
      const { directory, dump } = unpacked(t, generation)
      const before = contentOf(directory)
      const store = await MessageStore.open(directory, { ...openOptions(goldenSizes), readOnly: true })
      cleanUp(t, () => store.close())
      assertIs(await snapshotOurs(store, goldenSizes), dump, generation)
      await store.close()
      assert.deepEqual(contentOf(directory), before)
    })

    test('is continued, closed and opened again without harm to what was there', async (t) => {
      const { directory, dump } = unpacked(t, generation)
      const store = await openOurs(t, directory, goldenSizes)
      const receipt = await store.put({ topic: 'orders', body: 'mqlite was here', keys: 'mine' })
      const queue = dump.queues.find(({ topic, queueId }) => topic === 'orders' && queueId === 0)!
      assert.equal(receipt.queueOffset, queue.maxOffset)
      await store.close()
      const again = await openOurs(t, directory, goldenSizes)
      const { records, keys } = await snapshotOurs(again, goldenSizes)
      assert.deepEqual(records.slice(0, -1), dump.records)
      assert.equal(records.at(-1)!.commitLogOffset, receipt.commitLogOffset)
      assert.deepEqual(keys.get('orders mine'), [receipt.commitLogOffset])
    })
  })
}

function unpacked(t: TestContext, generation: Generation): { directory: string; dump: Dump } {
  const directory = temporary(t)
  unpackGolden(generation, directory)
  return { directory, dump: readDump(generation) }
}

function assertIs(ours: Snapshot, dump: Dump, generation: Generation): void {
  assert.deepEqual(ours.queues, dump.queues)
  assert.deepEqual(ours.records, dump.records)
  assert.deepEqual(ours.messages, dump.records.filter(isQueued))
  assert.deepEqual(Object.fromEntries(ours.keys), dump.keys)
  assertTimesAreTrue(ours)
  if (generation === '5.3.3') assert.deepEqual(Object.fromEntries(ours.times), dump.times)
}

function contentOf(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort()
  return Object.fromEntries(paths.map((path) => [path, readFileSync(path, 'base64')]))
}
