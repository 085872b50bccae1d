/** docs/server.md shows what `mqlite serve` does: its start is run, its files are read, its tables are those of the code. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { serveCommand } from '../../lib/cli/serve.js'
import { serveSettings } from '../../lib/cli/serve-settings.js'
import { counterparts } from '../../lib/cli/settings/broker-conf.js'
import { givenSettings } from '../../lib/cli/settings/given.js'
import { settingsByName } from '../../lib/cli/settings/table.js'
import { outcomeOf, start } from '../support/command-line.js'
import { inDirectory } from '../support/scratch.js'
import { root } from '../support/source-tree.js'

const page = readFileSync(join(root, 'docs/server.md'), 'utf8')

function chapter(heading: string): string {
  const text = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0]
  assert.ok(text !== undefined, heading)
  return text
}

function withoutPorts(text: string): string {
  return text.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
}

describe('docs/server.md', () => {
  test('shows what a start prints', async () => {
    const [, line, shown] = /^ {4}mqlite (serve .*)\n\n```\n([\s\S]*?)^```$/m.exec(chapter('Starting it'))!
    const [, shownDirectory] = /serves (\S+)/.exec(shown!)!
    await inDirectory('server-docs', async (directory) => {
      const words = line!.split(' ').map((word) => (word === shownDirectory ? directory : word))
      const child = start(...words, '--port', '0', '--name-server-port', '0', '--log', 'text')
      const outcome = outcomeOf(child)
      child.stdout!.on('data', (chunk: Buffer) => chunk.includes('Ctrl+C') && child.kill('SIGTERM'))
      const { code, out } = await outcome
      assert.equal(code, 0)
      assert.ok(withoutPorts(out).replace(directory, shownDirectory!).startsWith(withoutPorts(shown!)), out)
    })
  })

  test('has a configuration file that can be used, and each name in it is of the table', () => {
    const [, text] = /^```json\n([\s\S]*?)^```$/m.exec(chapter('Settings'))!
    const given = givenSettings({ values: { config: 'c.json' }, environment: {}, readText: () => text! })
    const { broker, command } = serveSettings(given)
    assert.deepEqual([broker.store?.flush, command.http.port, command.directory], ['sync', 8080, 'data/broker'])
    assert.ok([...given.settings.values()].filter(({ from }) => from === 'c.json').length > 8)
  })

  test('names the properties of broker.conf that have a counterpart', () => {
    const told = [...chapter('Settings').matchAll(/^\| `(\w+)` \| `([\w.]+)` \|$/gm)].map(([, property, name]) => [
      property,
      name,
    ])
    assert.deepEqual(
      told,
      Object.entries(counterparts).map(([property, [name]]) => [property, name]),
    )
    for (const [, name] of told) assert.ok(settingsByName.has(name!), name)
  })

  test('names flags that there are', () => {
    const flags = [...page.matchAll(/--([a-z][a-z-]+)/g)].map(([, flag]) => flag!)
    assert.ok(flags.length > 15)
    assert.deepEqual(
      flags.filter((flag) => !Object.hasOwn(serveCommand.options, flag)),
      [],
    )
  })
})
