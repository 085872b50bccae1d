/** The thread of `watchdog.ts`: looks now and then whether the same input still runs. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { workerData } from 'node:worker_threads'
import { ENDLESS_SECONDS, type WatchedMemory } from './watchdog.js'

const { state, input, path } = workerData as WatchedMemory
let last = -1
let seconds = 0

setInterval(() => {
  const began = Atomics.load(state, 0)
  const length = Atomics.load(state, 1)
  seconds = length >= 0 && began === last ? seconds + 1 : 0
  last = began
  if (seconds < ENDLESS_SECONDS) return
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, Uint8Array.from(input.subarray(0, length)))
  writeFileSync(2, `an input ran for ${ENDLESS_SECONDS} s and is kept as ${path}\n`)
  process.kill(process.pid, 'SIGKILL')
}, 1000)
