/** Child processes of the tests: started, waited for, and none left behind. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A running child process. */
export interface Child {
  readonly process: ChildProcess
  /** Resolves when it has ended and its output is read. */
  readonly exit: Promise<Exit>
  /** Resolves to true when this text has been printed, to false when the process ended without it. */
  printed(text: string): Promise<boolean>
  /** What has been printed until now. */
  stdoutSoFar(): string
}

const running = new Set<ChildProcess>()
process.once('exit', killChildren)

/** Ends what a failed test has left running. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Starts a program. */
export function start(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  running.add(child)
  let stdout = ''
  let stderr = ''
  let ended = false
  const watchers: (() => void)[] = []
  const tell = (): void => {
    for (const watcher of watchers.splice(0)) watcher()
  }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    tell()
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      running.delete(child)
      ended = true
      tell()
      resolve({ code, signal, stdout, stderr })
    })
  })
  const printed = async (text: string): Promise<boolean> => {
    while (!ended && !stdout.includes(text)) await new Promise<void>((resolve) => watchers.push(resolve))
    return stdout.includes(text)
  }
  return { process: child, exit, printed, stdoutSoFar: () => stdout }
}

/** Starts one of the programs of `test/support` under Node, with one argument in JSON. */
export function startProgram(name: string, input: unknown, options: SpawnOptions = {}, flags: readonly string[] = []): Child {
  return start(process.execPath, [...flags, programPath(name), JSON.stringify(input)], options)
}

/** The compiled file of a program of `test/support`. */
export function programPath(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url))
}
