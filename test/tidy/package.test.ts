/** `package.json` says what is true: what is imported, which commands there are, what the package is. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Node } from 'typescript/unstable/ast'
import { readSources, root, type Source, SyntaxKind, walk } from '../support/source-tree.js'

interface Package {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly type: string
  readonly engines: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as T
}

const manifest = readJson<Package>('package.json')
const sources = readSources()

/** Programs that scripts call by name, with their packages. */
const programs: Readonly<Record<string, string>> = { tsc: 'typescript', biome: '@biomejs/biome' }

/** Packages that a file names in an `import`, or whose place it asks for. */
function packagesOf(source: Source): Set<string> {
  const found = new Set<string>()
  const add = (specifier: string | undefined): void => {
    if (specifier === undefined || /^(\.|node:)/.test(specifier)) return
    found.add(
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    )
  }
  walk(source.tree, (node) => {
    add((node as { moduleSpecifier?: { text: string } }).moduleSpecifier?.text)
    if (node.kind !== SyntaxKind.CallExpression) return
    const { expression, arguments: args } = node as unknown as { expression: Node; arguments: readonly { text?: string }[] }
    const callee = expression.getText(source.tree)
    if (callee === 'import' || callee === 'import.meta.resolve') add(args[0]?.text)
  })
  return found
}

function packagesUnder(...folders: readonly string[]): string[] {
  const names = sources.filter(({ path }) => folders.includes(path.split('/')[0]!)).flatMap((source) => [...packagesOf(source)])
  return [...new Set(names)].filter((name) => name !== manifest.name).sort()
}

describe('package.json', () => {
  test('declares for use exactly what lib imports', () => {
    const { dependencies, optionalDependencies, peerDependencies } = manifest
    const declared = [dependencies, optionalDependencies, peerDependencies].flatMap((names) => Object.keys(names)).sort()
    assert.deepEqual(packagesUnder('lib'), declared)
  })

  test('declares for development exactly what tests, benchmarks, examples and scripts use', () => {
    // What a user may install or not is there for the tests.
    const used = new Set([...packagesUnder('test', 'bench', 'examples'), ...Object.keys(manifest.peerDependencies)])
    for (const name of [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]) used.delete(name)
    const scripts = Object.values(manifest.scripts).join(' && ')
    for (const [program, name] of Object.entries(programs)) if (new RegExp(`\\b${program}\\b`).test(scripts)) used.add(name)
    // Types of what comes without.
    used.add('@types/node').add('@types/fs-ext')
    assert.deepEqual([...used].sort(), Object.keys(manifest.devDependencies).sort())
  })

  test('has the ten commands, and each program that they start is there', () => {
    const compiled = 'npm run build && tsc && node'
    const { scripts } = manifest
    assert.deepEqual(scripts, {
      build: 'tsc -p tsconfig.build.json',
      typecheck: 'tsc --noEmit',
      lint: 'biome check .',
      format: 'biome check --write .',
      test: `${compiled} test/run.js quick`,
      'test:crash': `${compiled} test/run.js crash`,
      'test:interop': `${compiled} test/run.js interop`,
      fuzz: `${compiled} build/test/fuzz/main.js`,
      bench: `${compiled} build/bench/main.js`,
      start: `${compiled} build/examples/flights/main.js`,
    })
    const started = Object.values(scripts).flatMap((script) => [...script.matchAll(/node (\S+\.js)/g)].map(([, file]) => file!))
    const files = [...started, ...Object.values(manifest.bin)].map((file) =>
      file.replace(/^build\//, '').replace(/^(\.\/)?dist\//, 'lib/'),
    )
    const missing = files.filter((file) => !existsSync(join(root, file)) && !existsSync(join(root, file.replace(/\.js$/, '.ts'))))
    assert.deepEqual(missing, [])
  })

  test('is an Apache-2.0 library named mqlite for Node 20.19 and later, as ES modules', () => {
    const { name, license, type, engines } = manifest
    assert.deepEqual(
      { name, license, type, node: engines['node'] },
      { name: 'mqlite', license: 'Apache-2.0', type: 'module', node: '>=20.19' },
    )
    assert.match(readFileSync(join(root, 'LICENSE'), 'utf8'), /Apache License\s+Version 2\.0/)
  })

  test('and its lock file agree, and the change log has a chapter for the version', () => {
    const { packages } = readJson<{ packages: Record<string, Partial<Package>> }>('package-lock.json')
    for (const field of [
      'name',
      'version',
      'license',
      'engines',
      'dependencies',
      'devDependencies',
      'optionalDependencies',
    ] as const)
      assert.deepEqual(packages['']?.[field], manifest[field], field)
    const chapter =
      readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(`\n## ${manifest.version}\n`)[1]?.split('\n## ')[0] ?? ''
    const headings = [...chapter.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading)
    assert.deepEqual(headings, ['Safety and format', 'Features', 'Internals'])
  })

  test('has a lock file with an entry for every optional package, or npm ci refuses it elsewhere', () => {
    type Locked = { packages: Record<string, { optionalDependencies?: Record<string, string> }> }
    const { packages } = readJson<Locked>('package-lock.json')
    const named = Object.values(packages).flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    const missing = named.filter((name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)))
    assert.deepEqual(missing, [])
  })
})
