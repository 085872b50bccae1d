/**
 * RocketMQ writes, mqlite opens: every message, key and time must be what RocketMQ says it is, however
 * RocketMQ ended; then RocketMQ goes on where mqlite stopped.
 */
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../support/random.js'
import { manySpecs } from './data.js'
import { type Generation, generations } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { Shell, type Sizes } from './shell.js'
import { type Acknowledged, adopt, assertHolds, assertSame, snapshotJava, snapshotOurs } from './snapshot.js'
import { dataFor, fill, putUntilKilled } from './workload.js'

const stops = { close: 'a clean stop', halt: 'the end of its process without shutdown' } as const
const plain: Sizes = { ...small, flush: 'async' }
const modes: Readonly<Record<Generation, readonly Sizes[]>> = {
  '4.9.8': [plain],
  '5.3.3': [plain, { ...small, flush: 'sync', recordCrc: true }],
}

for (const generation of generations) {
  describe(`RocketMQ ${generation} writes and mqlite opens`, () => {
    for (const sizes of modes[generation]) {
      const name = `with ${sizes.recordCrc ? 'whole-record' : 'body'} CRCs, flush ${sizes.flush}`
      for (const stop of ['close', 'halt'] as const) {
        test(`${name}, after ${stops[stop]} every message, key and time is what RocketMQ says it is`, async (t) => {
          const directory = temporary(t)
          const java = await Shell.java(t, generation)
          await java.open(directory, sizes)
          const acknowledged = await fill(java, dataFor(generation), 1)
          const before = await snapshotJava(java)
          assertHolds(before, acknowledged)
          await java[stop]()
          await agrees(t, generation, directory, sizes, before)
          await goesOn(t, generation, directory, sizes, acknowledged)
        })
      }

      test(`${name}, killed in the middle of its puts, every message that it had acknowledged is there`, async (t) => {
        const directory = temporary(t)
        const java = await Shell.java(t, generation)
        await java.open(directory, sizes)
        const filled = await fill(java, dataFor(generation), 2)
        const { acknowledged, unsure } = await putUntilKilled(java, manySpecs(new Random(3), 1000, dataFor(generation)), 150)

        const store = await openOurs(t, directory, sizes)
        const all = adopt(await snapshotOurs(store, sizes), [...filled, ...acknowledged], unsure)
        await store.close()
        await goesOn(t, generation, directory, sizes, all)
      })
    }

    test('halted long after its last checkpoint, what lies before and after the checkpoint is read alike', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, generation)
      await java.open(directory, plain)
      const acknowledged = await fill(java, dataFor(generation), 4)
      // RocketMQ looks back three seconds from its checkpoint, so only now is there something that is not scanned again.
      await sleep(6000)
      acknowledged.push(...(await fill(java, dataFor(generation), 5)))
      const before = await snapshotJava(java)
      assertHolds(before, acknowledged)
      await java.halt()
      await agrees(t, generation, directory, plain, before)
      await goesOn(t, generation, directory, plain, acknowledged)
    })
  })
}

/** mqlite opens the directory and says what RocketMQ said. */
async function agrees(
  t: TestContext,
  generation: Generation,
  directory: string,
  sizes: Sizes,
  java: Awaited<ReturnType<typeof snapshotJava>>,
) {
  const store = await openOurs(t, directory, sizes)
  assertSame(await snapshotOurs(store, sizes), java, generation)
  await store.close()
}

/** RocketMQ opens what mqlite left, agrees, writes more; mqlite agrees again. */
async function goesOn(
  t: TestContext,
  generation: Generation,
  directory: string,
  sizes: Sizes,
  earlier: Acknowledged[],
): Promise<void> {
  const java = await Shell.java(t, generation)
  await java.open(directory, sizes)
  assertHolds(await snapshotJava(java), earlier)
  const acknowledged = [...earlier, ...(await fill(java, dataFor(generation), 77))]
  const after = await snapshotJava(java)
  assertHolds(after, acknowledged)
  await java.close()
  await agrees(t, generation, directory, sizes, after)
}
