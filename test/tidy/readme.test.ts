/** The README and `docs/store.md` say what the code does: their programs run, and their tables are those of the code. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Node } from 'typescript/unstable/ast'
import { errorCodes } from '../../lib/base/errors.js'
import { exitCodes } from '../../lib/cli/command.js'
import { defaultSizes, resolveOptions, type StoreOptions } from '../../lib/store/options.js'
import { hasModifier, readSources, root, SyntaxKind } from '../support/source-tree.js'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const aboutStore = readFileSync(join(root, 'docs/store.md'), 'utf8')
const programs = programsOf(`${readme}\n${aboutStore}`)
const programsOfBroker = programsOf(
  ['broker', 'server'].map((name) => readFileSync(join(root, `docs/${name}.md`), 'utf8')).join('\n'),
)

/** What the parts of programs in docs/broker.md take as given: they go on from the first, or call the reader's own code. */
const given = `
import { Broker } from 'mqlite'
declare const broker: Broker
declare function isPaid(key: string | undefined): Promise<boolean>
declare function pay(key: string): Promise<void>
`

function programsOf(page: string): string[] {
  return [...page.matchAll(/^```(?:ts|js|typescript|javascript)\n([\s\S]*?)^```$/gm)].map(([, text]) => text!)
}

/** Rows of the tables under a heading, cells without the backquotes around them. */
function rowsUnder(heading: string, text = readme): string[][] {
  const level = /^#+/.exec(heading)![0]
  const chapter = text.split(`\n${heading}\n`)[1]?.split(new RegExp(`\\n#{1,${level.length}} `))[0]
  assert.ok(chapter !== undefined, `no heading ${heading}`)
  const lines = chapter.split('\n').filter((line) => line.startsWith('|') && !/^\|[-| ]+\|$/.test(line))
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  )
}

/** The members of an interface in the sources, with their comments. */
function membersOf(path: string, name: string): { name: string; comment: string }[] {
  const source = sources.find((candidate) => candidate.path === path)!
  const node = source.tree.statements.find(
    (statement) =>
      hasModifier(statement, SyntaxKind.ExportKeyword) && (statement as { name?: { text?: string } }).name?.text === name,
  ) as unknown as { members: readonly (Node & { name: { text: string } })[] }
  return [...node.members].map((member) => ({
    name: member.name.text,
    comment: source.text.slice(member.pos, member.getStart(source.tree)),
  }))
}

const sources = readSources()

