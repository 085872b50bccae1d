/** Messages for any time ahead: when they come, what is refused, cancelled, kept through restarts, and what it costs. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { delayedMessage } from '../../lib/broker/delay/timer-messages.js'
import type { Message } from '../../lib/store/message.js'
import { arrived, openSite, pass, type Site, until } from '../support/delays.js'
import { refusal, small } from '../support/open-broker.js'
import { Random } from '../support/random.js'

const DAY = 86_400_000
const TIMER = 'rmq_sys_wheel_timer'

const send = (site: Pick<Site, 'broker'>, body: string, delayMs: number) => site.broker.send({ topic: 't', body, delayMs })

/** What becomes of a message with properties as RocketMQ's clients send them. */
function delayed(properties: Record<string, string>, sysFlag = 0): Message {
  return delayedMessage(
    { topic: 't', queueId: 3, body: 'x', properties, sysFlag },
    { now: 10_500, maxDelayMs: 60_000, levels: 18 },
  )
}

describe('the properties of RocketMQ', () => {
  test('are looked at in its order: level, seconds, milliseconds, time', () => {
    const all = { TIMER_DELAY_SEC: '1', TIMER_DELAY_MS: '2000', TIMER_DELIVER_MS: '15000' }
    const out = (properties: Record<string, string>): string | undefined => delayed(properties).properties?.['TIMER_OUT_MS']
    assert.equal(out(all), '11000')
    const { TIMER_DELAY_SEC, ...noSeconds } = all
    assert.equal(TIMER_DELAY_SEC, '1')
    assert.equal(out(noSeconds), '12000')
    assert.equal(out({ TIMER_DELIVER_MS: '15000' }), '14000')
    assert.equal(out({ TIMER_DELIVER_MS: '15001' }), '15000')
    const { topic, queueId, properties } = delayed(all)
    assert.deepEqual([topic, queueId, properties?.['REAL_TOPIC'], properties?.['REAL_QID']], [TIMER, 0, 't', '3'])
    const level = delayed({ ...all, DELAY: '19' })
    assert.deepEqual([level.topic, level.queueId], ['SCHEDULE_TOPIC_XXXX', 17])
    assert.deepEqual(level.properties, { DELAY: '18', REAL_TOPIC: 't', REAL_QID: '3' })
  })

  test('leave alone what is due, what waited already, and half messages', () => {
    for (const properties of [
      { TIMER_DELIVER_MS: '10500' },
      { TIMER_DELAY_MS: '-1' },
      { TIMER_DELIVER_MS: '20000', TIMER_OUT_MS: '9000' },
    ])
      assert.equal(delayed(properties).topic, 't')
    assert.equal(delayed({ TIMER_DELAY_SEC: '5' }, 0x4).topic, 't')
    assert.equal(delayed({ TIMER_DELAY_SEC: '5' }, 0x8).topic, TIMER)
  })

  test('that are no time, or too far ahead, are refused', () => {
    for (const value of ['', 'x', '1.5', '1e3', ' 1', '99999999999999999999'])
      assert.throws(() => delayed({ TIMER_DELAY_MS: value }), refusal('DELAY_INVALID', 'TIMER_DELAY_MS'), value)
    assert.throws(() => delayed({ TIMER_DELAY_SEC: '61' }), refusal('DELAY_INVALID', '61000', '60000'))
    assert.throws(() => delayed({ TIMER_DELIVER_MS: '5', TIMER_DEL_UNIQKEY: 't+A' }), refusal('DELAY_INVALID', 'due already'))
  })
})

