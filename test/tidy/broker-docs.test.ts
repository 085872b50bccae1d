/** docs/broker.md says what the code does: its program runs, and its tables are those of the code. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Groups } from '../../lib/broker/config/groups.js'
import { Topics } from '../../lib/broker/config/topics.js'
import { brokerErrorCodes } from '../../lib/broker/errors.js'
import { brokerEvents } from '../../lib/broker/parts.js'
import { MAX_BATCH_MESSAGES } from '../../lib/broker/sending/sender.js'
import { inDirectory } from '../support/scratch.js'
import { readSources, root } from '../support/source-tree.js'

const page = readFileSync(join(root, 'docs/broker.md'), 'utf8')

/** The rows of the table under a heading, cells without the backquotes around them. */
function rowsUnder(heading: string): string[][] {
  const chapter = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0]
  assert.ok(chapter !== undefined, `no heading ${heading}`)
  const lines = chapter.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  )
}

describe('docs/broker.md', () => {
  test('has a program that runs and prints nothing to stderr', async () => {
    const [, program] = /^```ts\n([\s\S]*?)^```$/m.exec(page)!
    await inDirectory('broker-docs', async (directory) => {
      mkdirSync(join(directory, 'node_modules'))
      symlinkSync(root, join(directory, 'node_modules', 'mqlite'), 'dir')
      writeFileSync(join(directory, 'program.mjs'), program!)
      const options = { cwd: directory, encoding: 'utf8', timeout: 60_000 } as const
      const { status, stdout, stderr } = spawnSync(process.execPath, ['program.mjs'], options)
      assert.equal(stderr, '')
      assert.equal(status, 0)
      assert.equal(stdout, 'two cups of tea attempt 1\n')
    })
  })

  test('lists the error codes of the broker with what they mean', () => {
    const told = rowsUnder('Errors')
    const known = Object.entries(brokerErrorCodes).map(([code, { reaction, meaning }]) => [code, reaction, meaning])
    assert.deepEqual(
      told,
      known.map((row) => row.map((cell) => cell.replaceAll('|', '\\|'))),
    )
  })

  test('says how many messages a batch has at most', () => {
    const most = /a batch has at\s+most ([\d,]+) messages/.exec(page)?.[1]
    assert.equal(most, MAX_BATCH_MESSAGES.toLocaleString('en-US'))
  })

  test('lists the events of the broker', () => {
    assert.deepEqual(
      rowsUnder('Events')
        .map(([name]) => name)
        .toSorted(),
      Object.keys(brokerEvents).toSorted(),
    )
  })

  test('names methods of topics and groups that there are, and leaves out only what is for other brokers and clients', () => {
    const told = new Set([...page.matchAll(/`((?:topics|groups)\.\w+)\(/g)].map(([, name]) => name!))
    const own = (of: string, { prototype }: { prototype: object }): string[] =>
      Object.entries(Object.getOwnPropertyDescriptors(prototype))
        .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
        .map(([name]) => `${of}.${name}`)
    const inside = ['put', 'forSending', 'forClient', 'retryTopic', 'deadLetterTopic', 'ensure', 'writeOnce']
    const insideGroups = ['put', 'forConsuming', 'checkForConsuming', 'whenMade', 'isForbidden', 'keepWhile', 'writeOnce']
    const hidden = new Set([...inside.map((name) => `topics.${name}`), ...insideGroups.map((name) => `groups.${name}`)])
    const all = [...own('topics', Topics), ...own('groups', Groups)]
    assert.deepEqual([...told].toSorted(), all.filter((name) => !hidden.has(name)).toSorted())
  })

  for (const [heading, file, type] of [
    ['Options', 'lib/broker/broker-options.ts', 'BrokerOptions'],
    ['Options of consumers', 'lib/broker/consuming/consumer-options.ts', 'ConsumerOptions'],
  ] as const) {
    test(`lists the fields of ${type}`, () => {
      const source = readSources().find(({ path }) => path === file)!
      const declared = new RegExp(`export interface ${type} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source.text)![1]!
      const names = [...declared.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name!)
      const told = rowsUnder(heading).map(([name]) => name)
      assert.deepEqual(told.toSorted(), names.toSorted())
    })
  }
})
