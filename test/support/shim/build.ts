/** Compiles the C of the tests, once for each process that asks. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the project, from a file below `build`. */
const project = fileURLToPath(new URL('../../../../', import.meta.url))

/** The shared library made of `test/support/shim/NAME.c`. @throws when there is no compiler */
export function shimLibrary(name: string): string {
  const source = join(project, 'test/support/shim', `${name}.c`)
  const library = join(project, 'build/shim', `${name}.so`)
  if (existsSync(library) && statSync(library).mtimeMs > statSync(source).mtimeMs) return library
  mkdirSync(dirname(library), { recursive: true })
  // Two test files may do this at once.
  const made = `${library}.${process.pid}`
  execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', made, source, '-ldl'], { stdio: 'inherit' })
  renameSync(made, library)
  return library
}
