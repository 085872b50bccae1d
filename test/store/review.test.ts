/** What reviewers broke: each claim in its smallest form. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogChunk } from '../../lib/replication/log-feed.js'
import { bodies, code, freshDisk, open, openStore, readQueue, root } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

test('a purged queue keeps its place over a kill and the loss of the views, and no opening takes it for damage', async () => {
  const disk = new SimDisk()
  const store = await open(disk)
  for (let n = 0; n < 5; n++) await store.put({ topic: 'a', body: `${n}` })
  await store.flush()
  await store.purge('a')
  let state = disk.kill()
  for (let round = 0; round < 4; round++) {
    const again = await open(state)
    assert.equal(again.status, 'open')
    assert.deepEqual(again.bounds('a'), { minOffset: 5, maxOffset: 5 })
    await again.put({ topic: 'b', body: 'elsewhere' })
    await again.close()
    if (round === 1) state.remove(`${root}/ext/views`)
    state = state.kill()
  }
  const last = await open(state)
  assert.equal((await last.put({ topic: 'a', body: 'next' })).queueOffset, 5)
  assert.deepEqual(bodies(await readQueue(last, 'a')), ['next'])
  assert.ok((await last.verify()).ok)
  await last.close()
})

test('a replica shows what came before a bad piece, and goes on from there', async (t) => {
  const primary = await openStore(t, { options: { checksum: 'body' } })
  const second = await openStore(t, { options: { role: 'replica' } })
  for (let n = 0; n < 6; n++) await primary.put({ topic: 'a', body: `message ${n}` })
  const chunk = (await primary.replication.follow({ from: 0 }).next()).value as LogChunk
  const bytes = Buffer.from(chunk.bytes)
  const last = (await primary.get({ topic: 'a', offset: 5 })).messages[0]!.commitLogOffset
  bytes[last + 95]! ^= 1
  await assert.rejects(second.replication.apply({ ...chunk, bytes }), code('REPLICA_DIVERGED'))
  assert.equal((await readQueue(second, 'a')).length, 5)
  const from = second.replication.end
  const rest = (await primary.replication.follow({ from }).next()).value as LogChunk
  await second.replication.apply(rest)
  assert.deepEqual(bodies(await readQueue(second, 'a')), bodies(await readQueue(primary, 'a')))
  assert.ok((await second.verify()).ok)
})

test('purges and deletions that run together or at a close are done one after the other, before the lock is gone', async () => {
  const disk = new SimDisk()
  const store = await open(disk)
  for (let n = 0; n < 30; n++) await store.put({ topic: `t${n % 3}`, body: `${n}` })
  await Promise.all([store.purge('t0'), store.deleteTopic('t1'), store.purge('t2'), store.deleteTopic('t0')])
  const late = store.purge('t2')
  await store.close()
  await late.catch(code('STORE_CLOSED'))
  const again = await open(disk)
  assert.equal(again.recovery.origin, 'clean')
  assert.deepEqual(again.bounds('t2'), { minOffset: 10, maxOffset: 10 })
  assert.equal(again.bounds('t1').maxOffset, 0)
  await again.close()
})

test('a foreign file in the folder of a queue does not stop its deletion', async () => {
  const disk = freshDisk()
  const store = await open(disk)
  for (let n = 0; n < 5; n++) await store.put({ topic: 'a', body: `${n}` })
  await store.flush()
  disk.makeDirectory(`${root}/consumequeue/a`)
  disk.open(`${root}/consumequeue/a/.foreign`, { write: true, create: true }).close()
  await store.deleteTopic('a')
  assert.equal((await store.put({ topic: 'a', body: 'new' })).queueOffset, 0)
  assert.deepEqual(bodies(await readQueue(store, 'a')), ['new'])
  await store.close()
})

test('INNER_MULTI_DISPATCH names LMQ queues, each once, and a refused put makes no queue', async (t) => {
  const store = await openStore(t)
  for (const names of ['a', '%LMQ%x,%LMQ%x', 'other', '%LMQ%ok,a']) {
    await assert.rejects(
      store.put({ topic: 'a', body: 'x', properties: { INNER_MULTI_DISPATCH: names } }),
      code('MESSAGE_ILLEGAL'),
    )
  }
  assert.deepEqual(store.queues(), [])
})

test('the event recovery is heard by whoever listens right after open', async () => {
  const store = await open(freshDisk())
  const heard = new Promise((resolve) => store.on('recovery', resolve))
  assert.equal(await heard, store.recovery)
  await store.close()
})
