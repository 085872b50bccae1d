/** `mqlite tail`: which messages, in which order, and what comes while it follows. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { passOver } from '../../lib/cli/tail-places.js'
import { DiskError } from '../../lib/disk/disk.js'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { Broker, MessageStore, MessageStoreError } from '../../lib/index.js'
import { outcomeOf, runHere as run, start, temporary } from '../support/command-line.js'
import { smallSizes } from '../support/small-store.js'

async function store(t: TestContext, count: number): Promise<{ directory: string; open: MessageStore }> {
  const directory = temporary(t, () => open.close())
  const open = await MessageStore.open(directory, smallSizes)
  await put(open, 0, count)
  return { directory, open }
}

async function put(open: MessageStore, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++)
    await open.put({ topic: 'orders', queueId: n % 3, body: `n${n}`, tags: n % 10 === 0 ? 'rare' : 'usual' })
}

/** The numbers of the messages that were printed. */
const numbersIn = (out: string): number[] => [...out.matchAll(/n([0-9]+)\n/g)].map(([, n]) => Number(n))
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

test('without options the last ten are printed, in the order of the log over all queues', async (t) => {
  const { directory } = await store(t, 100)
  const { code, out } = await run('tail', directory, 'orders')
  assert.equal(code, 0)
  assert.deepEqual(numbersIn(out), range(90, 100))
  assert.deepEqual(numbersIn((await run('tail', directory, 'orders', '--limit', '25')).out), range(75, 100))
  assert.deepEqual(numbersIn((await run('tail', directory, 'orders', '--limit', '0')).out), [])
})

test('from an offset on, all queues are merged; a queue, tags and a limit choose', async (t) => {
  const { directory } = await store(t, 200)
  const tail = async (...options: string[]): Promise<number[]> =>
    numbersIn((await run('tail', directory, 'orders', ...options)).out)
  assert.deepEqual(await tail('--from', '0'), range(0, 200))
  assert.deepEqual(await tail('--from', '10'), range(30, 200))
  assert.deepEqual(await tail('--from', '0', '--limit', '7'), range(0, 7))
  assert.deepEqual(
    await tail('--queue', '2', '--from', '60'),
    range(180, 200).filter((n) => n % 3 === 2),
  )
  assert.deepEqual(
    await tail('--tags', 'rare', '--from', '0'),
    range(0, 20).map((n) => n * 10),
  )
  assert.deepEqual(await tail('--tags', 'rare', '--limit', '4'), [160, 170, 180, 190])
  assert.deepEqual(await tail('--tags', 'none || never'), [])
  assert.deepEqual(await tail('--from', '1000'), [])
})

test('a topic that is there and has no messages is no error: that is said, and a follower waits for them', async (t) => {
  const directory = temporary(t, () => broker.close())
  const broker = await Broker.open(directory, { topics: { orders: { queues: 2 } }, store: smallSizes })
  const said = async (...options: string[]): Promise<unknown[]> => {
    const { code, out, error } = await run('tail', directory, ...options)
    return [code, out, error]
  }
  assert.deepEqual(await said('orders'), [0, '', 'mqlite: topic "orders" has no messages\n'])
  assert.deepEqual(await said('orders', '--from', '0', '--json'), [0, '', 'mqlite: topic "orders" has no messages\n'])
  assert.deepEqual(await said('orders', '--queue', '1'), [0, '', 'mqlite: queue 1 of topic "orders" has no messages\n'])
  for (const wrong of [['mail'], ['__proto__'], ['orders', '--queue', '2']])
    assert.equal((await said(...wrong))[0], 2, String(wrong))
  const child = start('tail', directory, 'orders', '--follow', '--from', '0', '--limit', '1')
  const ended = outcomeOf(child)
  await once(child.stderr!, 'data')
  await broker.send({ topic: 'orders', queueId: 0, body: 'n7' })
  const { code, out, error } = await ended
  assert.deepEqual([code, numbersIn(out), error], [0, [7], 'mqlite: topic "orders" has no messages yet\n'])
  assert.deepEqual(await said('orders', '--queue', '1'), [0, '', 'mqlite: queue 1 of topic "orders" has no messages\n'])
})

test('following prints what another process puts, until it is interrupted', async (t) => {
  const { directory, open } = await store(t, 30)
  const child = start('tail', directory, 'orders', '--follow', '--tags', 'rare')
  const ended = outcomeOf(child)
  let seen = ''
  const sees = (text: string): Promise<void> =>
    new Promise((resolve) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        seen += chunk.toString()
        if (seen.includes(text)) resolve()
      })
    })
  const first = sees('n20\n')
  await first
  const second = sees('n400\n')
  await put(open, 30, 401)
  await second
  child.kill('SIGINT')
  const { code, out, error } = await ended
  assert.deepEqual([code, error], [130, ''])
  assert.deepEqual(
    numbersIn(out),
    range(0, 41).map((n) => n * 10),
  )
})