describe('a message for a time ahead', () => {
  test('comes at its second, in the order of time and then of sending', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    const sent: [string, number][] = [
      ['d', 3001],
      ['a', 1],
      ['c', 3000],
      ['b', 1500],
      ['e', 3001],
    ]
    for (const [body, ms] of sent) await send(site, body, ms)
    assert.deepEqual(await arrived(site), [])
    await pass(site.time, 1000)
    assert.deepEqual(await arrived(site), ['a'])
    await pass(site.time, 1000)
    assert.deepEqual(await arrived(site), ['a', 'b'])
    await pass(site.time, 1000)
    assert.deepEqual(await arrived(site), ['a', 'b', 'c'])
    await pass(site.time, 1000)
    assert.deepEqual(await arrived(site), ['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual(site.problems, [])
  })

  test('is never early and at most a second late', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    const random = new Random(5)
    const due = Array.from({ length: 300 }, () => site.time.now() + random.between(1, 20_000))
    for (const deliverAt of due) await site.broker.send({ topic: 't', body: String(deliverAt), deliverAt })
    await pass(site.time, 22_000, 250)
    const { messages } = await site.broker.store.get({ topic: 't', offset: 0, maxMessages: 500, maxBytes: 1 << 24 })
    assert.equal(messages.length, due.length)
    for (const { body, storeTimestamp } of messages) {
      const late = storeTimestamp - Number(body.toString())
      assert.ok(late >= 0 && late < 1000, `${late} ms late (seed 5)`)
    }
  })

  test('keeps what it was sent with, and says where it waited', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    const request = { topic: 't', body: 'x', tags: 'paid', keys: ['k1', 'k2'], flag: 7, properties: { a: 'b' } }
    const receipt = await site.broker.send({ ...request, deliverAt: new Date(site.time.now() + 2000) })
    assert.equal(receipt.deliverAt, site.time.now() + 2000)
    await pass(site.time, 3000)
    const [message] = (await site.broker.store.get({ topic: 't', offset: 0 })).messages
    assert.equal(message!.tags, 'paid')
    assert.deepEqual(message!.keys, ['k1', 'k2'])
    assert.equal(message!.flag, 7)
    assert.equal(message!.uniqueKey, receipt.uniqueKey)
    const { properties } = message!
    assert.equal(properties['a'], 'b')
    assert.equal(properties['REAL_TOPIC'], 't')
    assert.equal(properties['TIMER_OUT_MS'], String(Math.floor((message!.bornTimestamp + 1999) / 1000) * 1000))
    assert.ok(Number(properties['TIMER_DEQUEUE_MS']) >= message!.bornTimestamp + 2000)
  })

  test('that is due now or was due is delivered at once', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    await send(site, 'now', 0)
    const receipt = await site.broker.send({ topic: 't', body: 'past', deliverAt: 5 })
    assert.equal(receipt.deliverAt, undefined)
    assert.deepEqual(await arrived(site), ['now', 'past'])
  })

  test('is refused beyond the horizon, which is an option', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    await send(site, 'far', 40 * DAY)
    await assert.rejects(send(site, 'too far', 40 * DAY + 1), refusal('DELAY_INVALID', String(40 * DAY)))
    assert.equal(site.broker.store.bounds(TIMER, 0).maxOffset, 1)
    const near = await openSite({ maxDelayMs: 5000 })
    t.after(() => near.broker.close())
    await assert.rejects(send(near, 'x', 5001), refusal('DELAY_INVALID', '5001'))
    for (const maxDelayMs of [0, 40 * DAY + 1, 1.5]) await assert.rejects(openSite({ maxDelayMs }), RangeError)
  })

  test('comes at once when the clock jumps forward, and waits longer when it jumps back', async (t) => {
    const site = await openSite()
    t.after(() => site.broker.close())
    await send(site, 'a', 3_600_000)
    await send(site, 'b', 2 * 3_600_000)
    await pass(site.time, 1000)
    site.time.setWall(site.time.now() + 3_600_000)
    await pass(site.time, 2000)
    assert.deepEqual(await arrived(site), ['a'])
    site.time.setWall(site.time.now() - DAY)
    await pass(site.time, 2000)
    await send(site, 'c', 1000)
    await pass(site.time, 3000)
    assert.deepEqual(await arrived(site), ['a', 'c'])
    site.time.setWall(site.time.now() + 2 * DAY)
    await pass(site.time, 2000)
    assert.deepEqual(await arrived(site), ['a', 'c', 'b'])
    assert.deepEqual(site.problems, [])
  })
})

