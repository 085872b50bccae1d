/** The benchmarks run, on a small amount of work, and write what they promise. No figure decides. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { median, shown } from '../../bench/report.js'

const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url))

interface Report {
  readonly machine: { readonly cores: number }
  readonly versions: { readonly node: string; readonly java: string | null }
  readonly rows: { suite: string; title: string; columns: Record<string, { median: number; rounds: number[] }> }[]
}

test('named suites are measured, every round stands in the JSON, and no file is left over', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-bench-test-'))
  try {
    const json = join(directory, 'results', 'out.json')
    const small = ['--quick', '--no-java', '--messages', '2000', '--round-ms', '10', '--dir', directory, '--json', json]
    const names = ['async', 'read', 'open']
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...names, ...small], { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
    assert.match(stdout, /put, async, 64 in flight/)
    const { machine, versions, rows } = JSON.parse(readFileSync(json, 'utf8')) as Report
    assert.ok(machine.cores > 0)
    assert.deepEqual(versions, { node: process.version, java: null })
    assert.deepEqual([...new Set(rows.map(({ suite }) => suite))], names)
    for (const { title, columns } of rows) {
      for (const [column, { median: middle, rounds }] of Object.entries(columns)) {
        assert.equal(rounds.length, 3, `${title}, ${column}`)
        assert.ok(middle > 0, `${title}, ${column}`)
      }
    }
    assert.deepEqual(readdirSync(directory), ['results'])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a suite that does not exist is refused, with the names of those that do', () => {
  const { status, stderr } = spawnSync(process.execPath, [main, 'speed'], { encoding: 'utf8' })
  assert.notEqual(status, 0)
  assert.match(stderr, /unknown suite speed; there are async, sync/)
})

test('the median of an even number of rounds is the lower one of the middle two', () => {
  assert.equal(median([5, 1, 3]), 3)
  assert.equal(median([4, 1, 3, 2]), 2)
  assert.equal(median([]), undefined)
})

test('figures show three digits that count', () => {
  assert.deepEqual([1_234_567, 12_345, 123.4, 4.567, 0, undefined].map(shown), ['1,230,000', '12,300', '123', '4.57', '0', '-'])
})
