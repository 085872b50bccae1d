/** RocketMQ's own sizes: segments of 1 GiB, index files of 420 MB, all sparse; bodies up to 4 MiB. */
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Random } from '../support/random.js'
import { manySpecs, type Spec } from './data.js'
import { type Generation, generations } from './java-build.js'
import { openOurs, temporary } from './ours.js'
import { Shell } from './shell.js'
import { type Acknowledged, assertHolds, assertSame, snapshotJava, snapshotOurs } from './snapshot.js'
import { dataFor, fill } from './workload.js'

const LARGEST_BODY = 4 * 1024 * 1024
/** Far more than the messages take, far less than the files pretend to. */
const DISK_LIMIT = 128 * 1024 * 1024

for (const generation of generations) {
  describe(`files of RocketMQ ${generation}'s own sizes`, () => {
    test('written by RocketMQ, mqlite reads messages of 0 bytes to 4 MiB and continues; RocketMQ agrees', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, generation, true)
      await java.open(directory)
      const acknowledged = [...(await fillBig(java, generation, 31)), ...(await fill(java, dataFor(generation), 32, 2))]
      const before = await snapshotJava(java)
      await java.close()

      const store = await openOurs(t, directory, {})
      const ours = await snapshotOurs(store, {})
      assertSame(ours, before, generation)
      assertHolds(ours, acknowledged)
      await store.close()
      const mqlite = await Shell.mqlite(t)
      await mqlite.open(directory)
      acknowledged.push(...(await fillBig(mqlite, generation, 33)))
      await mqlite.kill()
      await java.open(directory)
      assertHolds(await snapshotJava(java), acknowledged)
      await java.halt()
      assert.ok(allocated(directory) < DISK_LIMIT, `${allocated(directory)} bytes are allocated`)
    })

    test('written by mqlite, RocketMQ reads messages of 0 bytes to 4 MiB and continues; mqlite agrees', async (t) => {
      const directory = temporary(t)
      const mqlite = await Shell.mqlite(t)
      await mqlite.open(directory, { recordCrc: true })
      const acknowledged = [...(await fillBig(mqlite, generation, 34)), ...(await fill(mqlite, dataFor(generation), 35, 2))]
      await mqlite.close()
      assert.ok(allocated(directory) < DISK_LIMIT, `${allocated(directory)} bytes are allocated`)

      const java = await Shell.java(t, generation, true)
      await java.open(directory)
      assertHolds(await snapshotJava(java), acknowledged)
      acknowledged.push(...(await fillBig(java, generation, 36)))
      const after = await snapshotJava(java)
      await java.halt()
      const store = await openOurs(t, directory, { recordCrc: true })
      const ours = await snapshotOurs(store, {})
      assertSame(ours, after, generation)
      assertHolds(ours, acknowledged)
    })
  })
}

/** Some of the largest messages there can be, among ordinary ones. */
async function fillBig(shell: Shell, generation: Generation, seed: number): Promise<Acknowledged[]> {
  const random = new Random(seed)
  const specs = manySpecs(random, 20, { ...dataFor(generation), bodyBytes: 200_000 }).map((spec, i): Spec => {
    if (i % 7 !== 3) return spec
    const { body: _body, ...rest } = spec
    return { ...rest, bodySize: LARGEST_BODY - (i === 3 ? 0 : random.int(1000)), bodySeed: random.between(1, 1e9) }
  })
  const receipts = await shell.put(specs)
  return receipts.map((receipt, i) => ({ spec: specs[i]!, receipt }))
}

/** Bytes that the files of a directory really take. */
function allocated(directory: string): number {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.reduce((sum, name) => sum + statSync(join(directory, name)).blocks * 512, 0)
}