describe('a message that waits', () => {
  test('is cancelled by its receipt, also one that went through JSON and a restart', async () => {
    const site = await openSite()
    const a = await send(site, 'a', 5000)
    const b = await send(site, 'b', 5000)
    await send(site, 'c', 5000)
    const later = await send(site, 'later', 9000)
    assert.equal(await site.broker.cancel(b), true)
    await site.broker.close()
    const next = await openSite({}, site)
    assert.equal(await next.broker.cancel(JSON.parse(JSON.stringify(later)) as typeof later), true)
    await pass(site.time, 12_000)
    assert.deepEqual(await arrived(next), ['a', 'c'])
    assert.equal(await next.broker.cancel(a), false)
    assert.equal(await next.broker.cancel(await next.broker.send({ topic: 't', body: 'x' })), false)
    assert.deepEqual(next.problems, [])
    await next.broker.close()
  })

  test('is still waiting after a clean close, and what was delivered does not come again', async () => {
    const site = await openSite()
    for (let i = 0; i < 20; i++) await send(site, String(i), (i + 1) * 1000)
    await pass(site.time, 10_000)
    const before = await arrived(site)
    await site.broker.close()
    const next = await openSite({}, site)
    await pass(site.time, 3000)
    await next.broker.close()
    const last = await openSite({}, site)
    await pass(site.time, 12_000)
    assert.equal(before.length, 10)
    assert.deepEqual(
      await arrived(last),
      Array.from({ length: 20 }, (_, i) => String(i)),
    )
    await last.broker.close()
  })

  test('is put again before its segment may expire, and comes once', async () => {
    const site = await openSite({ store: { retentionHours: 3, delayLevels: '1s' } })
    const cancelled = await send(site, 'cancelled', DAY)
    await send(site, 'a', DAY)
    await send(site, 'b', 3_600_000)
    assert.equal(await site.broker.cancel(cancelled), true)
    for (let hour = 0; hour < 23; hour++) await pass(site.time, 3_600_000, 120_000)
    assert.deepEqual(await arrived(site), ['b'])
    const { maxOffset } = site.broker.store.bounds(TIMER, 0)
    const [waiting] = (await site.broker.store.get({ topic: TIMER, offset: maxOffset - 1 })).messages
    assert.ok(site.time.now() - waiting!.storeTimestamp < 3 * 3_600_000)
    assert.ok(Number(waiting!.properties['TIMER_ROLL_TIMES']) >= 10)
    await site.broker.close()
    const next = await openSite({ store: { retentionHours: 3, delayLevels: '1s' } }, site)
    await pass(site.time, 2 * 3_600_000, 60_000)
    assert.deepEqual(await arrived(next), ['b', 'a'])
    assert.deepEqual([...site.problems, ...next.problems], [])
    await next.broker.close()
  })

  test('is put again also where no segment takes a batch of all that wait', async () => {
    const site = await openSite({ store: { retentionHours: 3, delayLevels: '1s', segmentBytes: 16_384 } })
    const sent = Array.from({ length: 100 }, (_, i) => `${i}${'x'.repeat(400)}`)
    for (const body of sent) await send(site, body, DAY / 4)
    for (let hour = 0; hour < 7; hour++) await pass(site.time, 3_600_000, 120_000)
    assert.deepEqual([await arrived(site), site.problems], [sent, []])
    assert.ok(site.broker.store.bounds(TIMER, 0).maxOffset >= 3 * sent.length)
    await site.broker.close()
  })
})

describe('many messages for the same second', () => {
  test('100,000 come in order and once, and the event loop goes on', { timeout: 120_000 }, async (t) => {
    const store = { ...small, segmentBytes: 1 << 26, queueSegmentEntries: 300_000, index: { enabled: false } }
    const site = await openSite({ store })
    t.after(() => site.broker.close())
    const count = 100_000
    for (let i = 0; i < count; i += 1000)
      await Promise.all(Array.from({ length: 1000 }, (_, k) => send(site, String(i + k), 3_600_000)))
    site.time.advance(3_600_000)
    site.time.advance(1000)
    let turns = 0
    await until(() => {
      turns++
      return site.broker.store.bounds('t', 0).maxOffset === count
    })
    assert.ok(turns > 50, `${turns} turns`)
    const bodies = await arrived(site)
    assert.ok(bodies.every((body, i) => body === String(i)))
  })
})
