/** What a broker needs later outlives the retention time, however long nobody runs it; what nobody needs does not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNDECIDED_TOPIC } from '../../lib/broker/config/system-topics.js'
import { arrived, openSite, pass, type Site } from '../support/delays.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bad, freshDisk, open } from '../support/open-store.js'

const HOUR = 3_600_000
const store = { segmentBytes: 1 << 16, retentionHours: 3, delayLevels: '1s 10h', disk: { cleanAt: 0 } }

async function fill({ broker }: Site, messages: number): Promise<void> {
  for (let i = 0; i < messages; i++) await broker.store.put({ topic: 'filler', body: Buffer.alloc(4000) })
  await broker.store.flush()
}

const minOf = ({ broker }: Site): number => broker.store.bounds('filler', 0).minOffset

describe('a broker that was down for longer than messages are kept', () => {
  test('delivers what waited, gives up what nobody decided, and lets the rest go', async () => {
    const options = { store, delayOffsetIntervalMs: 1000 }
    const site = await openSite(options)
    await site.broker.send({ topic: 't', body: 'for a time', delayMs: 5 * HOUR })
    await site.broker.send({ topic: 't', body: 'for a level', delayLevel: 2 })
    const producer = site.broker.transactionProducer({ group: 'g', check: () => 'unknown' })
    await producer.send({ topic: 't', body: 'undecided' }, () => Promise.resolve('unknown' as const))
    await fill(site, 100)
    await site.broker.close()
    site.time.advance(4 * HOUR)

    const next = await openSite(options, site)
    const deleted: number[] = []
    next.broker.store.on('segmentDeleted', ({ commitLogOffset }) => deleted.push(commitLogOffset))
    await pass(next.time, 60_000)
    assert.deepEqual(deleted, [], 'everything stands behind the message that waits for its level')
    assert.deepEqual(await arrived(next, UNDECIDED_TOPIC), ['undecided'])
    await pass(next.time, HOUR, 60_000)
    assert.deepEqual(await arrived(next), ['for a time'])
    await pass(next.time, 6 * HOUR, 600_000)
    assert.deepEqual((await arrived(next)).slice(-1), ['for a level'])
    await fill(next, 20)
    await pass(next.time, 60_000)
    assert.ok(deleted.length >= 4, String(deleted.length))
    assert.ok(minOf(next) >= 70, String(minOf(next)))
    assert.deepEqual(next.problems, [])
    await next.broker.close()
  })

  test('deletes nothing while it is not known what is needed, and everything expired once it is closed', async () => {
    const time = new ManualTime()
    const disk = freshDisk({ clock: time })
    const first = await open(disk, store, { clock: time, timers: time })
    for (let i = 0; i < 100; i++) await first.put({ topic: 'a', body: Buffer.alloc(4000) })
    await first.close()
    time.advance(4 * HOUR)
    const second = await open(disk, store, { clock: time, timers: time })
    const deleted: string[] = []
    second.on('segmentDeleted', ({ reason }) => deleted.push(reason))
    const round = async (): Promise<number> => {
      time.advance(10_000)
      await settled(20)
      return deleted.splice(0).length
    }
    assert.throws(() => second.keepFrom(1 as never), bad(TypeError, 'floor'))
    let floor = async (): Promise<number> => Promise.reject(new Error('not known'))
    const letGo = second.keepFrom(() => floor())
    const alsoLetGo = second.keepFrom(async () => 3 * 65_536 + 5)
    assert.equal(await round(), 0)
    floor = async () => 70_000
    assert.equal(await round(), 1)
    letGo()
    assert.equal(await round(), 2)
    alsoLetGo()
    assert.equal(await round(), 3)
    await second.close()
  })
})
