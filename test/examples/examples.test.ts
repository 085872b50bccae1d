/** The examples run as programs of their own, from the built package, as a reader would run them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))

/** Runs an example with a temporary directory of its own, which is removed afterwards. */
function run(name: string, makeArguments: (directory: string) => string[]): { code: number | null; out: string; err: string } {
  const temporary = mkdtempSync(join(tmpdir(), 'mqlite-examples-'))
  try {
    const options = { cwd: temporary, encoding: 'utf8', timeout: 120_000, env: { ...process.env, TMPDIR: temporary } } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(examples, name), ...makeArguments(temporary)], options)
    return { code: status, out: stdout, err: stderr }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

test('the demonstration with 20,000 flights kills its loader, recovers, and proves every claim', () => {
  const { code, out, err } = run('flights/main.js', () => ['--rows', '20000'])
  assert.equal(code, 0, out + err)
  assert.equal(err, '')
  assert.match(out, /the store was left by +a crash of mqlite/)
  assert.match(out, /rows of the file are there once, exactly as sent +20,000 +20,000 +proved/)
  assert.doesNotMatch(out, /NOT/)
})

test('the demonstration changes nothing in a directory that is not empty', () => {
  const { code, out, err } = run('flights/main.js', (directory) => {
    writeFileSync(join(directory, 'mine'), '')
    return [directory, '--rows', '20000']
  })
  assert.equal(code, 2)
  assert.equal(out, '')
  assert.match(err, /is not empty; nothing in it was changed/)
})

test('the demonstration names its usage when it is given wrong arguments', () => {
  for (const wrong of [
    ['--rows', 'many'],
    ['--rows', '10'],
    ['--row', '5'],
    ['a', 'b'],
  ]) {
    const { code, err } = run('flights/main.js', () => wrong)
    assert.equal(code, 2)
    assert.match(err, /usage: npm start/)
  }
})

for (const name of readdirSync(examples).filter((file) => file.endsWith('.js'))) {
  test(`the example ${name.slice(0, -3)} ends well and prints nothing to stderr`, () => {
    const { code, out, err } = run(name, () => [])
    assert.equal(code, 0, out + err)
    assert.equal(err, '')
    assert.notEqual(out, '')
  })
}
