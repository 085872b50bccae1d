/** `mqlite serve` in a process of its own, as its users start it. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageStore } from '../../lib/store/message-store.js'
import { cleanUp, type Scope } from './clean-up.js'

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/** A server that runs. */
export interface Served {
  /** The broker's `127.0.0.1:port`. */
  readonly broker: string
  /** The name server's; an empty text without one. */
  readonly nameServer: string
  /** Stops it as an administrator does, and opens what it leaves, to be read. @returns the store */
  stop(): Promise<MessageStore>
  /** Ends it as a crash would. */
  kill(): Promise<void>
}

/** Starts it on free ports, over a directory that goes with the test. */
export async function serve(t: Scope, ...options: readonly string[]): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-serve-'))
  cleanUp(t, () => rmSync(directory, { recursive: true, force: true }))
  return serveAt(t, directory, ...options)
}

/** Starts it on free ports unless the options say which, over a directory that is there. */
export async function serveAt(t: Scope, directory: string, ...options: readonly string[]): Promise<Served> {
  const names = options.includes('--no-name-server') ? [] : ['--name-server-port', '0']
  const line = [main, 'serve', directory, '--port', '0', ...names, '--json', '--log-level', 'error', ...options]
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  cleanUp(t, () => {
    child.kill('SIGKILL')
  })
  let said = ''
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  const document = await new Promise<{ broker: string; nameServer?: string }>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.endsWith('}\n')) resolve(JSON.parse(said) as { broker: string; nameServer?: string })
    })
    child.once('close', (code) => reject(new Error(`mqlite serve ended with ${String(code)}: ${complaints}`)))
  })
  const stop = async (): Promise<MessageStore> => {
    child.kill('SIGTERM')
    const code = await ended
    if (code !== 0 || complaints !== '') throw new Error(`mqlite serve ended with ${String(code)}: ${complaints}`)
    const store = await MessageStore.open(directory, { readOnly: true })
    cleanUp(t, () => store.close())
    return store
  }
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { nameServer: '', ...document, stop, kill }
}
