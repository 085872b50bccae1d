/**
 * The same messages at the same times give the same bytes: log, queues and index.
 *
 * RocketMQ writes first; mqlite then puts the same messages by a clock that shows RocketMQ's times.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageStore } from '../../lib/index.js'
import { Random } from '../support/random.js'
import { cleanUp } from './clean-up.js'
import { batchSpecs, encodedProperties, manySpecs, type Spec, toMessage } from './data.js'
import { type Generation, generations } from './java-build.js'
import { openOptions, small, temporary } from './ours.js'
import { Shell, type Sizes } from './shell.js'
import { dataFor } from './workload.js'

/** What is put in one go, and when RocketMQ stored it. */
interface Step {
  readonly specs: readonly Spec[]
  readonly times: readonly number[]
}

for (const generation of generations) {
  describe(`RocketMQ ${generation} and mqlite write the same messages`, () => {
    for (const recordCrc of generation === '5.3.3' ? [false, true] : [false]) {
      for (const endsWithSeparator of [true, false]) {
        const crc = recordCrc ? 'whole-record CRCs' : 'body CRCs'
        const form = endsWithSeparator ? 'a separator' : 'no separator'
        test(`with ${crc} and ${form} after the last property every byte of log, queues and index is the same`, async (t) => {
          const sizes = { ...small, recordCrc }
          const javaDirectory = temporary(t)
          const steps = await writeJava(t, generation, javaDirectory, sizes, endsWithSeparator)
          const ourDirectory = temporary(t)
          await writeOurs(t, ourDirectory, sizes, steps, !endsWithSeparator)
          compareTrees(join(ourDirectory, 'commitlog'), join(javaDirectory, 'commitlog'))
          compareTrees(join(ourDirectory, 'consumequeue'), join(javaDirectory, 'consumequeue'))
          compareIndex(join(ourDirectory, 'index'), join(javaDirectory, 'index'))
        })
      }
    }
  })
}

async function writeJava(t: TestContext, generation: Generation, directory: string, sizes: Sizes, endsWithSeparator: boolean) {
  const random = new Random(51)
  const java = await Shell.java(t, generation, true)
  await java.open(directory, sizes)
  const steps: Step[] = []
  const encode = (spec: Spec): Spec => ({ ...spec, encoded: encodedProperties(spec, endsWithSeparator) })
  // Into a batch RocketMQ puts no separator before the CRC unless the batch has properties of its own, as brokers see to.
  const encodeInBatch = (spec: Spec): Spec => ({
    ...spec,
    encoded: encodedProperties(spec, endsWithSeparator || !!sizes.recordCrc),
  })
  for (let round = 0; round < 8; round++) {
    const specs = [...manySpecs(random, 60, dataFor(generation)), ...delayed(random, generation)].map(encode)
    const receipts = await java.put(specs)
    steps.push(...specs.map((spec, i) => ({ specs: [spec], times: [receipts[i]!.storeTimestamp] })))
    const batch = batchSpecs(random, random.between(2, 20)).map(encodeInBatch)
    const { storeTimestamp } = await java.putBatch(batch)
    steps.push({ specs: batch, times: batch.map(() => storeTimestamp) })
    // Index entries count seconds from the start of their file.
    if (round % 2 === 0) await sleep(700)
  }
  await java.close()
  return steps
}

/** Messages that wait: their queue entries tell when they are due. 4.9 rewrites them when they are put. */
function delayed(random: Random, generation: Generation): Spec[] {
  if (generation === '4.9.8') return []
  const topic = 'SCHEDULE_TOPIC_XXXX'
  return manySpecs(random, 6).map((spec) => {
    const level = random.between(1, 18)
    const properties = { ...spec.properties, DELAY: String(level), REAL_TOPIC: spec.topic, REAL_QID: String(spec.queueId) }
    return { ...spec, topic, queueId: level - 1, properties }
  })
}

/** @param asGiven - passes the properties on as they are encoded; else mqlite encodes them itself */
async function writeOurs(t: TestContext, directory: string, sizes: Sizes, steps: readonly Step[], asGiven: boolean) {
  let now = 0
  const clock = { now: () => now, monotonic: () => performance.now() }
  now = steps[0]!.times[0]!
  const store = await MessageStore.open(directory, openOptions(sizes), { clock })
  cleanUp(t, () => store.close())
  for (const { specs, times } of steps) {
    now = times[0]!
    const messages = specs.map(({ encoded, ...spec }) => toMessage(asGiven ? { ...spec, encoded: encoded! } : spec))
    if (messages.length > 1) await store.putBatch(messages)
    else await store.put(messages[0]!)
  }
  await store.close()
}

function filesOf(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  return names.filter((name) => statSync(join(directory, name)).isFile())
}

function compareTrees(ours: string, java: string): void {
  assert.deepEqual(filesOf(ours), filesOf(java))
  assert.ok(filesOf(java).length > 1, 'roll-over')
  for (const name of filesOf(java)) compareFiles(join(ours, name), join(java, name))
}

/** Index files are named by when they were made. */
function compareIndex(ours: string, java: string): void {
  const [ourFiles, javaFiles] = [filesOf(ours), filesOf(java)]
  assert.equal(ourFiles.length, javaFiles.length)
  assert.ok(javaFiles.length > 1, 'roll-over')
  for (const [i, name] of javaFiles.entries()) compareFiles(join(ours, ourFiles[i]!), join(java, name))
}

function compareFiles(ours: string, java: string): void {
  const [ourBytes, javaBytes] = [readFileSync(ours), readFileSync(java)]
  assert.equal(ourBytes.length, javaBytes.length, `length of ${java}`)
  const at = ourBytes.findIndex((byte, i) => byte !== javaBytes[i])
  if (at < 0) return
  const from = at - (at % 16)
  const excerpt = (bytes: Buffer): string => bytes.toString('hex', from, from + 48)
  assert.fail(`${java} differs at ${at}; from ${from} on\nours ${excerpt(ourBytes)}\njava ${excerpt(javaBytes)}`)
}
