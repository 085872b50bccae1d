/** Runs the built command line in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../lib/base/system.js'
import { runLine } from '../../lib/cli/run.js'
import { type OutputStream, Terminal } from '../../lib/cli/terminal.js'

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/** How a run ended. */
export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/** Starts the command line. */
export function start(...line: string[]): ChildProcess {
  return spawn(process.execPath, [main, ...line], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Starts the command line with flags of Node. */
export function startWith(flags: readonly string[], ...line: string[]): ChildProcess {
  return spawn(process.execPath, [...flags, main, ...line], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Starts the command line with its output into an open file. */
export function startInto(descriptor: number, ...line: string[]): ChildProcess {
  return spawn(process.execPath, [main, ...line], { stdio: ['ignore', descriptor, 'pipe'] })
}

/** Runs the command line to its end. */
export async function run(...line: string[]): Promise<Outcome> {
  return outcomeOf(start(...line))
}

/** Waits for the end of a process. */
export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const out: Buffer[] = []
  const error: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => error.push(chunk))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out: Buffer.concat(out).toString('utf8'), error: Buffer.concat(error).toString('utf8') }
}

/** A directory that goes when the test ends. @param before - what must be done first */
export function temporary(t: TestContext, before: () => Promise<void> = async () => {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-cli-'))
  t.after(async () => {
    await before()
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

/** A stream that keeps what is written to it. */
export class Kept implements OutputStream {
  text = ''

  write(text: string): boolean {
    this.text += text
    return true
  }

  once(): void {}

  on(): void {}
}

/** Runs the command line in this process, which is faster; signals and pipes are not part of it. */
export async function runHere(...line: string[]): Promise<Outcome> {
  const [out, error] = [new Kept(), new Kept()]
  const terminal = new Terminal({ out, error, environment: {}, clock: systemClock, stop: new AbortController() })
  const code = await runLine(line, terminal)
  return { code, out: out.text, error: error.text }
}
