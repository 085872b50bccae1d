/**
 * One directory goes from hand to hand: RocketMQ, mqlite, RocketMQ, mqlite and so on. Whoever takes it must
 * find every message that anybody acknowledged, in its place, with no gap and no duplicate; clean stops and
 * kills alternate by chance.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Random } from '../support/random.js'
import { manySpecs, type Spec } from './data.js'
import type { Generation } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { Shell, type Sizes } from './shell.js'
import { type Acknowledged, adopt, type Snapshot, snapshotJava, snapshotOurs } from './snapshot.js'
import { told } from './told.js'
import { dataFor, fill, putUntilKilled } from './workload.js'

const TURNS = 10

interface Baton {
  readonly directory: string
  readonly sizes: Sizes
  readonly random: Random
  /** Who had it and how it was let go. */
  readonly history: string[]
  acknowledged: Acknowledged[]
  unsure: Spec[]
}

const batons: readonly { name: string; java: readonly Generation[]; sizes: Sizes; seed: number }[] = [
  { name: 'RocketMQ 4.9.8 and mqlite', java: ['4.9.8'], sizes: { ...small, flush: 'async' }, seed: 71 },
  { name: 'RocketMQ 4.9.8 and mqlite with whole-record CRCs', java: ['4.9.8'], sizes: { ...small, recordCrc: true }, seed: 72 },
  { name: 'RocketMQ 5.3.3 and mqlite', java: ['5.3.3'], sizes: { ...small, flush: 'sync' }, seed: 73 },
  {
    name: 'RocketMQ 5.3.3 and mqlite, both with whole-record CRCs',
    java: ['5.3.3'],
    sizes: { ...small, recordCrc: true },
    seed: 74,
  },
  {
    name: 'RocketMQ 4.9.8, mqlite, RocketMQ 5.3.3 and mqlite',
    java: ['4.9.8', '5.3.3'],
    sizes: { ...small, recordCrc: true },
    seed: 75,
  },
]

describe('one directory, in turn', () => {
  for (const { name, java, sizes, seed } of batons) {
    test(`${name} keep every acknowledged message over ${TURNS} turns (seed ${seed})`, async (t) => {
      const baton: Baton = { directory: temporary(t), sizes, random: new Random(seed), history: [], acknowledged: [], unsure: [] }
      // Only what every generation of the baton can read.
      const data = dataFor(java.includes('4.9.8') ? '4.9.8' : '5.3.3')
      for (let turn = 0; turn < TURNS; turn++) {
        const generation = turn % 2 === 0 ? java[(turn / 2) % java.length] : undefined
        const { random } = baton
        const shell = generation === undefined ? await takeOurs(t, baton) : await takeJava(t, baton, generation)
        baton.acknowledged.push(...(await fill(shell, data, random.int(2 ** 32), random.between(1, 3))))
        baton.history.push(`${generation ?? 'mqlite'} ${await letGo(shell, baton, manySpecs(random, 1000, data))}`)
        await shell.kill()
      }
      await takeOurs(t, baton)
      assert.ok(baton.acknowledged.length > TURNS * 60)
    })
  }
})

/** 4.9 knows no whole-record CRC: it writes none, and to it ours is a property like any other. */
async function takeJava(t: TestContext, baton: Baton, generation: Generation): Promise<Shell> {
  const { recordCrc, ...sizes } = baton.sizes
  const java = await Shell.java(t, generation)
  await java.open(baton.directory, generation === '4.9.8' ? sizes : { ...sizes, recordCrc: recordCrc === true })
  baton.acknowledged = take(baton, await snapshotJava(java))
  return java
}

/** Looks from inside this process, then hands over to one that can be killed. */
async function takeOurs(t: TestContext, baton: Baton): Promise<Shell> {
  const store = await openOurs(t, baton.directory, baton.sizes)
  baton.acknowledged = take(baton, await snapshotOurs(store, baton.sizes))
  await store.close()
  const shell = await Shell.mqlite(t)
  await shell.open(baton.directory, baton.sizes)
  return shell
}

async function letGo(shell: Shell, baton: Baton, specs: readonly Spec[]): Promise<string> {
  baton.unsure = []
  if (baton.random.chance(0.4)) {
    await shell.close()
    return 'closed'
  }
  const { acknowledged, unsure } = await putUntilKilled(shell, specs, baton.random.between(1, 120))
  baton.acknowledged.push(...acknowledged)
  baton.unsure = unsure
  return 'killed'
}

/** Everything is there. */
function take(baton: Baton, snapshot: Snapshot): Acknowledged[] {
  return told(baton, () => adopt(snapshot, baton.acknowledged, baton.unsure))
}
