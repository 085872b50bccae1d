/** The commands on real directories: what they print, for people and for programs, and how they end. */
import assert from 'node:assert/strict'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { inspectCommand } from '../../lib/cli/inspect.js'
import { repairCommand } from '../../lib/cli/repair.js'
import { tailCommand } from '../../lib/cli/tail.js'
import { verifyCommand } from '../../lib/cli/verify.js'
import { MessageStore, type PutReceipt } from '../../lib/index.js'
import { outcomeOf, runHere as run, run as runThere, startInto, start as startThere, temporary } from '../support/command-line.js'
import { putMany, smallSizes } from '../support/small-store.js'

/** A closed store of 300 messages in a directory. */
async function storeOnDisk(t: TestContext): Promise<{ directory: string; receipts: PutReceipt[] }> {
  const directory = temporary(t)
  const store = await MessageStore.open(directory, smallSizes)
  const receipts = await putMany(store, 0, 300)
  await store.close()
  return { directory, receipts }
}

function damage(directory: string, { commitLogOffset, size }: PutReceipt): void {
  const { segmentBytes } = smallSizes
  const start = commitLogOffset - (commitLogOffset % segmentBytes)
  const path = join(directory, 'commitlog', String(start).padStart(20, '0'))
  const bytes = readFileSync(path)
  bytes[(commitLogOffset % segmentBytes) + (size >> 1)]! ^= 4
  writeFileSync(path, bytes)
}

/** All files with their bytes, but for the locks, which an attempt to open creates. */
function contentOf(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).sort()
  return new Map(paths.map((path) => [path, readFileSync(path).toString('base64')]))
}

const isOneLine = (text: string): boolean => /^mqlite: [^\n]+\n$/.test(text)

test('help and version go to standard output and end with 0', async () => {
  const help = await run('--help')
  assert.deepEqual([help.code, help.error], [0, ''])
  for (const word of ['inspect', 'verify', 'repair', 'tail', '130']) assert.match(help.out, new RegExp(word))
  for (const command of ['inspect', 'verify', 'repair', 'tail']) {
    const { code, out } = await run(command, '--help')
    assert.equal(code, 0)
    assert.match(out, new RegExp(`^usage: mqlite ${command} DIR`))
    assert.equal((await run('help', command)).out, out)
  }
  // The built one, in a process of its own.
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  assert.equal((await runThere('--version')).out, `${version}\n`)
  assert.equal((await runThere('verify')).code, 2)
  assert.equal((await runThere('--help')).out, help.out)
})

test('the help of a command names each of its options, and each command refuses others with 2', async (t) => {
  const { directory } = await storeOnDisk(t)
  const options = { inspect: inspectCommand, verify: verifyCommand, repair: repairCommand, tail: tailCommand }
  for (const [command, { help, options: known }] of Object.entries(options)) {
    for (const name of Object.keys(known)) assert.ok(name === 'help' || help.includes(`--${name}`), `${command} --${name}`)
    const { code, out, error } = await run(command, directory, '--no-such-option', '5')
    assert.deepEqual([code, out], [2, ''])
    assert.match(error, /--no-such-option/)
  }
})

