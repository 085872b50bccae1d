/**
 * A check that meets something else: at each of its pauses a topic is deleted, a queue purged or the store closed.
 * It ends with a report that finds nothing, or with STORE_CLOSED.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemTimers } from '../../lib/base/system.js'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { MessageStore } from '../../lib/index.js'
import { writeConfig } from '../../lib/store/keeping/config-file.js'
import { code } from '../support/open-store.js'
import { openSmall, putMany, ROOT, smallSizes, smallStore } from '../support/small-store.js'

type Action = (store: MessageStore) => Promise<unknown>

/** What may come between. */
const actions: Record<string, Action> = {
  'deleting topics': async (store) => {
    await Promise.all([store.deleteTopic('topic-1'), store.deleteTopic('plain'), store.deleteTopic('batch')])
  },
  'deleting a topic and putting to it again': async (store) => {
    await store.deleteTopic('topic-0')
    await putMany(store, 0, 60)
  },
  'purging queues': (store) => Promise.all([store.purge('topic-0'), store.purge('topic-1', 1), store.purge('batch')]),
  'purging queues and putting to them': async (store) => {
    await store.purge('topic-2')
    await putMany(store, 0, 60)
  },
}

/** A store with entries in files and in memory, on a disk of its own. */
async function usedDisk() {
  const { disk } = await smallStore(300)
  const attributes = { '+queue.type': 'BatchCQ' }
  disk.makeDirectory(`${ROOT}/config`)
  await writeConfig(disk, `${ROOT}/config/topics.json`, { topicConfigTable: { batch: { attributes, topicName: 'batch' } } })
  const store = await openSmall(disk)
  for (let n = 0; n < 5; n++) await store.putBatch([1, 2, 3].map((i) => ({ topic: 'batch', body: `${n} ${i}`, keys: `b${n}` })))
  await store.close()
  return disk
}

/** Opens the store so that `action` runs at the n-th end of a turn from `arm` on. */
async function openArmed(disk: Awaited<ReturnType<typeof usedDisk>>, readOnly = false) {
  let left = Number.POSITIVE_INFINITY
  let action = (): void => {}
  const timers = {
    after: systemTimers.after,
    endOfTurn: (run: () => void) =>
      systemTimers.endOfTurn(() => {
        if (--left === 0) action()
        run()
      }),
  }
  const store = await MessageStore.open(ROOT, { ...smallSizes, readOnly }, { disk, timers })
  const arm = (step: number, act: () => void): void => {
    left = step
    action = act
  }
  return { store, arm, hasRun: () => left <= 0 }
}

/** Counts the files that are open from now on. */
function countOpen(disk: MemoryDisk): { open: number } {
  const files = { open: 0 }
  const open = disk.open.bind(disk)
  disk.open = (...given) => {
    const file = open(...given)
    const close = file.close.bind(file)
    files.open++
    file.close = () => {
      files.open--
      close()
    }
    return file
  }
  return files
}

describe('a check during which', () => {
  for (const [name, act] of Object.entries(actions)) {
    test(`${name} comes at any of its steps finds nothing`, async () => {
      for (let step = 1, isDone = false; !isDone; step++) {
        assert.ok(step < 200)
        const disk = await usedDisk()
        const { store, arm, hasRun } = await openArmed(disk)
        await putMany(store, 300, 340)
        let acted: Promise<unknown> = Promise.resolve()
        arm(step, () => (acted = act(store)))
        const report = await store.verify()
        assert.deepEqual(report.findings, [], `step ${step}`)
        isDone = !hasRun()
        arm(Number.POSITIVE_INFINITY, () => {})
        await acted
        assert.deepEqual((await store.verify()).findings, [], `step ${step}, after it`)
        await store.close()
      }
    })
  }

  for (const readOnly of [false, true]) {
    test(`a ${readOnly ? 'reader' : 'writer'} is closed at any of its steps is STORE_CLOSED or has ended`, async () => {
      const disk = await usedDisk()
      const files = countOpen(disk)
      for (let step = 1, isDone = false; !isDone; step++) {
        const { store, arm, hasRun } = await openArmed(disk, readOnly)
        let closed: Promise<void> | undefined
        arm(step, () => (closed = store.close()))
        const checked = store.verify()
        if (closed === undefined) await checked.catch(code('STORE_CLOSED'))
        isDone = !hasRun()
        if (!isDone) await assert.rejects(checked, code('STORE_CLOSED'), `step ${step}`)
        await (closed ?? store.close())
        assert.equal(files.open, 0)
      }
    })
  }
})
