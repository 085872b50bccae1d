#!/usr/bin/env node
/** `mqlite`: the only file that touches the process: its arguments, streams, signals and exit code. */
import { systemClock } from '../base/system.js'
import { exitCodes } from './command.js'
import { runLine } from './run.js'
import { Terminal } from './terminal.js'

const { stdout, stderr, env, argv } = process
const stop = new AbortController()
const terminal = new Terminal({ out: stdout, error: stderr, environment: env, clock: systemClock, stop })
/** Signals within so long are one, milliseconds: a terminal sends Ctrl+C to all, and npx or timeout pass it on as well. */
const ONE_SIGNAL_MS = 500
let askedAt: number | undefined
let isHungUp = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const isAgain = askedAt !== undefined && systemClock.monotonic() - askedAt > ONE_SIGNAL_MS
    // Whoever asks twice does not want to wait for the step that runs; a terminal that is closed is nobody who asks.
    if (isAgain && signal !== 'SIGHUP') process.exit(exitCodes.interrupted.code)
    askedAt ??= systemClock.monotonic()
    isHungUp ||= signal === 'SIGHUP'
    stop.abort(new DOMException('interrupted', 'AbortError'))
  })
}
// A promise that nobody waits for and that fails comes here too. What is in memory cannot be trusted any more: what is on the
// disk can, and the next start recovers from there.
process.on('uncaughtException', (error) => {
  terminal.fatal(error)
  process.exit(exitCodes.fault.code)
})
process.exitCode = await runLine(argv.slice(2), terminal)
// Node aborts when it cannot put a terminal back as it was. All is done: the signal that waited may have its usual effect.
if (isHungUp && [process.stdin, stdout, stderr].some(({ isTTY }) => isTTY)) {
  process.removeAllListeners('SIGHUP')
  process.kill(process.pid, 'SIGHUP')
}
