/** Imports of `lib` point down only, and each touch of the outside has one file. Read from the syntax trees. */
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { describe, test } from 'node:test'
import { lineOf, readSources, type Source, SyntaxKind, walk } from '../support/source-tree.js'

/** From the bottom up. `index`, `server` and `testing` are the doors to the package, `lib/index.ts` and so on. */
const ranks = {
  base: 0,
  format: 1,
  disk: 2,
  log: 3,
  view: 4,
  replication: 4,
  store: 5,
  broker: 6,
  remoting: 7,
  index: 8,
  server: 8,
  testing: 8,
  cli: 9,
}

/** Parts of Node that touch the outside, and the only files that may import them. */
const doors: Readonly<Record<string, readonly string[]>> = {
  'node:fs': ['lib/disk/node-disk.ts'],
  'node:fs/promises': [],
  'fs-ext': ['lib/disk/native-locks.ts'],
  'node:child_process': [],
  'node:http': ['lib/remoting/http.ts'],
  'node:https': [],
  'node:dgram': [],
  'node:net': ['lib/remoting/net.ts', 'lib/format/host.ts'],
  'node:tls': ['lib/remoting/net.ts'],
  'node:timers': [],
  'node:timers/promises': [],
  // For the collections of garbage; time is told elsewhere.
  'node:perf_hooks': ['lib/cli/young-space.ts'],
  'node:os': [],
  // Only a server has a log.
  pino: ['lib/cli/log.ts'],
}

/** Files that may name globals which nobody can replace in a test. */
const globals: Readonly<Record<string, readonly string[]>> = {
  'Date.now': ['lib/base/system.ts'],
  'performance.now': ['lib/base/system.ts'],
  setTimeout: ['lib/base/system.ts'],
  setInterval: [],
  setImmediate: ['lib/base/system.ts'],
  'Math.random': ['lib/base/system.ts'],
  'crypto.randomUUID': [],
  'process.nextTick': ['lib/base/system.ts'],
  // Whose lock it is, who holds the store, and which process made an id. Whether directories can be flushed: the platform.
  'process.pid': [
    'lib/disk/holder-file.ts',
    'lib/disk/directory-lock.ts',
    'lib/store/writing-side.ts',
    'lib/broker/sending/unique-id.ts',
  ],
  'process.kill': ['lib/disk/holder-file.ts'],
  'process.platform': ['lib/disk/node-disk.ts'],
}

const sources = readSources().filter(({ path }) => path.startsWith('lib/'))

function layerOf(path: string): string {
  const [, folder = '', file] = path.split('/')
  return file === undefined ? folder.replace('.ts', '') : folder
}

/** Every module that a file imports, with the line. Types count: a layer that names a type depends on it. */
function importsOf(source: Source): { name: string; line: number }[] {
  const found: { name: string; line: number }[] = []
  walk(source.tree, (node) => {
    const {
      moduleSpecifier,
      expression,
      arguments: args,
    } = node as { moduleSpecifier?: { text: string } } & {
      expression?: { kind: SyntaxKind }
      arguments?: readonly { text?: string }[]
    }
    const isCall = node.kind === SyntaxKind.CallExpression && expression?.kind === SyntaxKind.ImportKeyword
    const name = moduleSpecifier?.text ?? (isCall ? args?.[0]?.text : undefined)
    if (name !== undefined) found.push({ name, line: lineOf(source, node.getStart(source.tree)) })
  })
  return found
}

describe('the layers of lib', () => {
  test('are the known ones', () => {
    const unknown = sources.map(({ path }) => path).filter((path) => !Object.hasOwn(ranks, layerOf(path)))
    assert.deepEqual(unknown, [])
    assert.ok(sources.flatMap(importsOf).length > 300, 'the imports are not found')
  })

  test('import only layers below; view and replication never see each other', () => {
    const breaches: string[] = []
    for (const source of sources) {
      const own = layerOf(source.path)
      for (const { name, line } of importsOf(source)) {
        if (!name.startsWith('.')) continue
        const target = layerOf(posix.join(posix.dirname(source.path), name))
        if (target !== own && rankOf(target) >= rankOf(own)) breaches.push(`${source.path}:${line} imports ${target} (${name})`)
      }
    }
    assert.deepEqual(breaches, [])
  })

  test('reach files, locks, processes and networks through one file each', () => {
    const breaches: string[] = []
    for (const source of sources) {
      for (const { name, line } of importsOf(source)) {
        if (Object.hasOwn(doors, name) && !doors[name]!.includes(source.path))
          breaches.push(`${source.path}:${line} imports ${name}`)
      }
    }
    assert.deepEqual(breaches, [])
  })

  test('load the package of the log only when a log is made', () => {
    const { text } = sources.find(({ path }) => path === 'lib/cli/log.ts')!
    assert.deepEqual(text.match(/.*'pino'.*/g), ["import type { Logger } from 'pino'", "  const { pino } = await import('pino')"])
  })

  test('use of node:net below the sockets only what tells an address from a name', () => {
    const uses = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/import .* from 'node:net'/g)].map(([line]) => `${path}: ${line}`),
    )
    assert.deepEqual(
      uses.filter((use) => !use.startsWith('lib/remoting/net.ts')),
      ["lib/format/host.ts: import { isIPv4, isIPv6 } from 'node:net'"],
    )
  })

  test('ask for time, chance and the process only where it is written down', () => {
    const breaches: string[] = []
    for (const source of sources) {
      walk(source.tree, (node) => {
        const name = globalIn(source, node)
        if (name === undefined || layerOf(source.path) === 'cli') return
        const isAllowed = Object.hasOwn(globals, name) ? globals[name]!.includes(source.path) : !name.startsWith('process.')
        if (!isAllowed) breaches.push(`${source.path}:${lineOf(source, node.getStart(source.tree))} uses ${name}`)
      })
    }
    assert.deepEqual(breaches, [])
  })

  test('make no date of the present by the way', () => {
    const uses = sources.filter(({ text }) => /new Date\(\)|\bDate\(\)/.test(text)).map(({ path }) => path)
    assert.deepEqual(uses, [])
  })
})

function rankOf(layer: string): number {
  return ranks[layer as keyof typeof ranks] ?? -1
}

/** The name of the global that a node uses: `Date.now`, `setTimeout`, `process.pid`. */
function globalIn({ tree }: Source, node: { kind: SyntaxKind }): string | undefined {
  const { expression, name } = node as { expression?: { kind: SyntaxKind; text?: string }; name?: { text?: string } }
  if (expression?.kind !== SyntaxKind.Identifier) return undefined
  if (node.kind === SyntaxKind.PropertyAccessExpression) return `${expression.text}.${name?.text}`
  return node.kind === SyntaxKind.CallExpression && tree !== undefined ? expression.text : undefined
}
