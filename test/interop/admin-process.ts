/** RocketMQ's administration program in a process that runs many commands, and what of their output may differ. */

import type { ChildProcess } from 'node:child_process'
import { cleanUp, type Scope } from './clean-up.js'
import { adminClassPath, type Generation } from './java-build.js'
import { type HomeFiles, makeHome, spawnProgram } from './java-servers.js'

/** Runs a command. @returns what it printed */
export type RunAdmin = (...words: readonly string[]) => Promise<string>

const WAIT_MS = 60_000

/** Starts the process, and again whenever a command ends it; it ends with the test. Commands go one after the other. */
export function startAdmin(t: Scope, generation: Generation, files: HomeFiles = {}): RunAdmin {
  let child: ChildProcess | undefined
  let output = ''
  cleanUp(t, () => {
    child?.kill('SIGKILL')
  })
  const start = (): ChildProcess => {
    const started = spawnProgram(adminClassPath(generation), makeHome(t, files), 'Admin', [])
    started.stdin!.on('error', () => {})
    for (const stream of [started.stdout!, started.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    started.once('close', () => {
      output += '@@\n'
      child = undefined
    })
    return started
  }
  return async (...words) => {
    child ??= start()
    child.stdin!.write(`${words.join('\t')}\n`)
    for (const end = performance.now() + WAIT_MS; ; ) {
      const at = output.indexOf('@@\n')
      if (at >= 0) {
        const text = output.slice(0, at)
        output = output.slice(at + 3)
        return text
      }
      if (performance.now() > end) throw new Error(`mqadmin ${words.join(' ')}:\n${output}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** Output without addresses, times and rates, its lines in an order of their own: neither side promises one. */
export function normalized(output: string): string[] {
  return output
    .replaceAll(/\d{4}-\d\d-\d\d[ T#]\d\d:\d\d:\d\d([,.:]\d+)?/g, 'TIME')
    .replaceAll(/\b17\d{11}\b/g, 'MILLIS')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/\d+\.\d+\b/g, 'RATE')
    .split('\n')
    .map((line) => line.replaceAll(/[ \t]+/g, ' ').trim())
    .filter((line) => line !== '' && !/^at |MessageTrack|^See |WARNING|OpenJDK|log4j|RocketMQLog|^\d\d:\d\d:\d\d/.test(line))
    .sort()
}
