/** The documents of `docs` say what the code does, where that can be compared. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { recoveryCases } from '../../lib/log/recovery-cases.js'
import { layoutOf } from '../../lib/store/layout.js'
import { differences, testClasses } from '../interop/rocketmq-test-list.js'
import { root } from '../support/source-tree.js'

const architecture = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
const testing = readFileSync(join(root, 'docs/testing.md'), 'utf8')
const format = readFileSync(join(root, 'docs/format.md'), 'utf8')

describe('docs/architecture.md', () => {
  test('has the decision table of recovery, row by row', () => {
    const rows = recoveryCases.map(({ found, durable, writer, action, why }) =>
      `| ${found} | ${durable === undefined ? '' : durable ? 'yes' : 'no'} | ${writer ?? ''} | ${action} | ${why} |`.replaceAll(
        / +/g,
        ' ',
      ),
    )
    const told = architecture.split('\n').filter((line) => /^\| (end|hole|damage) \|/.test(line))
    assert.deepEqual(told, rows)
  })

  test('and docs/format.md name every file that the store keeps under ext/', () => {
    const { ext, ...layout } = layoutOf('.')
    const names = Object.values(layout)
      .filter((path) => path.startsWith(`${ext}/`))
      .map((path) => path.slice(2))
    assert.ok(names.length >= 8)
    for (const name of names) {
      assert.ok(architecture.includes(`\`${name}\``), name)
      assert.ok(format.includes(`\`${name}`), name)
    }
  })
})

describe('docs/testing.md', () => {
  test('names every proof family and every suite with RocketMQ', () => {
    for (const folder of ['crash', 'interop']) {
      const files = readdirSync(join(root, 'test', folder)).filter((file) => file.endsWith('.test.ts'))
      const missing = files.filter((file) => !testing.includes(`test/${folder}/${file.replace(/^codec-\w+/, 'codec-*')}`))
      assert.deepEqual(missing, [])
    }
  })
})

describe('docs/rocketmq-tests.md', () => {
  test("has a row for each class of RocketMQ's tests that runs here, and each test that differs with its reason", () => {
    const text = readFileSync(join(root, 'docs/rocketmq-tests.md'), 'utf8')
    const classes = [...text.matchAll(/^\| ([\w.]+IT) \|/gm)].map(([, name]) => name)
    assert.deepEqual(classes.sort(), [...testClasses].sort())
    for (const methods of Object.values(differences)) {
      for (const [method, reason] of Object.entries(methods)) assert.ok(text.includes(`| \`${method}\` | ${reason} |`), method)
    }
  })
})
