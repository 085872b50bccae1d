/**
 * Compiles the programs under `test/interop/java` against RocketMQ: the stores of each generation, and its filters.
 *
 * Maven names the jars, javac compiles; both results stay under `build/interop` until a source changes.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A generation of RocketMQ that the suite runs. */
export type Generation = '4.9.8' | '5.3.3'

/** The generations, oldest first. */
export const generations: readonly Generation[] = ['4.9.8', '5.3.3']

const folders: Readonly<Record<Generation, string>> = { '4.9.8': 'v4', '5.3.3': 'v5' }
const sourceRoot = fileURLToPath(new URL('../../../test/interop/java', import.meta.url))
const LOCK_POLL_MS = 200
/** Where built programs stay. */
export const cacheRoot = fileURLToPath(new URL('../../interop', import.meta.url))

/** The class path that runs `Shell` of a generation; compiles it first if need be. */
export function javaClassPath(generation: Generation): string {
  const folder = folders[generation]
  return compiled(folder, [...javaFiles('common'), ...javaFiles(folder)])
}

/** The class path that runs `Filters`, of 5.3.3; compiles it first if need be. */
export function filterClassPath(): string {
  return compiled('filter', javaFiles('filter'))
}

/** The class path that runs the programs which use RocketMQ's client of a generation; compiles them first if need be. */
export function clientClassPath(generation: Generation): string {
  return compiled(`clients-${folders[generation]}`, javaFiles('clients'))
}

/** The class path that runs `Actors`, clients of 5.3.3; compiles it first if need be. */
export function actorsClassPath(): string {
  return compiled('actors', javaFiles('actors'), 'servers-v5')
}

/** The class path that runs `Transactions`, of 5.3.3; compiles it first if need be. */
export function transactionClassPath(): string {
  return compiled('transactions', javaFiles('transactions'), 'servers-v5')
}

/** The class path that runs `Admin`, of the administration program of a generation; compiles it first if need be. */
export function adminClassPath(generation: Generation): string {
  return compiled(`admin-${folders[generation]}`, javaFiles('admin'), generation === '5.3.3' ? 'servers-v5' : 'tools-v4')
}

/**
 * The class path that runs RocketMQ's own tests, with our classes before theirs; compiles ours first if need be.
 *
 * @param theirs - class path of the compiled module `test` of RocketMQ
 */
export function rocketmqTestsClassPath(theirs: string): string {
  return compiled('rocketmq-tests', javaFiles('rocketmq-tests'), 'rocketmq-tests', theirs)
}

function compiled(folder: string, sources: readonly string[], pomFolder = folder, more?: string): string {
  return alone(() => compile(folder, sources, pomFolder, more))
}

function compile(folder: string, sources: readonly string[], pomFolder: string, more?: string): string {
  const target = join(cacheRoot, folder)
  const stampFile = join(target, 'stamp')
  const jarsFile = join(target, 'jars')
  const classes = join(target, 'classes')
  const pom = join(sourceRoot, pomFolder, 'pom.xml')
  const stamp = digest([...sources, pom])
  const isBuilt = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp && haveAll(jarsFile)
  if (!isBuilt) {
    rmSync(target, { recursive: true, force: true })
    mkdirSync(classes, { recursive: true })
    run('mvn', ['-q', '-B', '-f', pom, 'dependency:build-classpath', `-Dmdep.outputFile=${jarsFile}`])
    run('javac', ['-nowarn', '-encoding', 'UTF-8', '-cp', behind(jarsFile, more), '-d', classes, ...sources])
    writeFileSync(stampFile, stamp)
  }
  return `${classes}:${behind(jarsFile, more)}`
}

/** What stands behind our own classes. */
function behind(jarsFile: string, more: string | undefined): string {
  const jars = readFileSync(jarsFile, 'utf8').trim()
  return more === undefined ? jars : `${more}:${jars}`
}

/** The releases whose servers run here: the last of 4.9 whose broker was published, and the one of the library. */
export type ServerRelease = '4.9.7' | '5.3.3'

/** The class path of name server, broker and administration of a release. */
export function serverClassPath(release: ServerRelease): string {
  return alone(() => resolveServer(release))
}

function resolveServer(release: ServerRelease): string {
  const folder = release === '4.9.7' ? 'servers-v4' : 'servers-v5'
  const target = join(cacheRoot, folder)
  const jarsFile = join(target, 'jars')
  if (!haveAll(jarsFile)) {
    mkdirSync(target, { recursive: true })
    const pom = join(sourceRoot, folder, 'pom.xml')
    run('mvn', ['-q', '-B', '-f', pom, 'dependency:build-classpath', `-Dmdep.outputFile=${jarsFile}`])
  }
  return readFileSync(jarsFile, 'utf8').trim()
}

/**
 * Two test files run at a time, each in a process of its own: one builds while the other waits. Whoever ends without
 * leaving its name behind is not waited for.
 */
export function alone<Result>(build: () => Result): Result {
  mkdirSync(cacheRoot, { recursive: true })
  const lock = join(cacheRoot, 'lock')
  while (!takes(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS)
  try {
    return build()
  } finally {
    rmSync(lock)
  }
}

function takes(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  if (!isHeld(lock)) rmSync(lock, { force: true })
  return false
}

function isHeld(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'))
    // The name is written a moment after the file was made.
    if (pid === 0) return true
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function javaFiles(folder: string): string[] {
  const names = readdirSync(join(sourceRoot, folder)).filter((name) => name.endsWith('.java'))
  return names.sort().map((name) => join(sourceRoot, folder, name))
}

/** Tells whether files changed. */
export function digest(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex')
}

/** The jars lie in Maven's own cache, which somebody may have emptied. */
function haveAll(jarsFile: string): boolean {
  if (!existsSync(jarsFile)) return false
  return readFileSync(jarsFile, 'utf8').trim().split(':').every(existsSync)
}

/** What to tell when a program of the JDK or Maven is not there. */
export function cannotRun(tool: string): string {
  return `${tool} cannot be run: the interop suite needs a JDK 17 (java, javac), Maven (mvn), Go and Python 3 in the PATH`
}

/** Runs a tool until it ends. @throws with what it said when it fails */
export function run(tool: string, given: readonly string[], cwd?: string): void {
  const { error, status, stdout, stderr } = spawnSync(tool, given, { encoding: 'utf8', cwd })
  if (error !== undefined) throw new Error(cannotRun(tool), { cause: error })
  if (status !== 0) throw new Error(`${tool} failed with ${status}:\n${stdout}${stderr}`)
}
