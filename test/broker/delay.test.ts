/** Delay levels: when messages come, in which order, and what survives a restart and a crash. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { parseDelayLevels } from '../../lib/format/tags.js'
import { arrived, openSite, pass, type Site } from '../support/delays.js'
import { ManualTime } from '../support/manual-time.js'
import { small } from '../support/open-broker.js'
import { freshDisk, open, root } from '../support/open-store.js'

const send = (site: Site, body: string, delayLevel: number) => site.broker.send({ topic: 't', body, delayLevel })

describe('delay levels', () => {
  test('deliver each message when its level is over, the first due first', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    await send(site, 'ten', 3)
    await send(site, 'one', 1)
    await send(site, 'five', 2)
    const seen: string[] = []
    for (let second = 0; second <= 11; second++) {
      for (const body of (await arrived(site)).slice(seen.length)) seen.push(body)
      if (second === 0) assert.deepEqual(seen, [])
      if (second === 4) assert.deepEqual(seen, ['one'])
      if (second === 9) assert.deepEqual(seen, ['one', 'five'])
      await pass(site.time, 1000)
    }
    assert.deepEqual(seen, ['one', 'five', 'ten'])
  })

  test('keep the order in which messages of one level were sent', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    const sent = Array.from({ length: 600 }, (_, i) => String(i))
    await Promise.all(sent.map((body) => send(site, body, 1)))
    await pass(site.time, 3000)
    assert.deepEqual(await arrived(site), sent)
  })

  test('give up a message whose copy the store will never take, tell of it, and go on with the others', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    await send(site, 'before', 1)
    const properties = { DELAY: '1', REAL_TOPIC: 'no topic!', REAL_QID: '0' }
    await site.broker.store.put({ topic: 'SCHEDULE_TOPIC_XXXX', queueId: 0, body: 'lost', properties })
    await send(site, 'behind', 1)
    await pass(site.time, 5000)
    assert.deepEqual(await arrived(site), ['before', 'behind'])
    assert.equal(site.problems.length, 1)
    assert.match(String(site.problems[0]), /TOPIC_INVALID/)
  })

  test('do not deliver again what stands before a message that could not be stored for a while', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    for (const body of ['a', 'b', 'c']) await send(site, body, 1)
    const { store } = site.broker
    const put = store.put.bind(store)
    let failures = 2
    t.mock.method(store, 'put', (message: Parameters<typeof put>[0]) =>
      message.topic === 't' && String(message.body) === 'b' && failures-- > 0
        ? Promise.reject(new MessageStoreError('DISK_FULL', 'for a while'))
        : put(message),
    )
    await pass(site.time, 6000)
    // At least once: what stands behind comes with it.
    assert.deepEqual(await arrived(site), ['a', 'c', 'c', 'b', 'c'])
    assert.equal(site.problems.length, 2)
  })

  test('after a clean close what was delivered does not come again, and what was not comes in its time', async () => {
    const site = await openSite()
    await send(site, 'a', 1)
    await send(site, 'b', 3)
    await pass(site.time, 2000)
    await site.broker.close()
    const offsets = JSON.parse(text(site.disk, 'config/delayOffset.json')) as {
      offsetTable: Record<string, number>
    }
    assert.equal(offsets.offsetTable[1], 1)
    assert.equal(offsets.offsetTable[3] ?? 0, 0)
    const again = await openSite({}, site)
    assert.deepEqual(await arrived(again), ['a'])
    await pass(site.time, 9000)
    assert.deepEqual(await arrived(again), ['a', 'b'])
    await again.broker.close()
  })

  test('are those of the store option, also in the queue entries and after recovery', async () => {
    const store = { delayLevels: '2s 4s' }
    const site = await openSite({ store })
    await assert.rejects(send(site, 'x', 3), /delayLevel must be a whole number from 1 to 2/)
    await send(site, 'four', 2)
    await send(site, 'two', 1)
    const { storeTimestamp } = (await site.broker.store.get({ topic: 'SCHEDULE_TOPIC_XXXX', queueId: 1, offset: 0 })).messages[0]!
    const crashed = new MemoryDisk({ tree: site.disk.snapshot().tree })
    await (await open(crashed, { ...small, ...store })).close()
    await pass(site.time, 3000)
    assert.deepEqual(await arrived(site), ['two'])
    await pass(site.time, 2000)
    assert.deepEqual(await arrived(site), ['two', 'four'])
    await site.broker.close()
    for (const disk of [crashed, site.disk]) {
      const entry = Buffer.from(disk.bytesOf(`${root}/consumequeue/SCHEDULE_TOPIC_XXXX/1/${'0'.repeat(20)}`, 0, 20))
      assert.equal(Number(entry.readBigInt64BE(12)), storeTimestamp + 4000)
    }
  })

  test('that are none are refused', async () => {
    for (const delayLevels of ['', '1', '0s', '1x', '-1s', '1s,5s', '1s 5', Array(65).fill('1s').join(' ')])
      await assert.rejects(openSite({ store: { delayLevels } }), RangeError, delayLevels)
    await assert.rejects(openSite({ store: { delayLevels: 5 as unknown as string } }), TypeError)
    assert.deepEqual(parseDelayLevels('1s 2m 3h 4d'), [1000, 120_000, 10_800_000, 345_600_000])
  })

  test('of a broker that died are delivered by the next one', async () => {
    const disk = freshDisk()
    const site = await openSite({}, { disk })
    await send(site, 'a', 1)
    await send(site, 'b', 2)
    await pass(site.time, 2000)
    const crashed = new MemoryDisk({ tree: disk.snapshot().tree })
    await site.broker.close()
    const next = await openSite({}, { disk: crashed, time: new ManualTime(site.time.now() + 60_000) })
    await pass(next.time, 2000)
    // What was delivered since delayOffset.json was written comes again.
    assert.deepEqual(await arrived(next), ['a', 'a', 'b'])
    await next.broker.close()
  })
})

function text(disk: MemoryDisk, path: string): string {
  return Buffer.from(disk.bytesOf(`${root}/${path}`))
    .toString('utf8')
    .replace(/(\d+):/g, '"$1":')
}
