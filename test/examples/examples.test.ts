/** The examples run as programs of their own, from the built package, as a reader would run them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
const commandLine = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs an example with a temporary directory of its own, which is removed after `look` has seen it. */
function run(name: string, makeArguments: (directory: string) => string[], look: (directory: string) => void = () => {}): Ended {
  const temporary = mkdtempSync(join(tmpdir(), 'mqlite-examples-'))
  try {
    const env = { ...process.env, TMPDIR: temporary }
    const args = [join(examples, name), ...makeArguments(temporary)]
    const ended = spawnSync(process.execPath, args, { cwd: temporary, encoding: 'utf8', timeout: 120_000, env })
    if (ended.status === 0) look(temporary)
    return { code: ended.status, out: ended.stdout, err: ended.stderr }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

test('the demonstration with 20,000 flights kills its loader, recovers, proves every claim, and leaves a sound store', () => {
  const { code, out, err } = run(
    'flights/main.js',
    (directory) => [join(directory, 'store'), '--rows', '20000'],
    checkWithCommands,
  )
  assert.equal(code, 0, out + err)
  assert.equal(err, '')
  assert.match(out, /the store was left by +a crash of mqlite/)
  assert.match(out, /rows of the file are there once, exactly as sent +20,000 +20,000 +proved/)
  assert.doesNotMatch(out, /NOT PROVED|NOT EVERYTHING/)
})

/** The commands that the demonstration names, on the directory that it leaves. */
function checkWithCommands(directory: string): void {
  for (const command of ['inspect', 'verify']) {
    const args = [commandLine, command, join(directory, 'store')]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
  }
}

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

test('the work queue does every job once', () => {
  const { code, out, err } = run('work-queue.js', (directory) => [join(directory, 'store')])
  assert.equal(code, 0, out + err)
  assert.equal(err, '')
  assert.deepEqual(out.trim().split('\n'), ['done: resize a photo', 'done: send a mail', 'done: bill an order'])
})

test('the examples of the broker do what they say', () => {
  const said = {
    'ordered-prices.js': '560 prices of 5 symbols, 0 out of order',
    'dead-letters.js': '464 of 500 films rated\n36 dead letters driven again\n36 of them handled now',
    'payment-timeout.js': 'tea is paid, cake is cancelled',
    'transaction.js': 't-1: commit\nt-2: rollback\nt-3: commit\ntold: alice pays bob 30\ntold: alice pays bob 20',
    'outbox.js':
      'first run, which dies half way: {"told":100,"repeated":0}\nsecond run, from the beginning: {"told":100,"repeated":100}',
  }
  for (const [name, words] of Object.entries(said)) {
    const { code, out, err } = run(name, (directory) => [join(directory, 'store')])
    assert.deepEqual({ code, out: out.trim(), err }, { code: 0, out: words, err: '' }, name)
  }
})
