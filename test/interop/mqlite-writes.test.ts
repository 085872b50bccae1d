/**
 * mqlite writes, RocketMQ opens: it reads every message, finds every key, goes on writing, and mqlite reads
 * what it wrote. With whole-record CRCs and without, after a clean close and after a kill.
 */
import { describe, test } from 'node:test'
import { Random } from '../support/random.js'
import { manySpecs } from './data.js'
import { generations } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { Shell } from './shell.js'
import { assertHolds, assertSame, snapshotJava, snapshotOurs } from './snapshot.js'
import { dataFor, fill, putUntilKilled } from './workload.js'

const modes = [
  { flush: 'async', recordCrc: false },
  { flush: 'sync', recordCrc: true },
] as const

for (const generation of generations) {
  describe(`mqlite writes and RocketMQ ${generation} opens`, () => {
    for (const mode of modes) {
      const name = `with ${mode.recordCrc ? 'whole-record' : 'body'} CRCs, flush ${mode.flush}`
      const sizes = { ...small, ...mode }
      for (const isKilled of [false, true]) {
        const how = isKilled ? 'a kill in the middle of its puts' : 'a clean close'
        test(`${name}, after ${how} RocketMQ reads every message, finds every key and goes on`, async (t) => {
          const directory = temporary(t)
          const mqlite = await Shell.mqlite(t)
          await mqlite.open(directory, sizes)
          const acknowledged = await fill(mqlite, dataFor(generation), 11)
          if (isKilled) {
            const specs = manySpecs(new Random(12), 1000, dataFor(generation))
            acknowledged.push(...(await putUntilKilled(mqlite, specs, 150)).acknowledged)
          } else await mqlite.close()

          const java = await Shell.java(t, generation)
          await java.open(directory, small)
          assertHolds(await snapshotJava(java), acknowledged)
          acknowledged.push(...(await fill(java, dataFor(generation), 13)))
          const after = await snapshotJava(java)
          assertHolds(after, acknowledged)
          await java.close()

          const store = await openOurs(t, directory, sizes)
          const ours = await snapshotOurs(store, sizes)
          assertSame(ours, after, generation)
          assertHolds(ours, acknowledged)
        })
      }
    }
  })
}
