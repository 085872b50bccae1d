/** What the suites do to a store, whichever it is: fill it, put until it is killed, keep the books. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../support/random.js'
import { batchSpecs, type DataOptions, manySpecs, type Spec } from './data.js'
import type { Generation } from './java-build.js'
import type { Shell } from './shell.js'
import type { Acknowledged } from './snapshot.js'

/** What a generation can store. */
export function dataFor(generation: Generation): DataOptions {
  return { longTopics: generation === '5.3.3' }
}

/** Puts messages of every kind in several steps of time, and batches. */
export async function fill(shell: Shell, data: DataOptions, seed: number, steps = 8): Promise<Acknowledged[]> {
  const random = new Random(seed)
  const acknowledged: Acknowledged[] = []
  for (let step = 0; step < steps; step++) {
    const specs = manySpecs(random, 60, data)
    const receipts = await shell.put(specs)
    acknowledged.push(...receipts.map((receipt, i) => ({ spec: specs[i]!, receipt })))
    const batch = batchSpecs(random, 5)
    acknowledged.push(...ofBatch(batch, await shell.putBatch(batch)))
    await sleep(15)
  }
  return acknowledged
}

/** The acknowledgement of a batch, message by message. */
export function ofBatch(specs: readonly Spec[], first: Acknowledged['receipt']): Acknowledged[] {
  return first.messageId.split(',').map((messageId, i) => {
    const commitLogOffset = Number(`0x${messageId.slice(-16)}`)
    return { spec: specs[i]!, receipt: { ...first, messageId, commitLogOffset, queueOffset: first.queueOffset + i } }
  })
}

/**
 * Puts until so many messages are acknowledged, then kills the process.
 *
 * @returns what was acknowledged until the very end, and what may or may not have been stored after it
 */
export async function putUntilKilled(shell: Shell, specs: readonly Spec[], count: number) {
  const acknowledged: Acknowledged[] = []
  const unsure = new Set(specs)
  await shell
    .put(specs, (receipt) => {
      const spec = specs[acknowledged.length]!
      acknowledged.push({ spec, receipt })
      unsure.delete(spec)
      if (acknowledged.length === count) void shell.kill()
    })
    .then(
      () => Promise.reject(new Error(`all ${specs.length} messages were put before the kill`)),
      () => {},
    )
  await shell.kill()
  return { acknowledged, unsure: [...unsure] }
}
