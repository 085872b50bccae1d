/** Listeners that throw: what becomes of the operation that told them, and of what they threw. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inDirectory } from '../support/scratch.js'
import { root } from '../support/source-tree.js'

const library = pathToFileURL(join(root, 'build/lib/index.js')).href

/** Opens a broker, has every listener throw, works, closes; prints what came of it. */
const program = `
  import { Broker } from ${JSON.stringify(library)}
  const uncaught = []
  process.on('uncaughtException', ({ message }, origin) => uncaught.push(origin + ' ' + message))
  const broker = await Broker.open('data', { topics: { orders: { queues: 1 } } })
  const throwing = (name) => () => { throw new Error(name) }
  for (const name of ['queuePurged', 'closed']) broker.store.on(name, throwing('store ' + name))
  for (const name of ['sentBack', 'closed']) broker.on(name, throwing('broker ' + name))
  broker.topics.onChange(throwing('topics'))
  await broker.topics.create('other', { queues: 1 })
  await broker.send({ topic: 'other', body: 'x' })
  await broker.topics.delete('other')
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
  for (const name of ['assigned', 'failed']) consumer.on(name, throwing('consumer ' + name))
  const popper = broker.popConsumer({ group: 'p', subscribe: { orders: '*' } })
  popper.on('failed', throwing('popper failed'))
  const seen = []
  const count = 20
  const done = (body) => { if (seen.push(body) === 2 * count) { void consumer.close(); void popper.close() } }
  const handler = ({ body }) => {
    done(String(body))
    if (Number(body) % 5 === 0) throw new Error('refused')
  }
  const running = Promise.all([consumer.run(handler), popper.run(handler)])
  await Promise.all(Array.from({ length: count }, (_, i) => broker.send({ topic: 'orders', body: String(i) })))
  await running
  const left = broker.store.queues().map(({ topic }) => topic)
  await broker.close()
  await new Promise(setImmediate)
  const kinds = {}
  for (const one of uncaught) kinds[one] = (kinds[one] ?? 0) + 1
  console.log(JSON.stringify({ seen: new Set(seen).size, times: seen.length, other: left.includes('other'), kinds }))`

test('what listeners throw stops nothing, and is an uncaught exception of the process', async () => {
  await inDirectory('throwing-listeners', async (directory) => {
    const args = ['--input-type=module', '--eval', program]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', timeout: 60_000 })
    assert.deepEqual([status, stderr], [0, ''])
    const { kinds, ...rest } = JSON.parse(stdout) as { kinds: Record<string, number> }
    assert.deepEqual(rest, { seen: 20, times: 40, other: false })
    const names = ['broker closed', 'broker sentBack', 'consumer assigned', 'consumer failed', 'popper failed']
    const all = [...names, 'store closed', 'store queuePurged', 'topics']
    assert.deepEqual(
      Object.keys(kinds).sort(),
      all.map((name) => `uncaughtException ${name}`),
    )
    // Four of the messages failed, in each of the groups.
    for (const name of ['consumer failed', 'popper failed']) assert.equal(kinds[`uncaughtException ${name}`], 4, name)
    assert.equal(kinds['uncaughtException broker sentBack'], 8)
  })
})
