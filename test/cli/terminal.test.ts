/** What only a terminal shows: colours, the progress bar, lines cut to its width. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { errorWords } from '../../lib/cli/disk-words.js'
import { runLine } from '../../lib/cli/run.js'
import { writeTable } from '../../lib/cli/table.js'
import { type OutputStream, Terminal } from '../../lib/cli/terminal.js'
import { DiskError } from '../../lib/disk/disk.js'

class Stream implements OutputStream {
  readonly isTTY: boolean
  readonly columns = 30
  text = ''
  isFull = false
  #drain: (() => void)[] = []
  #error: ((error: Error & { code?: string }) => void) | undefined

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): boolean {
    this.text += text
    return !this.isFull
  }

  once(_event: 'drain', listener: () => void): void {
    this.#drain.push(listener)
  }

  on(_event: 'error', listener: (error: Error) => void): void {
    this.#error = listener
  }

  drain(): void {
    for (const listener of this.#drain.splice(0)) listener()
  }

  fail(code: string): void {
    this.#error?.(Object.assign(new Error(code), { code }))
  }
}

function terminalWith(isTTY: boolean, environment: Record<string, string> = {}) {
  const [out, error, stop] = [new Stream(isTTY), new Stream(isTTY), new AbortController()]
  let now = 0
  const clock = { now: () => now, monotonic: () => (now += 150) }
  return { terminal: new Terminal({ out, error, environment, clock, stop }), out, error, stop }
}

test('colours show on a terminal only, and not where NO_COLOR is set', () => {
  const painted = (isTTY: boolean, environment: Record<string, string>): string =>
    terminalWith(isTTY, environment).terminal.paint('red', 'x')
  assert.equal(painted(true, {}), '\u001b[31mx\u001b[0m')
  assert.equal(painted(true, { NO_COLOR: '' }), '\u001b[31mx\u001b[0m')
  assert.equal(painted(true, { NO_COLOR: '1' }), 'x')
  assert.equal(painted(true, { TERM: 'dumb' }), 'x')
  assert.equal(painted(false, {}), 'x')
})

test('progress is drawn on a terminal, after a while, on standard error, and wiped', () => {
  const { terminal, error, out } = terminalWith(true)
  const progress = terminal.progress()
  progress.show('log', 1, 4)
  assert.equal(error.text, '')
  for (let done = 1; done <= 4; done++) progress.show('log', done, 4)
  assert.match(error.text, /\rlog .*\[#+\.*\] +75 %/)
  progress.end()
  assert.match(error.text, /\r +\r$/)
  assert.equal(out.text, '')
  const piped = terminalWith(false)
  const silent = piped.terminal.progress()
  for (let done = 1; done <= 9; done++) silent.show('log', done, 9)
  silent.end()
  assert.equal(piped.error.text, '')
})

test('a table fits its terminal, and is whole in a file', async () => {
  const rows = [
    [1, 'short', 'x'.repeat(40)],
    [1000, 'longer', 'y'],
  ]
  const narrow = terminalWith(true, { NO_COLOR: '1' })
  await writeTable(narrow.terminal, ['n', 'name', 'text'], rows)
  const lines = narrow.out.text.trimEnd().split('\n')
  assert.deepEqual(lines, ['   n  name    text', `   1  short   ${'x'.repeat(15)}…`, '1000  longer  y'])
  const file = terminalWith(false)
  await writeTable(file.terminal, ['n', 'name', 'text'], rows)
  assert.ok(file.out.text.includes('x'.repeat(40)))
})

test('writing waits for a slow reader, and for none that has gone', async () => {
  const { terminal, out, stop } = terminalWith(false)
  out.isFull = true
  let isDone = false
  const writing = terminal.line('a').then(() => {
    isDone = true
  })
  await Promise.resolve()
  assert.equal(isDone, false)
  out.drain()
  await writing
  const waiting = terminal.line('b')
  out.fail('EPIPE')
  await waiting
  await terminal.line('c')
  assert.deepEqual([terminal.isGone, stop.signal.aborted, out.text], [true, true, 'a\nb\n'])
})

test('a terminal that was closed is a reader that has gone, and a file that cannot be written has failed', () => {
  for (const [isTTY, code, failed] of [
    [true, 'EIO', false],
    [true, 'EPIPE', false],
    [true, 'ENXIO', true],
    [false, 'EIO', true],
  ] as const) {
    const { terminal, out, stop } = terminalWith(isTTY)
    out.fail(code)
    assert.deepEqual([terminal.failure !== undefined, terminal.isGone, stop.signal.aborted], [failed, true, true], code)
  }
})

test('problems take one line', () => {
  const { terminal, error } = terminalWith(false)
  terminal.problem('first\n  second')
  assert.equal(error.text, 'mqlite: first second\n')
})

test('what the system refuses about a file is told in words, with the file', () => {
  for (const [error, words] of [
    [new DiskError('EACCES', 'makeDirectory', 'data/ext'), 'data/ext: this user may not do that (EACCES, makeDirectory)'],
    [new DiskError('EWHAT', 'list', 'data'), 'EWHAT: list data'],
    [
      new MessageStoreError('DISK_ERROR', 'no', { cause: new DiskError('ENOTDIR', 'makeDirectory', 'f/x') }),
      'f/x: a part of the path is no directory (ENOTDIR, makeDirectory)',
    ],
    [new MessageStoreError('STORE_LOCKED', 'd is in use by process 7'), 'STORE_LOCKED: d is in use by process 7'],
  ] as const)
    assert.equal(errorWords(error), words)
})

test('what Node itself refuses is a fault of ours, told with its stack to who sets MQLITE_DEBUG, and what the system refuses is not', async () => {
  for (const [code, environment, ends, says] of [
    ['ERR_INVALID_ARG_TYPE', {}, 70, /^mqlite: a fault of mqlite itself: no such thing\n$/],
    [
      'ERR_INVALID_ARG_TYPE',
      { MQLITE_DEBUG: '1' },
      70,
      /^mqlite: a fault of mqlite itself: no such thing\nTypeError: no such thing\n {4}at /,
    ],
    ['EIO', { MQLITE_DEBUG: '1' }, 3, /^mqlite: no such thing\n$/],
    [undefined, {}, 70, /^mqlite: a fault/],
  ] as const) {
    const { terminal, out, error } = terminalWith(false, environment)
    out.write = () => {
      throw Object.assign(new TypeError('no such thing'), code === undefined ? {} : { code })
    }
    assert.equal(await runLine(['--version'], terminal), ends)
    assert.match(error.text, says)
  }
})
