/** Finding by key: only true hits, newest first, within times and limits. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemTimers } from '../../lib/base/system.js'
import { javaHash } from '../../lib/format/hash.js'
import { ManualTime } from '../support/manual-time.js'
import { bodies, code, flipLog, freshDisk, open, openStore } from '../support/open-store.js'

describe('hits', () => {
  test('a message is found by each of its keys and by its unique key, under its own topic only', async (t) => {
    const store = await openStore(t)
    await store.put({ topic: 'a', body: 'x', keys: ['k1', 'k2'], properties: { UNIQ_KEY: 'u' } })
    await store.put({ topic: 'b', body: 'y', keys: 'k1' })
    for (const key of ['k1', 'k2', 'u']) assert.deepEqual(bodies(await store.query({ topic: 'a', key })), ['x'], key)
    assert.deepEqual(bodies(await store.query({ topic: 'b', key: 'k1' })), ['y'])
    for (const key of ['k', 'k1 k2', 'K1', '']) assert.deepEqual(await store.query({ topic: 'a', key }), [], key)
    assert.deepEqual(await store.query({ topic: 'c', key: 'k1' }), [])
  })

  test('keys whose hashes collide are told apart, and so are topics', async (t) => {
    assert.equal(javaHash('a#AaAaAa'), javaHash('a#BBBBBB'))
    assert.equal(javaHash('Aa#k'), javaHash('BB#k'))
    const store = await openStore(t)
    for (const key of ['AaAaAa', 'BBBBBB', 'AaBBAa']) await store.put({ topic: 'a', body: key, keys: key })
    for (const topic of ['Aa', 'BB']) await store.put({ topic, body: topic, keys: 'k' })
    for (const key of ['AaAaAa', 'BBBBBB', 'AaBBAa']) assert.deepEqual(bodies(await store.query({ topic: 'a', key })), [key])
    for (const topic of ['Aa', 'BB']) assert.deepEqual(bodies(await store.query({ topic, key: 'k' })), [topic])
  })

  test('a key given twice, and a key equal to the unique key, give one hit', async (t) => {
    const store = await openStore(t)
    await store.put({ topic: 'a', body: 'x', keys: ['k', 'k'], properties: { UNIQ_KEY: 'k' } })
    assert.equal((await store.query({ topic: 'a', key: 'k' })).length, 1)
  })

  test('prepared messages are found by key, rolled back ones are not', async (t) => {
    const store = await openStore(t)
    for (const sysFlag of [0, 4, 8, 12]) await store.put({ topic: 'a', body: `${sysFlag}`, keys: 'k', sysFlag })
    assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'k' })), ['8', '4', '0'])
    assert.deepEqual(store.bounds('a'), { minOffset: 0, maxOffset: 2 })
  })

  test('without an index a query finds nothing, and messages are stored all the same', async (t) => {
    const options = { index: { enabled: false } }
    const disk = freshDisk()
    const store = await openStore(t, { disk, options })
    await store.put({ topic: 'a', body: 'x', keys: 'k' })
    assert.deepEqual(await store.query({ topic: 'a', key: 'k' }), [])
    assert.equal(store.bounds('a').maxOffset, 1)
    assert.equal(disk.stat('/s/index'), undefined)
  })

  test('what was put while the index was off is found once it is on', async (t) => {
    const disk = freshDisk()
    for (const enabled of [true, false, true, false]) {
      const store = await open(disk, { index: { slots: 7, entries: 12, enabled } })
      await store.put({ topic: 'a', body: `${enabled}`, keys: 'k' })
      await store.close()
    }
    const store = await openStore(t, { disk })
    assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'k' })), ['false', 'true', 'false', 'true'])
  })
})

describe('order and limits', () => {
  test('hits come newest first over many index files, before and after a restart', async (t) => {
    const disk = freshDisk()
    const first = await open(disk)
    for (let i = 0; i < 60; i++) await first.put({ topic: 'a', body: `${i}`, keys: [`k${i % 3}`, 'all'] })
    const check = async (store: typeof first): Promise<void> => {
      for (const r of [0, 1, 2]) {
        const wanted = Array.from({ length: 20 }, (_, n) => `${59 - ((59 - r) % 3) - 3 * n}`)
        assert.deepEqual(bodies(await store.query({ topic: 'a', key: `k${r}` })), wanted)
      }
      assert.equal((await store.query({ topic: 'a', key: 'all', maxMessages: 100 })).length, 60)
    }
    await check(first)
    await first.close()
    assert.ok(disk.list('/s/index').length > 9)
    await check(await openStore(t, { disk }))
  })

  test('maxMessages takes the newest, 32 unless told', async (t) => {
    const store = await openStore(t)
    for (let i = 0; i < 40; i++) await store.put({ topic: 'a', body: `${i}`, keys: 'k' })
    assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'k', maxMessages: 3 })), ['39', '38', '37'])
    assert.equal((await store.query({ topic: 'a', key: 'k' })).length, 32)
  })

  test('maxBytes takes the newest that fit, and the newest whatever its size', async (t) => {
    const store = await openStore(t)
    for (const size of [10, 3000, 20]) await store.put({ topic: 'a', body: Buffer.alloc(size), keys: 'k' })
    const sizes = async (maxBytes?: number): Promise<number[]> =>
      (await store.query({ topic: 'a', key: 'k', ...(maxBytes === undefined ? {} : { maxBytes }) })).map(
        ({ body }) => body.length,
      )
    assert.deepEqual(await sizes(), [20, 3000, 10])
    assert.deepEqual([await sizes(1), await sizes(3000), await sizes(3300)], [[20], [20], [20, 3000]])
    for (const maxBytes of [0, 1.5, -1])
      await assert.rejects(async () => store.query({ topic: 'a', key: 'k', maxBytes }), RangeError)
  })

  test('from and to bound the store time to the millisecond, both inclusive, over file ends and restarts', async (t) => {
    const time = new ManualTime()
    const disk = freshDisk()
    const first = await open(disk, {}, { clock: time })
    const times: number[] = []
    for (let i = 0; i < 40; i++) {
      times.push((await first.put({ topic: 'a', body: `${i}`, keys: 'k' })).storeTimestamp)
      time.advance([0, 1, 400, 1000, 2500][i % 5]!)
    }
    const check = async (store: typeof first): Promise<void> => {
      for (let from = 0; from < 40; from += 3) {
        for (let to = from; to < 40; to += 5) {
          const hits = await store.query({ topic: 'a', key: 'k', maxMessages: 99, from: times[from]!, to: times[to]! })
          const wanted = times.flatMap((ms, i) => (ms >= times[from]! && ms <= times[to]! ? [`${i}`] : [])).reverse()
          assert.deepEqual(bodies(hits), wanted, `${from} to ${to}`)
        }
      }
    }
    await check(first)
    await first.close()
    await check(await openStore(t, { disk, ports: { clock: time } }))
  })

  test('a damaged record is left out, told and counted', async () => {
    const disk = freshDisk()
    const first = await open(disk)
    const { commitLogOffset } = await first.put({ topic: 'a', body: 'x'.repeat(50), keys: 'k' })
    await first.put({ topic: 'a', body: 'y', keys: 'k' })
    await first.close()
    flipLog(disk, commitLogOffset + 90)
    const store = await open(disk)
    const told: number[] = []
    store.on('damagedRecord', (event) => told.push(event.commitLogOffset))
    assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'k' })), ['y'])
    assert.deepEqual(told, [commitLogOffset])
    assert.equal(store.metrics.snapshot()['damagedRecords'], 1)
    assert.deepEqual(await store.query({ topic: 'a', key: 'other' }), [])
    assert.equal(told.length, 1)
    await store.close()
  })

  test('the event loop turns while a long chain is walked, and a close meanwhile ends the walk', async () => {
    let turns = 0
    const endOfTurn = (action: () => void): void => {
      turns++
      systemTimers.endOfTurn(action)
    }
    const options = { segmentBytes: 1 << 22, index: { slots: 1, entries: 20_000 } }
    const store = await open(freshDisk(), options, { timers: { ...systemTimers, endOfTurn } })
    await store.put({ topic: 'a', body: 'x', keys: 'oldest' })
    await store.putBatch(Array.from({ length: 9000 }, (_, i) => ({ topic: 'a', body: '', keys: `k${i}` })))
    turns = 0
    assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'oldest' })), ['x'])
    assert.equal(turns, 4)
    const walking = store.query({ topic: 'a', key: 'oldest' })
    const refused = assert.rejects(walking, code('STORE_CLOSED'))
    await store.close()
    await refused
  })

  test('wrong requests are refused with the name of what is wrong', async (t) => {
    const store = await openStore(t)
    const wrong: [object, RegExp][] = [
      [{ topic: 1, key: 'k' }, /topic/],
      [{ topic: 'a' }, /key/],
      [{ topic: 'a', key: 'k', maxMessages: 0 }, /maxMessages/],
      [{ topic: 'a', key: 'k', maxMessages: Number.NaN }, /maxMessages/],
      [{ topic: 'a', key: 'k', from: '1' }, /from/],
      [{ topic: 'a', key: 'k', from: Number.NaN }, /from/],
      [{ topic: 'a', key: 'k', to: Number.NaN }, /to/],
      [{ topic: 'a', key: 'k', to: new Date() }, /to/],
    ]
    for (const [request, message] of wrong) {
      await assert.rejects(store.query(request as never), (error) => {
        assert.ok(error instanceof TypeError || error instanceof RangeError, String(error))
        assert.match(error.message, message)
        return true
      })
    }
  })
})
