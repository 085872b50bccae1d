/** Builds and runs the Java programs beside this one: RocketMQ's own store with the same workload, its servers and clients. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bed } from './run-case.js'
import type { Outcome } from './workload.js'

const PROJECT = fileURLToPath(new URL('../../bench/java/', import.meta.url))
const SOURCES = join(PROJECT, 'src/main/java/mqlite/bench')
const JAR = join(PROJECT, 'target', 'store-bench-1.jar')
const CLASS_PATH = [JAR, join(PROJECT, 'target', 'dependencies', '*')].join(delimiter)

/** RocketMQ maps files and unmaps them by ways that Java 17 keeps closed. */
const OPENED = ['java.nio', 'sun.nio.ch', 'java.lang', 'jdk.internal.ref'].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
)
const EXPORTED = ['java.lang', 'jdk.internal.ref'].map((name) => `--add-exports=java.base/${name}=ALL-UNNAMED`)

/** The arguments with which `java` runs a program of RocketMQ's, or one of ours that uses it. It logs nothing. */
export function javaLine(home: string, main: string, given: readonly string[], flags: readonly string[] = []): string[] {
  const quiet = join(home, 'quiet.xml')
  writeFileSync(quiet, '<configuration><root level="OFF"/></configuration>')
  const own = [`-Drmq.logback.configurationFile=${quiet}`, `-Duser.home=${home}`, `-Djava.io.tmpdir=${home}`]
  return [...OPENED, ...EXPORTED, ...flags, ...own, '-cp', CLASS_PATH, main, ...given]
}

/** RocketMQ's own store. */
export class JavaStore {
  readonly #bed: Bed
  /** What was measured and not asked for yet. */
  readonly #results = new Map<string, Outcome[]>()

  constructor(bed: Bed) {
    this.#bed = bed
  }

  /** Compiles the program and fetches RocketMQ, if that was not done before. @throws {Error} without Java 17 or Maven */
  build(): void {
    const sources = [...readdirSync(SOURCES).map((name) => join(SOURCES, name)), join(PROJECT, 'pom.xml')]
    const newest = Math.max(...sources.map((source) => statSync(source).mtimeMs))
    if (existsSync(JAR) && statSync(JAR).mtimeMs > newest) return
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
    const work = [directory, rounds, roundMs, messages, what].map(String)
    try {
      const out = execFileSync('java', javaLine(directory, 'mqlite.bench.StoreBench', work), {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      for (const line of out.split('\n').filter((text) => text.startsWith('RESULT '))) {
        const [, name, ...figures] = line.split(' ')
        this.#results.set(name!, [...(this.#results.get(name!) ?? []), { rounds: figures.map(Number) }])
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}