test('wrong usage ends with 2 and one line that names the value and what was expected', async (t) => {
  const { directory } = await storeOnDisk(t)
  const cases: [string[], RegExp][] = [
    [[], /a command is missing/],
    [['look'], /no command "look"; there are inspect, verify, repair, tail/],
    [['help', 'look'], /no command "look"; there are inspect/],
    [['--look'], /no command "--look"/],
    [['verify'], /the directory of a store is missing/],
    [['serve', ''], /the directory of a store is missing/],
    [['verify', directory, 'more'], /unexpected argument "more"/],
    [['verify', directory, '--deep'], /--deep/],
    [['inspect', directory, 'logs'], /no part "logs"; there are log, queue, index, checkpoint/],
    [['inspect', directory, 'log', '--limit', 'many'], /--limit must be a whole number from 1 to 100000, got "many"/],
    [['inspect', directory, 'log', '--from', '-1'], /--from/],
    [['inspect', directory, 'log', '--topic', 'plain'], /--topic is no option of log/],
    [['inspect', directory, 'checkpoint', '--from', '4'], /--from is no option of checkpoint/],
    [['inspect', directory, '--file', 'x'], /--file is no option of the overview/],
    [['inspect', directory, 'queue', '--queue', '1'], /--queue needs --topic/],
    [['inspect', directory, 'queue', '--topic', 'none'], /no topic "none"; there are plain, topic-0/],
    [['inspect', directory, 'queue', '--topic', 'plain', '--queue', '7'], /no queue 7 of topic "plain"; there is 0 \(/],
    [['inspect', directory, 'index', '--file', 'x'], /no index file x; there are 2/],
    [['inspect', directory, 'index', '--index-slots', '51'], /--index-slots 51 does not fit/],
    [['tail', directory], /the topic is missing/],
    [['tail', directory, 'none'], /no topic "none"; there are plain, topic-0/],
    [['tail', directory, 'topic-1', '--queue', '9'], /no queue 9 of topic "topic-1"; there are 0, 1 \(/],
    [['tail', directory, 'plain', '--limt', '5'], /unknown option --limt; did you mean --limit\? \(/],
    [['tail', directory, 'plain', '-x'], /unknown option -x \(/],
    [['tail', directory, 'plain', '--limit'], /--limit needs a value \(/],
    [['tail', directory, 'plain', '--follow=5'], /--follow takes no value, got "5"/],
    [['tail', directory, 'plain', '--tags', ' || '], /--tags: tags must be/],
  ]
  for (const [line, expected] of cases) {
    const { code, out, error } = await run(...line)
    assert.deepEqual([code, out], [2, ''], line.join(' '))
    assert.ok(isOneLine(error), error)
    assert.match(error, expected)
    assert.match(error, /see mqlite .*--help/)
  }
})

test('a directory that cannot be opened ends with 3 and one line', async (t) => {
  const root = temporary(t)
  mkdirSync(join(root, 'empty'))
  mkdirSync(join(root, 'other'))
  writeFileSync(join(root, 'other', 'letter.txt'), 'hello')
  writeFileSync(join(root, 'file'), '')
  for (const name of ['none', 'empty', 'other', 'file']) {
    for (const command of [['verify'], ['inspect'], ['repair'], ['tail']]) {
      const { code, out, error } = await run(...command, join(root, name), ...(command[0] === 'tail' ? ['t'] : []))
      assert.deepEqual([code, out], [3, ''], `${command} ${name}`)
      assert.ok(isOneLine(error), error)
      assert.match(error, /STORE_INCOMPATIBLE/)
    }
  }
  assert.deepEqual(readdirSync(join(root, 'empty')), [])
})

test('a repair that is refused leaves nothing in the directory', async (t) => {
  const root = temporary(t)
  const zeros = '0'.repeat(20)
  const others: Record<string, Record<string, string>> = {
    'a project with a config and an index': { 'config/main.json': '{}', 'index/index.html': '' },
    'a program that keeps checkpoints': { checkpoint: 'x', 'ext/a.c': '' },
    'a log of other files': { 'commitlog/readme': 'hello' },
    'a log of files of two lengths': { [`commitlog/${zeros}`]: 'x'.repeat(100), [`commitlog/${zeros.slice(3)}100`]: 'x' },
  }
  for (const [name, files] of Object.entries(others)) {
    const directory = join(root, name)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, dirname(path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    const { code, out, error } = await run('repair', directory)
    assert.deepEqual([code, out], [3, ''], name)
    assert.match(error, /STORE_INCOMPATIBLE/)
    const paths = Object.keys(files).map((path) => join(directory, path))
    assert.deepEqual([...contentOf(directory).keys()], paths.sort(), name)
    assert.equal(readdirSync(directory).includes('ext'), 'ext/a.c' in files, name)
  }
})

test('a reader that goes away does not change how a command ends', async (t) => {
  const { directory, receipts } = await storeOnDisk(t)
  const ends = async (...line: string[]): Promise<number | null> => {
    const child = startThere(...line)
    const ended = outcomeOf(child)
    child.stdout!.destroy()
    return (await ended).code
  }
  assert.deepEqual([await ends('verify', directory), await ends('inspect', directory, 'log', '--limit', '300')], [0, 0])
  for (const n of [10, 50, 100]) damage(directory, receipts[n]!)
  assert.equal(await ends('verify', directory), 1)
  assert.equal(await ends('verify', directory, '--json'), 1)
  assert.equal(await ends('inspect', directory, 'log', '--limit', '300'), 1)
  assert.equal(await ends('repair', directory, '--dry-run'), 1)
  assert.equal(await ends('repair', directory), 0)
  assert.equal(await ends('verify', join(directory, 'none')), 3)
})

test('output that cannot be written ends with 3', async (t) => {
  const { directory } = await storeOnDisk(t)
  const full = openSync('/dev/full', 'w')
  t.after(() => closeSync(full))
  const { code, error } = await outcomeOf(startInto(full, 'verify', directory))
  assert.equal(code, 3)
  assert.ok(isOneLine(error) && /output.*ENOSPC/.test(error), error)
})

test('verify tells a sound store from a damaged one, repair mends it, and a second repair has nothing to do', async (t) => {
  const { directory, receipts } = await storeOnDisk(t)
  const sound = await runThere('verify', directory)
  assert.deepEqual([sound.code, sound.error], [0, ''])
  assert.match(sound.out, /ok: nothing wrong in/)
  damage(directory, receipts[100]!)
  const before = contentOf(directory)
  const damaged = await runThere('verify', directory)
  assert.equal(damaged.code, 1)
  assert.match(damaged.out, /damage {2}recordDamaged: /)
  assert.match(damaged.out, new RegExp(`log ${receipts[100]!.commitLogOffset} to ${receipts[101]!.commitLogOffset}`))
  const json = JSON.parse((await run('verify', directory, '--json')).out) as { ok: boolean; findings: { kind: string }[] }
  assert.deepEqual([json.ok, json.findings.map(({ kind }) => kind)], [false, ['recordDamaged']])
  const dry = await run('repair', directory, '--dry-run')
  assert.equal(dry.code, 1)
  assert.match(dry.out, /would be filled with 1 stand-ins/)
  assert.deepEqual(contentOf(directory), before)
  const repaired = await run('repair', directory)
  assert.deepEqual([repaired.code, repaired.error], [0, ''])
  assert.match(repaired.out, /kept as ext\/damaged-/)
  assert.match(repaired.out, /lost {2}plain\/0 offset 13, 116 bytes/)
  assert.equal((await run('verify', directory)).code, 0)
  const again = await run('repair', directory, '--json')
  assert.equal(again.code, 0)
  const report = JSON.parse(again.out) as { changed: boolean; ranges: unknown[] }
  assert.deepEqual([report.changed, report.ranges], [false, []])
})

test('while a store is in use repair ends with 3, and the others work beside it', async (t) => {
  const { directory } = await storeOnDisk(t)
  const store = await MessageStore.open(directory, smallSizes)
  await putMany(store, 300, 350)
  const refused = await runThere('repair', directory)
  assert.equal(refused.code, 3)
  assert.match(refused.error, /STORE_LOCKED/)
  const verified = JSON.parse((await run('verify', directory, '--json')).out) as { ok: boolean; log: { records: number } }
  assert.deepEqual([verified.ok, verified.log.records], [true, 350])
  const listed = JSON.parse((await run('inspect', directory, '--json')).out) as { log: { origin: string } }
  assert.equal(listed.log.origin, 'crash')
  assert.match((await run('tail', directory, 'topic-1', '--limit', '1')).out, /message 349/)
  await store.close()
})

test('reading commands change no byte', async (t) => {
  const { directory } = await storeOnDisk(t)
  const before = contentOf(directory)
  for (const line of [['verify'], ['inspect'], ['repair', '--dry-run'], ['tail', 'plain']]) {
    const [command = '', ...rest] = line
    assert.equal((await run(command, directory, ...rest)).code, 0)
  }
  for (const part of ['log', 'queue', 'index', 'checkpoint']) assert.equal((await run('inspect', directory, part)).code, 0)
  assert.deepEqual(contentOf(directory), before)
})

test('inspect log pages through every record, and shows damage', async (t) => {
  const { directory, receipts } = await storeOnDisk(t)
  damage(directory, receipts[50]!)
  type Page = {
    rows: { kind: string; commitLogOffset: number; size: number; topic?: string; queueOffset?: number }[]
    next?: number
  }
  const seen: Page['rows'] = []
  for (let from: number | undefined = 0; from !== undefined; ) {
    const { code, out } = await run('inspect', directory, 'log', '--json', '--from', String(from), '--limit', '70')
    const page = JSON.parse(out) as Page
    assert.equal(code, page.rows.some(({ kind }) => kind === 'damaged') ? 1 : 0)
    seen.push(...page.rows)
    from = page.next
  }
  const records = seen.filter(({ kind }) => kind === 'record').map((row) => row.commitLogOffset)
  assert.deepEqual(
    records,
    receipts.filter((_, n) => n !== 50).map(({ commitLogOffset }) => commitLogOffset),
  )
  const damaged = seen.filter(({ kind }) => kind === 'damaged')
  assert.deepEqual(
    damaged.map(({ commitLogOffset, size }) => [commitLogOffset, size]),
    [[receipts[50]!.commitLogOffset, receipts[50]!.size]],
  )
  assert.ok(seen.some(({ kind }) => kind === 'blank'))
  const table = await run('inspect', directory, 'log', '--from', String(receipts[3]!.commitLogOffset - 1), '--limit', '2')
  assert.equal(table.code, 0)
  assert.match(table.out, /skipped: /)
  assert.match(table.out, /go on with --from/)
})

test('inspect queue, index and checkpoint decode what the files hold', async (t) => {
  const { directory, receipts } = await storeOnDisk(t)
  const queues = JSON.parse((await run('inspect', directory, 'queue', '--json')).out) as {
    queues: { topic: string; maxOffset: number }[]
  }
  assert.equal(queues.queues.length, 7)
  const plain = receipts.filter(({ topic }) => topic === 'plain')
  const page = await run('inspect', directory, 'queue', '--topic', 'plain', '--from', '5', '--limit', '3', '--json')
  const { entries, next } = JSON.parse(page.out) as { entries: { queueOffset: number; commitLogOffset: number }[]; next: number }
  assert.deepEqual(
    entries.map(({ queueOffset, commitLogOffset }) => [queueOffset, commitLogOffset]),
    plain.slice(5, 8).map(({ queueOffset, commitLogOffset }) => [queueOffset, commitLogOffset]),
  )
  assert.equal(next, 8)
  const index = JSON.parse((await run('inspect', directory, 'index', '--json')).out) as {
    files: { name: string; slots: number; entries: number }[]
  }
  assert.deepEqual(
    index.files.map(({ slots, entries }) => [slots, entries]),
    Array(2).fill([50, 200]),
  )
  const rows = await run('inspect', directory, 'index', '--file', index.files[0]!.name, '--limit', '1000', '--json')
  const found = JSON.parse(rows.out) as { entries: { commitLogOffset: number }[]; header: { indexCount: number } }
  assert.equal(found.entries.length, found.header.indexCount - 1)
  const addresses = new Set(receipts.map(({ commitLogOffset }) => commitLogOffset))
  assert.ok(found.entries.every(({ commitLogOffset }) => addresses.has(commitLogOffset)))
  const checkpoint = JSON.parse((await run('inspect', directory, 'checkpoint', '--json')).out) as {
    checkpoint: { physicMsgTimestamp: number }
    marks: { clean: { logEnd: number } }
  }
  const last = receipts.at(-1)!
  assert.equal(checkpoint.checkpoint.physicMsgTimestamp, last.storeTimestamp)
  assert.equal(checkpoint.marks.clean.logEnd, last.commitLogOffset + last.size)
  for (const part of ['queue', 'index', 'checkpoint']) assert.ok((await run('inspect', directory, part)).out.length > 100)
})

test('an index whose division cannot be told is left out of verify, and repair asks for it', async (t) => {
  const { directory } = await storeOnDisk(t)
  for (const name of readdirSync(join(directory, 'index'))) {
    const path = join(directory, 'index', name)
    const bytes = readFileSync(path)
    bytes.fill(0, 16, 40)
    writeFileSync(path, bytes)
  }
  const verified = await run('verify', directory)
  assert.match(verified.out, /index {3}not checked: give --index-slots/)
  const refused = await run('repair', directory)
  assert.equal(refused.code, 3)
  assert.match(refused.error, /give --index-slots/)
  const told = await run('repair', directory, '--index-slots', '50')
  assert.equal(told.code, 0)
  assert.match(told.out, /queues and index were made anew/)
})

test('messages are printed without their control characters', async (t) => {
  const directory = temporary(t)
  const store = await MessageStore.open(directory, smallSizes)
  await store.put({ topic: 'plain', body: 'a\u001b[2Jb\nc', tags: 'x\u0007y' })
  await store.put({ topic: 'plain', body: Buffer.from([0xff, 0xfe, 0x01]) })
  await store.close()
  const { out } = await run('tail', directory, 'plain')
  assert.match(out, /tags=x\.y {2}a\.\[2Jb\.c\n/)
  assert.match(out, /3 bytes: fffe01\n/)
  const lines = (await run('tail', directory, 'plain', '--json')).out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { body: string; bodyText?: string })
  assert.deepEqual(
    lines.map(({ bodyText }) => bodyText),
    ['a\u001b[2Jb\nc', undefined],
  )
})

test('verify says of a store without messages that there are none', async (t) => {
  const directory = temporary(t)
  const store = await MessageStore.open(directory)
  await store.close()
  const { code, out } = await run('verify', directory)
  assert.equal(code, 0)
  assert.match(out, /\nok: no messages, nothing wrong in [0-9.]+ s\n$/)
})
