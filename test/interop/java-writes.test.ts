/**
 * RocketMQ writes, mqlite opens: every message, key and time must be what RocketMQ says it is, however
 * RocketMQ ended; then RocketMQ goes on where mqlite stopped.
 */
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../support/random.js'
import { batchSpecs, manySpecs, type Spec } from './data.js'
import { type Generation, generations } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { Shell, type Sizes } from './shell.js'
import { type Acknowledged, assertHolds, assertSame, knownFrom, snapshotJava, snapshotOurs } from './snapshot.js'

for (const generation of generations) {
  describe(`RocketMQ ${generation} writes and mqlite opens`, () => {
    for (const stop of ['close', 'halt'] as const) {
      const how = stop === 'close' ? 'a clean stop' : 'the end of its process without shutdown'
      test(`after ${how} every message, key and time is what RocketMQ says it is`, async (t) => {
        const directory = temporary(t)
        const java = await Shell.java(t, generation)
        await java.open(directory, small)
        const acknowledged = await fill(java, generation, 1)
        const before = await snapshotJava(java)
        assertHolds(before, acknowledged)
        await java[stop]()

        const store = await openOurs(t, directory, small)
        const ours = await snapshotOurs(store, before)
        assertSame(ours, before, generation)
        assertHolds(ours, acknowledged)
        await store.close()
        await goesOn(t, generation, directory, small, acknowledged)
      })
    }

    test('killed in the middle of its puts, every message that it had acknowledged is there', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, generation)
      await java.open(directory, small)
      const acknowledged = await fill(java, generation, 2)
      const specs = manySpecs(new Random(3), 2000, { longTopics: generation === '5.3.3' })
      await putUntilKilled(java, specs, 150, acknowledged)

      const store = await openOurs(t, directory, small)
      const ours = await snapshotOurs(store, knownFrom(acknowledged))
      assertHolds(ours, acknowledged)
      await store.close()
      await goesOn(t, generation, directory, small, acknowledged)
    })
  })
}

/** Messages of every kind in several steps of time, and batches. */
async function fill(java: Shell, generation: Generation, seed: number): Promise<Acknowledged[]> {
  const random = new Random(seed)
  const acknowledged: Acknowledged[] = []
  for (let step = 0; step < 8; step++) {
    const specs = manySpecs(random, 60, { longTopics: generation === '5.3.3' })
    const receipts = await java.put(specs)
    acknowledged.push(...receipts.map((receipt, i) => ({ spec: specs[i]!, receipt })))
    const batch = batchSpecs(random, 5)
    acknowledged.push(...ofBatch(batch, await java.putBatch(batch)))
    await sleep(15)
  }
  return acknowledged
}

function ofBatch(specs: readonly Spec[], first: Acknowledged['receipt']): Acknowledged[] {
  return first.messageId.split(',').map((messageId, i) => {
    const commitLogOffset = Number(`0x${messageId.slice(-16)}`)
    return { spec: specs[i]!, receipt: { ...first, messageId, commitLogOffset, queueOffset: first.queueOffset + i } }
  })
}

/** Puts until so many are acknowledged, then kills; adds what was acknowledged until the very end. */
async function putUntilKilled(shell: Shell, specs: readonly Spec[], count: number, acknowledged: Acknowledged[]): Promise<void> {
  let next = 0
  await shell
    .put(specs, (receipt) => {
      acknowledged.push({ spec: specs[next++]!, receipt })
      if (next === count) void shell.kill()
    })
    .catch(() => {})
  await shell.kill()
}

/** RocketMQ opens what mqlite left, agrees, writes more; mqlite agrees again. */
async function goesOn(t: TestContext, generation: Generation, directory: string, sizes: Sizes, earlier: Acknowledged[]) {
  const java = await Shell.java(t, generation)
  await java.open(directory, sizes)
  assertHolds(await snapshotJava(java), earlier)
  const acknowledged = [...earlier, ...(await fill(java, generation, 77))]
  const after = await snapshotJava(java)
  assertHolds(after, acknowledged)
  await java.close()
  const store = await openOurs(t, directory, sizes)
  assertSame(await snapshotOurs(store, after), after, generation)
}