test('following a topic that is not there yet waits for it', async (t) => {
  const { directory, open } = await store(t, 5)
  const child = start('tail', directory, 'later', '--follow', '--json')
  const line = new Promise<string>((resolve) => child.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString())))
  const ended = outcomeOf(child)
  await open.put({ topic: 'later', body: 'now' })
  assert.equal((JSON.parse(await line) as { bodyText: string }).bodyText, 'now')
  child.kill('SIGTERM')
  assert.equal((await ended).code, 130)
})

for (const [how, count] of [
  ['fewer', 3],
  ['as many', 6],
  ['more', 20],
] as const) {
  test(`following goes on with the first message of a topic that was deleted and made again with ${how} messages`, async (t) => {
    const { directory, open } = await store(t, 0)
    for (let n = 0; n < 6; n++) await open.put({ topic: 'again', body: `old${n}` })
    const child = start('tail', directory, 'again', '--follow', '--json', '--from', '4')
    const ended = outcomeOf(child)
    const seen: string[] = []
    const lines = createInterface({ input: child.stdout! })
    lines.on('line', (line) => seen.push((JSON.parse(line) as { bodyText: string }).bodyText))
    const sees = async (text: string): Promise<void> => {
      while (!seen.includes(text)) await once(lines, 'line')
    }
    const before = sees('old6')
    await open.put({ topic: 'again', body: 'old6' })
    await before
    await open.deleteTopic('again')
    const after = sees(`new${count}`)
    for (let n = 0; n <= count; n++) await open.put({ topic: 'again', body: `new${n}` })
    await after
    child.kill('SIGINT')
    const { code, error } = await ended
    assert.equal(code, 130)
    assert.match(error, /^mqlite: again\/0 was deleted and made again: it goes on with the first message\n$/)
    assert.deepEqual(seen, ['old4', 'old5', 'old6', ...range(0, count + 1).map((n) => `new${n}`)])
  })
}

test('following ends with what the disk refuses, and tells it', async (t) => {
  const { directory, open } = await store(t, 5)
  await open.close()
  const child = start('tail', directory, 'orders', '--follow')
  const ended = outcomeOf(child)
  await once(child.stdout!, 'data')
  nodeDisk.rename(`${directory}/commitlog`, `${directory}/away`)
  nodeDisk.open(`${directory}/commitlog`, { create: true, write: true }).close()
  const { code, error } = await ended
  assert.equal(code, 3)
  assert.match(error, /^mqlite: \S+\/commitlog: a part of the path is no directory \(ENOTDIR, list\)\n$/)
})

test('only damage that is told later, and a file that has just gone, are no end of following', () => {
  const gone = new DiskError('ENOENT', 'open', 'f')
  for (const expected of [
    new MessageStoreError('STORE_CORRUPT', 'a record', { details: { nextOffset: 7 } }),
    new MessageStoreError('DISK_ERROR', 'gone', { cause: gone }),
    gone,
  ])
    assert.doesNotThrow(() => passOver(expected))
  for (const other of [
    new MessageStoreError('STORE_CORRUPT', 'a view'),
    new MessageStoreError('STORE_CLOSED', 'closed'),
    new MessageStoreError('DISK_ERROR', 'failed', { cause: new DiskError('EIO', 'read', 'f') }),
    new TypeError('a fault'),
  ])
    assert.throws(() => passOver(other), other)
})

test('a reader that goes away ends it without an error', async (t) => {
  const { directory } = await store(t, 3000)
  const child = start('tail', directory, 'orders', '--from', '0', '--json')
  const ended = outcomeOf(child)
  child.stdout!.once('data', () => child.stdout!.destroy())
  const { code, error } = await ended
  assert.deepEqual([code, error], [0, ''])
})

test('a reader that goes away while it follows ends it without an error', async (t) => {
  const { directory, open } = await store(t, 5)
  const child = start('tail', directory, 'orders', '--follow')
  const ended = outcomeOf(child)
  await once(child.stdout!, 'data')
  child.stdout!.destroy()
  await put(open, 5, 10)
  const { code, error } = await ended
  assert.deepEqual([code, error], [0, ''])
})

test('each signal that asks to end, a closed terminal among them, ends following with 130', async (t) => {
  const { directory } = await store(t, 5)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const child = start('tail', directory, 'orders', '--follow')
    const ended = outcomeOf(child)
    await once(child.stdout!, 'data')
    child.kill(signal)
    const { code, error } = await ended
    assert.deepEqual([code, error], [130, ''], signal)
  }
})

test('damaged messages are told on standard error and stepped over', async (t) => {
  const { directory, open } = await store(t, 50)
  const { messages } = await open.get({ topic: 'orders', queueId: 1, offset: 4, maxMessages: 1 })
  const { commitLogOffset } = messages[0]!
  await open.close()
  const file = nodeDisk.open(`${directory}/commitlog/${'0'.repeat(20)}`, { write: true })
  file.writeAt(Buffer.from([255]), commitLogOffset + 90)
  file.close()
  const { code, out, error } = await run('tail', directory, 'orders', '--from', '0')
  assert.equal(code, 1)
  assert.match(error, /^mqlite: orders\/1 offset 4: STORE_CORRUPT: [^\n]+\n$/)
  assert.deepEqual(
    numbersIn(out),
    range(0, 50).filter((n) => n !== 13),
  )
})
