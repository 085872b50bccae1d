/** Writes `test/golden`: `node build/test/interop/make-golden.js`. Needs Java, Maven and tar. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../support/random.js'
import { batchSpecs, manySpecs } from './data.js'
import { goldenFolder, goldenSizes } from './golden-store.js'
import { type Generation, generations } from './java-build.js'
import { temporary } from './ours.js'
import { Shell } from './shell.js'
import { type Snapshot, snapshotJava } from './snapshot.js'
import { dataFor } from './workload.js'

const STEPS = 5
const steps: (() => Promise<void>)[] = []
const script = { after: (step: () => Promise<void>) => void steps.push(step) }

async function make(generation: Generation): Promise<void> {
  const directory = temporary(script)
  const java = await Shell.java(script, generation)
  await java.open(directory, goldenSizes)
  const random = new Random(4242)
  for (let step = 0; step < STEPS; step++) {
    await java.put(manySpecs(random, 28, { ...dataFor(generation), bodyBytes: 1200 }))
    await java.putBatch(batchSpecs(random, 3))
    await sleep(40)
  }
  const snapshot = await snapshotJava(java)
  await java.close()
  const folder = goldenFolder(generation)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'dump.json'), dumpOf(snapshot))
  const tar = ['--format=gnu', '--owner=0', '--group=0', '--numeric-owner', '--sort=name']
  const names = ['checkpoint', 'commitlog', 'consumequeue', 'index', 'lock']
  execFileSync('tar', ['-C', directory, ...tar, '-czf', join(folder, 'store.tar.gz'), ...names])
}

/** One line for each queue, key, time and record. */
function dumpOf({ queues, keys, times, records }: Snapshot): string {
  const list = (values: readonly unknown[]): string => `[\n${values.map((value) => JSON.stringify(value)).join(',\n')}\n]`
  const map = (values: ReadonlyMap<string, unknown>): string =>
    `{\n${[...values].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',\n')}\n}`
  return `{"queues":${list(queues)},\n"keys":${map(keys)},\n"times":${map(times)},\n"records":${list(records)}}\n`
}

try {
  for (const generation of generations) await make(generation)
} finally {
  for (const step of steps) await step()
}
