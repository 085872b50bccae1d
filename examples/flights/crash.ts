/** Runs the loader in a process of its own and kills it half way, as the kernel kills: at once, without a word. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Progress } from './load.js'

/** What is known of the child that was killed. */
export interface Crash {
  /** Every row below was acknowledged to the child, and the child told so before it died. */
  readonly acked: number
  /** From the first acknowledgement told to the last. */
  readonly durationMs: number
  /** Rows acknowledged in that time. */
  readonly rows: number
}

/** Loads `rows` rows into `directory` and kills the loader once half of them are acknowledged. */
export async function loadAndKill(directory: string, rows: number): Promise<Crash> {
  const child = fork(fileURLToPath(new URL('load.js', import.meta.url)), [directory, String(rows)])
  const gone = Promise.all([once(child, 'exit'), once(child, 'disconnect')])
  let acked = 0
  let first: { acked: number; at: number } | undefined
  let lastAt = 0
  child.on('message', (message) => {
    acked = (message as Progress).acked
    lastAt = performance.now()
    first ??= { acked, at: lastAt }
    if (acked >= rows / 2) child.kill('SIGKILL')
  })
  const [[code, signal]] = (await gone) as [[number | null, string | null], unknown]
  if (signal !== 'SIGKILL') throw new Error(`the loader ended by itself, with code ${code}, at row ${acked}`)
  return { acked, durationMs: lastAt - (first?.at ?? lastAt), rows: acked - (first?.acked ?? acked) }
}
