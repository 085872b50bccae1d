/** Two stores at one directory: who comes second is refused, unless it only reads. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStore } from '../../lib/index.js'
import { cleanUp } from './clean-up.js'
import { generations } from './java-build.js'
import { openOptions, openOurs, small, temporary } from './ours.js'
import { Shell } from './shell.js'
import { assertHolds, assertSame, snapshotJava, snapshotOurs } from './snapshot.js'
import { dataFor, fill } from './workload.js'

for (const generation of generations) {
  describe(`mqlite and RocketMQ ${generation} at one directory`, () => {
    test('mqlite is refused while RocketMQ has it open, and RocketMQ goes on unharmed', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, generation)
      await java.open(directory, small)
      const acknowledged = await fill(java, dataFor(generation), 41, 2)
      await assert.rejects(MessageStore.open(directory, openOptions(small)), { code: 'STORE_LOCKED' })
      acknowledged.push(...(await fill(java, dataFor(generation), 42, 2)))
      assertHolds(await snapshotJava(java), acknowledged)
    })

    // It changes queues and index before it looks at the lock; what mqlite then cannot write it makes again from the log.
    test('RocketMQ is refused while mqlite has it open, and no message or key of mqlite is lost', async (t) => {
      const directory = temporary(t)
      const mqlite = await Shell.mqlite(t)
      await mqlite.open(directory, small)
      const acknowledged = await fill(mqlite, dataFor(generation), 43, 2)
      const java = await Shell.java(t, generation)
      await assert.rejects(java.open(directory, small), /Lock failed/)
      await java.kill()
      acknowledged.push(...(await fill(mqlite, dataFor(generation), 44, 2)))
      await mqlite.close().catch((error) => assert.match(String(error), /STORE_FAILED/))
      await mqlite.kill()
      const store = await openOurs(t, directory, small)
      assertHolds(await snapshotOurs(store, small), acknowledged)
    })

    test('mqlite that only reads says what RocketMQ says, and follows what RocketMQ puts', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, generation)
      await java.open(directory, small)
      const acknowledged = await fill(java, dataFor(generation), 45, 3)
      const store = await MessageStore.open(directory, { ...openOptions(small), readOnly: true })
      cleanUp(t, () => store.close())
      assertSame(await snapshotOurs(store, small), await snapshotJava(java), generation)

      acknowledged.push(...(await fill(java, dataFor(generation), 46, 3)))
      const after = await snapshotJava(java)
      const ours = await snapshotOurs(store, small)
      assertSame(ours, after, generation)
      assertHolds(ours, acknowledged)
    })
  })
}
