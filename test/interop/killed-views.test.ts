/**
 * mqlite writes queues and index lazily and RocketMQ's checkpoint only behind them. Killed before any such
 * write, it leaves a directory in which RocketMQ finds every message and every key, though RocketMQ looks no
 * further back than the checkpoint. Clock and timers run fast, so that the checkpoint leaves most of the log behind.
 */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../support/random.js'
import { manySpecs, type Spec } from './data.js'
import { generations } from './java-build.js'
import { openOurs, small, temporary } from './ours.js'
import { Shell } from './shell.js'
import { type Acknowledged, adopt, snapshotJava, snapshotOurs } from './snapshot.js'

const KILLS = 14
const STEPS = 6
const SPEED = 400
const sizes = { ...small, flush: 'async' } as const

describe('mqlite killed between two writes to queues, index or checkpoint', () => {
  test(`at ${KILLS} places RocketMQ of both generations and mqlite find every message and key`, async (t) => {
    const root = temporary(t)
    const operations = (await run(t, join(root, 'dry'), 0)).operations
    assert.ok(operations > 100, `${operations} operations`)
    const shells = new Map(await Promise.all(generations.map(async (one) => [one, await Shell.java(t, one)] as const)))
    for (let i = 1; i <= KILLS; i++) {
      const killAt = Math.round((operations * i) / KILLS)
      const ours = join(root, `kill-${killAt}`)
      const { acknowledged, unsure } = await run(t, ours, killAt)
      for (const [generation, java] of shells) {
        const copy = join(root, `kill-${killAt}-${generation}`)
        cpSync(ours, copy, { recursive: true })
        await java.open(copy, sizes)
        check(`killed before operation ${killAt}, opened by ${generation}`, await snapshotJava(java), acknowledged, unsure)
        await java.abandon()
      }
      const store = await openOurs(t, ours, sizes)
      check(`killed before operation ${killAt}, opened by mqlite`, await snapshotOurs(store, sizes), acknowledged, unsure)
      await store.close()
      rmSync(ours, { recursive: true })
    }
  })
})

/** Puts in steps until the end or the kill. */
async function run(t: TestContext, directory: string, killAt: number) {
  const shell = await Shell.mqlite(t)
  const random = new Random(91)
  const acknowledged: Acknowledged[] = []
  let unsure: Spec[] = []
  let operations = 0
  try {
    await shell.open(directory, sizes, { speed: SPEED, killAt })
    for (let step = 0; step < STEPS; step++) {
      const specs = manySpecs(random, 50)
      unsure = [...specs]
      await shell.put(specs, (receipt) => acknowledged.push({ spec: unsure.shift()!, receipt }))
      await sleep(120)
    }
    await shell.close()
    operations = await shell.viewOperations()
  } catch (error) {
    if (killAt === 0) throw error
  }
  await shell.kill()
  return { acknowledged, unsure, operations }
}

function check(name: string, snapshot: Parameters<typeof adopt>[0], acknowledged: Acknowledged[], unsure: Spec[]): void {
  try {
    adopt(snapshot, acknowledged, unsure)
  } catch (error) {
    throw new Error(`${name}: ${String(error)}`, { cause: error })
  }
}
