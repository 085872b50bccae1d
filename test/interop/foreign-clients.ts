/**
 * Clients of other languages: RocketMQ's Go client, built from the module proxy, and its C++ client, which the package
 * `rocketmq` of PyPI holds. Both are built once, under `build/interop`, until their sources change.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cleanUp, type Scope } from './clean-up.js'
import { alone, cacheRoot, digest, run } from './java-build.js'
import { type LineClient, talkTo } from './line-client.js'

const sources = fileURLToPath(new URL('../../../test/interop', import.meta.url))

/** Where the servers are: `host:port`. */
export interface Servers {
  readonly names: string
  readonly broker: string
}

/** Starts the programs of `test/interop/go`. */
export function startGo(t: Scope, { names, broker }: Servers): Promise<LineClient> {
  const program = builtOnce('go', (folder, target) => {
    run('go', ['build', '-o', join(target, 'interop'), '.'], folder)
  })
  return talkTo(t, spawn(join(program, 'interop'), [names, broker], { stdio: 'pipe', env: environment(t) }))
}

/** Starts the program of `test/interop/python`, which is the C++ client's. */
export function startCpp(t: Scope, { names }: Servers): Promise<LineClient> {
  const place = builtOnce('python', (folder, target) => {
    run('python3', ['-m', 'venv', join(target, 'venv')])
    run(join(target, 'venv', 'bin', 'pip'), ['install', '-q', '--require-hashes', '-r', join(folder, 'requirements.txt')])
  })
  const line = ['-u', join(sources, 'python', 'interop.py'), names]
  return talkTo(t, spawn(join(place, 'venv', 'bin', 'python'), line, { stdio: 'pipe', env: environment(t) }))
}

/** Starts the program of `ali-ons.ts`. */
export function startAliOns(t: Scope, { names }: Servers): Promise<LineClient> {
  const program = fileURLToPath(new URL('ali-ons.js', import.meta.url))
  return talkTo(t, spawn(process.execPath, [program, names], { stdio: 'pipe', env: environment(t) }))
}

/** The clients keep logs and offsets in the home directory. */
function environment(t: Scope): NodeJS.ProcessEnv {
  const home = mkdtempSync(join(tmpdir(), 'mqlite-clients-'))
  cleanUp(t, () => rmSync(home, { recursive: true, force: true }))
  return { ...process.env, HOME: home, ROCKETMQ_GO_LOG_LEVEL: 'fatal' }
}

function builtOnce(name: string, build: (folder: string, target: string) => void): string {
  const folder = join(sources, name)
  const target = join(cacheRoot, name)
  const stampFile = join(target, 'stamp')
  const stamp = digest(readdirSync(folder).map((file) => join(folder, file)))
  return alone(() => {
    if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
      rmSync(target, { recursive: true, force: true })
      mkdirSync(target, { recursive: true })
      build(folder, target)
      writeFileSync(stampFile, stamp)
    }
    return target
  })
}
