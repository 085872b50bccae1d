/** Makes objects that live for a while, is quiet, makes them again; prints how large the memory for new ones was. */
import { setTimeout as sleep } from 'node:timers/promises'
import { boundYoungSpace, youngSpaceBytes } from '../../lib/cli/young-space.js'

interface YoungSpaceRun {
  readonly mostBytes: number
}

/** @returns the most that there was */
async function work(): Promise<number> {
  let most = 0
  const kept: unknown[] = []
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 2000; i++) kept[(round * 2000 + i) % 40_000] = { round, i, text: [i] }
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, youngSpaceBytes())
  }
  return most
}

const { mostBytes } = JSON.parse(process.argv[2] ?? '') as YoungSpaceRun
boundYoungSpace(mostBytes)
const first = await work()
let quiet = youngSpaceBytes()
for (let i = 0; i < 100 && quiet >= first; i++) {
  await sleep(100)
  globalThis.gc?.()
  quiet = youngSpaceBytes()
}
process.stdout.write(JSON.stringify({ first, quiet, again: await work() }))
