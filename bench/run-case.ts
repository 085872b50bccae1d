/** Starts each case in a process of its own, so that none inherits another's memory, compiled code or open files. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CaseName } from './cases/index.js'
import type { CaseOptions, Job, Outcome, Plan } from './workload.js'

/** The directories of one run of the benchmarks, and the amount of work. */
export class Bed {
  readonly plan: Plan
  readonly #root: string
  readonly #prepared = new Map<string, string>()

  /** @param parent - directory on the disk that is measured */
  constructor(plan: Plan, parent: string) {
    this.plan = plan
    mkdirSync(parent, { recursive: true })
    this.#root = mkdtempSync(join(parent, 'mqlite-bench-'))
  }

  /** Runs a case on a directory: its own, empty and removed afterwards, or a given one. The process is killed at the end. */
  async run(name: CaseName, options: CaseOptions = {}, directory?: string): Promise<Outcome> {
    if (directory !== undefined) return runInChild(name, { plan: this.plan, directory, options })
    const own = this.empty(name)
    try {
      return await runInChild(name, { plan: this.plan, directory: own, options })
    } finally {
      rmSync(own, { recursive: true, force: true })
    }
  }

  /** A new empty directory. */
  empty(name: string): string {
    return mkdtempSync(join(this.#root, `${name}-`))
  }

  /** A directory that a case has filled; filled once in a run. */
  async filled(by: 'prepare' | 'abandon'): Promise<string> {
    const known = this.#prepared.get(by)
    if (known !== undefined) return known
    const directory = this.empty(by)
    await this.run(by, {}, directory)
    this.#prepared.set(by, directory)
    return directory
  }

  /** Forgets a filled directory, which something has changed. */
  drop(by: 'prepare' | 'abandon'): void {
    const directory = this.#prepared.get(by)
    if (directory === undefined) return
    this.#prepared.delete(by)
    rmSync(directory, { recursive: true, force: true })
  }

  /** Removes everything. */
  clear(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}

async function runInChild(name: CaseName, job: Job): Promise<Outcome> {
  const child = fork(fileURLToPath(new URL('child.js', import.meta.url)))
  const gone = once(child, 'exit')
  let outcome: Outcome | undefined
  child.once('message', (message) => {
    outcome = message as Outcome
    child.kill('SIGKILL')
  })
  child.send({ name, job })
  const [code] = (await gone) as [number | null]
  if (outcome === undefined) throw new Error(`the case ${name} ended with code ${code} and no outcome`)
  return outcome
}