describe('the programs of the README and of docs/store.md, docs/broker.md and docs/server.md', () => {
  test('of the first two run, each in a directory of its own, and print nothing to stderr', () => {
    assert.ok(programs.length >= 3)
    for (const program of programs) {
      const directory = mkdtempSync(join(tmpdir(), 'mqlite-readme-'))
      try {
        mkdirSync(join(directory, 'node_modules'))
        symlinkSync(root, join(directory, 'node_modules', 'mqlite'), 'dir')
        writeFileSync(join(directory, 'program.mjs'), program)
        const { status, stdout, stderr } = spawnSync(process.execPath, ['program.mjs'], {
          cwd: directory,
          encoding: 'utf8',
          timeout: 60_000,
        })
        assert.equal(status, 0, `${stderr}\n${program}`)
        assert.equal(stderr, '')
        assert.notEqual(stdout, '')
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }
  })

  test('compile, as a strict project that uses the package compiles them', () => {
    const directory = mkdtempSync(join(tmpdir(), 'mqlite-readme-'))
    try {
      mkdirSync(join(directory, 'node_modules', '@types'), { recursive: true })
      symlinkSync(root, join(directory, 'node_modules', 'mqlite'), 'dir')
      symlinkSync(join(root, 'node_modules/@types/node'), join(directory, 'node_modules/@types/node'), 'dir')
      const all = [...programs, ...programsOfBroker]
      assert.ok(programsOfBroker.length >= 5)
      all.forEach((program, i) => {
        writeFileSync(join(directory, `program-${i}.mts`), program.includes('import ') ? program : given + program)
      })
      const strict = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, noEmit: true }
      const compilerOptions = { ...strict, module: 'NodeNext', target: 'ES2022', types: ['node'] }
      writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
      const tsc = join(root, 'node_modules/typescript/bin/tsc')
      const { status, stdout } = spawnSync(process.execPath, [tsc], { cwd: directory, encoding: 'utf8', timeout: 60_000 })
      assert.equal(status, 0, stdout)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  test('begin with examples/quick-start.ts, word for word', () => {
    assert.equal(programs[0], readFileSync(join(root, 'examples/quick-start.ts'), 'utf8'))
  })
})

describe('the first screen of the README', () => {
  test('has both commands', () => {
    const screen = readme.split('\n').slice(0, 20).join('\n')
    assert.match(screen, /npm ci && npm start/)
    assert.match(screen, /npm ci && npm test/)
  })
})

describe('the options of the README', () => {
  const groups = [
    { prefix: '', members: membersOf('lib/store/options.ts', 'StoreOptions') },
    { prefix: 'index.', members: membersOf('lib/store/options.ts', 'IndexOptions') },
    { prefix: 'disk.', members: membersOf('lib/store/options.ts', 'DiskOptions') },
    { prefix: 'replication.', members: membersOf('lib/store/options.ts', 'ReplicationOptions') },
  ]
  const holders = ['index', 'disk', 'replication']
  const declared = groups.flatMap(({ prefix, members }) =>
    members
      .filter(({ name }) => prefix !== '' || !holders.includes(name))
      .map(({ name, comment }) => ({ name: prefix + name, preset: /@default (.*?) *(?:\*\/|$)/m.exec(comment)?.[1] ?? 'none' })),
  )
  const listed = rowsUnder('## Options').filter(([name]) => name !== 'option')

  test('are those of the code, with the same defaults, and at most thirty and their groups', () => {
    const told = listed.map(([name, preset]) => ({ name, preset }))
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }): number => (a.name! < b.name! ? -1 : 1)
    assert.deepEqual(told.toSorted(byName), declared.toSorted(byName))
    assert.ok(groups[0]!.members.length <= 30)
  })

  test('have the defaults that an option left out really has', () => {
    const sizes: Readonly<Record<string, number>> = {
      segmentBytes: defaultSizes.segmentBytes,
      queueSegmentEntries: defaultSizes.queueSegmentEntries,
      'index.slots': defaultSizes.indexSlots,
      'index.entries': defaultSizes.indexEntries,
    }
    for (const { name, preset } of declared.filter((option) => option.preset !== 'none')) {
      const value = presetOf(preset)
      if (name in sizes) {
        assert.equal(value, sizes[name], name)
        continue
      }
      const [first, second] = name.split('.')
      const given = second === undefined ? { [first!]: value } : { [first!]: { [second]: value } }
      assert.deepEqual(resolveOptions(given as StoreOptions), resolveOptions(), name)
    }
  })

  test('say what each does', () => {
    for (const [name, , effect] of listed) assert.ok((effect ?? '').length > 10, name)
  })
})

describe('the tables of the README and of docs/store.md', () => {
  test('have every error of the code, with its meaning and reaction', () => {
    const told = rowsUnder('## Errors').filter(([code]) => code !== 'code')
    const coded = Object.entries(errorCodes).map(([code, { meaning, reaction }]) => [code, meaning, reaction])
    assert.deepEqual(told, coded)
  })

  test('name for every promise, of either kind of store, a test that is there', () => {
    const [head, ...rows] = rowsUnder('## Promises')
    assert.deepEqual(head, ['event', "flush: 'async'", "flush: 'sync'"])
    assert.ok(rows.length >= 6)
    for (const [event, ...cells] of rows) {
      assert.equal(cells.length, 2)
      for (const cell of cells) {
        const named = [...cell.matchAll(/`(test\/[\w/-]+\.test\.ts)`/g)].map(([, file]) => file!)
        assert.ok(named.length > 0, `${event}: ${cell}`)
        for (const file of named) assert.ok(existsSync(join(root, file)), file)
      }
    }
  })

  test('have every exit code of the command line', () => {
    const told = rowsUnder('## The command line').filter(([code]) => code !== 'code')
    const coded = Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning])
    assert.deepEqual(told, coded)
  })

  test('have every event of a store', () => {
    const told = rowsUnder('## Events', aboutStore).map(([name]) => name)
    const coded = membersOf('lib/store/state.ts', 'StoreEvents').map(({ name }) => name)
    assert.deepEqual(told.slice(1), coded)
  })

  test('have every status of a get', () => {
    const told = rowsUnder('## Reading', aboutStore).map(([name]) => name!)
    const { text } = sources.find(({ path }) => path === 'lib/store/message.ts')!
    const union = /export type GetStatus =([\s\S]*?)\n\n/.exec(text)![1]!
    const coded = [...union.matchAll(/'(\w+)'/g)].map(([, status]) => status!)
    assert.deepEqual(told.filter((name) => /^[A-Z_]+$/.test(name)).sort(), coded.sort())
  })
})

/** The value that a default in a comment stands for: `500`, `4 MiB`, `'async'`, `true`. */
function presetOf(preset: string): unknown {
  const size = /^([\d,.]+)(?: (MiB|GiB))?$/.exec(preset)
  if (size !== null)
    return Number(size[1]!.replaceAll(',', '')) * (size[2] === 'GiB' ? 1024 ** 3 : size[2] === 'MiB' ? 1024 ** 2 : 1)
  return preset.startsWith("'") ? preset.slice(1, -1) : JSON.parse(preset)
}
