/**
 * RocketMQ writes, mqlite opens: every message, key and time must be what RocketMQ says it is, however
 * RocketMQ ended; then RocketMQ goes on where mqlite stopped.
 */
import { describe, type TestContext, test } from 'node:test'
import { Random } from '../support/random.js'
import { manySpecs } from './data.js'
import { type Generation, generations } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { Shell } from './shell.js'
import { type Acknowledged, assertHolds, assertSame, knownFrom, snapshotJava, snapshotOurs } from './snapshot.js'
import { dataFor, fill, putUntilKilled } from './workload.js'

for (const generation of generations) {
  describe(`RocketMQ ${generation} writes and mqlite opens`, () => {
    for (const stop of ['close', 'halt'] as const) {
      const how = stop === 'close' ? 'a clean stop' : 'the end of its process without shutdown'
      test(`after ${how} every message, key and time is what RocketMQ says it is`, async (t) => {
        const directory = temporary(t)
        const java = await Shell.java(t, generation)
        await java.open(directory, small)
        const acknowledged = await fill(java, dataFor(generation), 1)
        const before = await snapshotJava(java)
        assertHolds(before, acknowledged)
        await java[stop]()

        const store = await openOurs(t, directory, small)
        const ours = await snapshotOurs(store, before)
        assertSame(ours, before, generation)
        assertHolds(ours, acknowledged)
        await store.close()
        await goesOn(t, generation, directory, acknowledged)
      })
    }

    test('killed in the middle of its puts, every message that it had acknowledged is there', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, generation)
      await java.open(directory, small)
      const filled = await fill(java, dataFor(generation), 2)
      const { acknowledged } = await putUntilKilled(java, manySpecs(new Random(3), 2000, dataFor(generation)), 150)
      const all = [...filled, ...acknowledged]

      const store = await openOurs(t, directory, small)
      assertHolds(await snapshotOurs(store, knownFrom(all)), all)
      await store.close()
      await goesOn(t, generation, directory, all)
    })
  })
}

/** RocketMQ opens what mqlite left, agrees, writes more; mqlite agrees again. */
async function goesOn(t: TestContext, generation: Generation, directory: string, earlier: Acknowledged[]): Promise<void> {
  const java = await Shell.java(t, generation)
  await java.open(directory, small)
  assertHolds(await snapshotJava(java), earlier)
  const acknowledged = [...earlier, ...(await fill(java, dataFor(generation), 77))]
  const after = await snapshotJava(java)
  assertHolds(after, acknowledged)
  await java.close()
  const store = await openOurs(t, directory, small)
  assertSame(await snapshotOurs(store, after), after, generation)
}
