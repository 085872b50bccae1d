/**
 * A copy of the project's built tests beside a copy of `lib` that can be changed, compiled again and tested.
 *
 * ```
 *   copy/lib          the sources, one of them changed
 *   copy/build/lib    compiled from there, unchecked, the changed file alone
 *   copy/build/test   as the project built it
 * ```
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../source-tree.js'
import type { Mutant } from './mutant.js'

/** How a run of a test file ended. */
export interface Outcome {
  readonly result: 'passed' | 'failed' | 'out of time'
  /** The test that failed first, or what the process said last. */
  readonly what: string
}

/** See the head of this file. */
export class MutantBuild {
  readonly #directory: string
  /** What a changed file was compiled to before. */
  #compiled: Buffer | undefined

  /** @param directory - an empty one, which the caller removes */
  constructor(directory: string) {
    this.#directory = directory
    // Beside the code, what tests read of the project.
    for (const name of ['lib', 'build', 'package.json', 'tsconfig.json', 'docs', 'test', 'README.md']) {
      cpSync(join(root, name), join(directory, name), { recursive: true })
    }
    mkdirSync(join(directory, 'tmp'))
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'), 'dir')
  }

  /** Puts the fault into the code. @throws when the text is not there exactly once, or nothing compiles any more */
  apply({ file, text, replacement }: Mutant): void {
    const path = join(this.#directory, 'lib', file)
    const pieces = readFileSync(path, 'utf8').split(text)
    if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} times: ${text}`)
    writeFileSync(path, pieces.join(replacement))
    this.#compiled = readFileSync(this.#outputOf(file))
    // What a file is compiled to depends on no other: `isolatedModules` sees to that.
    this.#compileWith({ files: [`lib/${file}`], include: [] }, ['--noResolve', '--types', ''])
    if (this.#compiled.equals(readFileSync(this.#outputOf(file))))
      throw new Error(`${file} compiles to the same with ${replacement}`)
  }

  /** Takes the fault back. */
  restore({ file }: Mutant): void {
    cpSync(join(root, 'lib', file), join(this.#directory, 'lib', file))
    writeFileSync(this.#outputOf(file), this.#compiled!)
  }

  /** Runs a test file until its first failure. */
  async run(test: string, limitMs: number): Promise<Outcome> {
    const path = join(this.#directory, 'build/test', `${test}.test.js`)
    // What a killed test leaves behind goes with the copy.
    const env: NodeJS.ProcessEnv = { ...process.env, MQLITE_TIER: 'quick', TMPDIR: join(this.#directory, 'tmp') }
    // Else the run reports to the one that started this one, and not on its output.
    delete env['NODE_TEST_CONTEXT']
    const child = spawn(process.execPath, ['--test-reporter=tap', path], {
      cwd: this.#directory,
      env,
      // A group of its own: tests start processes, which have to end with them.
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      endGroup(child)
    }, limitMs)
    let failed = ''
    createInterface(child.stdout).on('line', (line) => {
      const [, name] = /^\s*not ok \d+ - (.*)/.exec(line) ?? []
      if (name === undefined || failed !== '') return
      failed = name
      endGroup(child)
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    clearTimeout(timer)
    endGroup(child)
    if (failed !== '') return { result: 'failed', what: failed }
    if (isLate) return { result: 'out of time', what: `after ${limitMs} ms` }
    return code === 0 ? { result: 'passed', what: '' } : { result: 'failed', what: `the process ended with ${String(code)}` }
  }

  /** Compiles the whole copy as it is now. */
  compile(): void {
    this.#compileWith({ include: ['lib'] }, [])
  }

  #outputOf(file: string): string {
    return join(this.#directory, 'build/lib', file.replace(/\.ts$/, '.js'))
  }

  #compileWith(what: { include: readonly string[]; files?: readonly string[] }, more: readonly string[]): void {
    const compiler = join(root, 'node_modules/.bin/tsc')
    const options = ['--noCheck', '--rootDir', 'lib', '--outDir', 'build/lib', '--sourceMap', 'false', ...more]
    writeFileSync(join(this.#directory, 'tsconfig.mutant.json'), JSON.stringify({ extends: './tsconfig.json', ...what }))
    execFileSync(compiler, ['-p', 'tsconfig.mutant.json', ...options], { cwd: this.#directory, stdio: 'inherit' })
  }
}

/** Ends a process and all that it started; no error when they are gone. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
