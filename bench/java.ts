/** Builds and runs the Java program beside this one: RocketMQ's own store with the same workload. */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bed } from './run-case.js'
import type { Outcome } from './workload.js'

const PROJECT = fileURLToPath(new URL('../../bench/java/', import.meta.url))
const JAR = join(PROJECT, 'target', 'store-bench-1.jar')

/** RocketMQ maps files and unmaps them by ways that Java 17 keeps closed. */
const OPENED = ['java.nio', 'sun.nio.ch', 'java.lang', 'jdk.internal.ref'].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
)
const EXPORTED = ['java.lang', 'jdk.internal.ref'].map((name) => `--add-exports=java.base/${name}=ALL-UNNAMED`)

/** See the head of this file. */
export class JavaStore {
  readonly #bed: Bed
  /** What was measured and not asked for yet. */
  readonly #results = new Map<string, Outcome[]>()

  constructor(bed: Bed) {
    this.#bed = bed
  }

  /** Compiles the program and fetches RocketMQ, if that was not done before. @throws {Error} without Java 17 or Maven */
  build(): void {
    const source = join(PROJECT, 'src/main/java/mqlite/bench/StoreBench.java')
    if (existsSync(JAR) && statSync(JAR).mtimeMs > statSync(source).mtimeMs) return
    execFileSync('mvn', ['-q', '-B', 'package'], { cwd: PROJECT, stdio: ['ignore', 'inherit', 'inherit'] })
  }

  /** The Java that runs, in one line. */
  version(): string {
    return execFileSync('java', ['--version'], { encoding: 'utf8' }).split('\n')[0]!
  }

  /** A new measurement: `async-1`, `sync-64` and the like, or one of the reads, which are all measured at once. */
  measure(name: string): Outcome {
    const known = this.#results.get(name)?.shift()
    if (known !== undefined) return known
    this.#run(/^a?sync-/.test(name) ? name : 'reads')
    const outcome = this.#results.get(name)?.shift()
    if (outcome === undefined) throw new Error(`the Java program measured no ${name}`)
    return outcome
  }

  #run(what: string): void {
    const { rounds, roundMs, messages } = this.#bed.plan
    const directory = this.#bed.empty('java')
    const classpath = [JAR, join(PROJECT, 'target', 'dependencies', '*')].join(delimiter)
    const work = [directory, rounds, roundMs, messages, what].map(String)
    try {
      const args = [...OPENED, ...EXPORTED, `-Duser.home=${directory}`, '-cp', classpath, 'mqlite.bench.StoreBench', ...work]
      const out = execFileSync('java', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
      for (const line of out.split('\n').filter((text) => text.startsWith('RESULT '))) {
        const [, name, ...figures] = line.split(' ')
        this.#results.set(name!, [...(this.#results.get(name!) ?? []), { rounds: figures.map(Number) }])
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}
