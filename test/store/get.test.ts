/** Getting: every status with its next offset, filters, limits, waiting, damage. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { javaHash } from '../../lib/format/hash.js'
import { type GetResult, type MessageStore, MessageStoreError } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bad, bodies, code, flipLog, freshDisk, open, openStore } from '../support/open-store.js'

async function fill(store: MessageStore, count: number, topic = 'a', bytes = 10): Promise<void> {
  for (let i = 0; i < count; i++)
    await store.put({ topic, body: String(i).padStart(bytes, '0'), tags: i % 2 === 0 ? 'even' : 'odd' })
}

const outcome = ({ status, nextOffset, minOffset, maxOffset, messages }: GetResult) => [
  status,
  nextOffset,
  minOffset,
  maxOffset,
  messages.length,
]

describe('statuses', () => {
  test('an unknown queue is NO_MATCHED_LOGIC_QUEUE, and asking creates nothing', async (t) => {
    const disk = freshDisk()
    const store = await openStore(t, { disk })
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 7 })), ['NO_MATCHED_LOGIC_QUEUE', 0, 0, 0, 0])
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 7 })), ['NO_MATCHED_LOGIC_QUEUE', 0, 0, 0, 0])
    await store.close()
    assert.equal(disk.stat('/s/consumequeue/a'), undefined)
  })

  test('a queue that never had a message is NO_MESSAGE_IN_QUEUE', async (t) => {
    const store = await openStore(t, { options: { flush: 'sync' } })
    const put = store.put({ topic: 'a', body: 'x' })
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 3 })), ['NO_MESSAGE_IN_QUEUE', 0, 0, 0, 0])
    await put
  })

  test('the offset behind the last message is OFFSET_OVERFLOW_ONE, one further OFFSET_OVERFLOW_BADLY', async (t) => {
    const store = await openStore(t)
    await fill(store, 3)
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 3 })), ['OFFSET_OVERFLOW_ONE', 3, 0, 3, 0])
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 4 })), ['OFFSET_OVERFLOW_BADLY', 3, 0, 3, 0])
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 2 ** 52 })), ['OFFSET_OVERFLOW_BADLY', 3, 0, 3, 0])
  })

  test('an offset below the first that is kept is OFFSET_TOO_SMALL and leads to the first', async (t) => {
    const disk = freshDisk()
    const first = await open(disk)
    await fill(first, 60, 'a', 200)
    await first.close()
    disk.remove('/s/commitlog/00000000000000000000')
    const store = await openStore(t, { disk })
    const { minOffset, maxOffset } = store.bounds('a')
    assert.ok(minOffset > 0)
    assert.equal(maxOffset, 60)
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 0 })), ['OFFSET_TOO_SMALL', minOffset, minOffset, 60, 0])
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: minOffset - 1 })), [
      'OFFSET_TOO_SMALL',
      minOffset,
      minOffset,
      60,
      0,
    ])
    const { messages } = await store.get({ topic: 'a', offset: minOffset })
    assert.equal(messages[0]?.queueOffset, minOffset)
    assert.equal(messages[0]?.commitLogOffset, 4096)
  })

  test('messages are FOUND and the next offset is that of the last plus one', async (t) => {
    const store = await openStore(t)
    await fill(store, 20)
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 0, maxMessages: 5 })), ['FOUND', 5, 0, 20, 5])
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 18 })), ['FOUND', 20, 0, 20, 2])
  })

  test('with nothing that matches it is NO_MATCHED_MESSAGE, and the next offset is behind what was looked at', async (t) => {
    const store = await openStore(t)
    await fill(store, 20)
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 4, tags: 'none' })), ['NO_MATCHED_MESSAGE', 20, 0, 20, 0])
  })

  test('one get looks at no more than 800 entries', async (t) => {
    const store = await openStore(t, { options: { segmentBytes: 1 << 20, queueSegmentEntries: 300_000 } })
    await store.putBatch(Array.from({ length: 900 }, () => ({ topic: 'a', body: 'x', tags: 'odd' })))
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 0, tags: 'even' })), ['NO_MATCHED_MESSAGE', 800, 0, 900, 0])
    assert.deepEqual(outcome(await store.get({ topic: 'a', offset: 800, tags: 'even' })), ['NO_MATCHED_MESSAGE', 900, 0, 900, 0])
  })
})

describe('tags', () => {
  test('a filter passes exactly the tags it names', async (t) => {
    const store = await openStore(t)
    await fill(store, 6)
    await store.put({ topic: 'a', body: 'none' })
    const get = async (tags?: string) =>
      bodies((await store.get({ topic: 'a', offset: 0, ...(tags === undefined ? {} : { tags }) })).messages).map((body) =>
        body === 'none' ? -1 : Number(body),
      )
    assert.deepEqual(await get('even'), [0, 2, 4])
    assert.deepEqual(await get(' odd '), [1, 3, 5])
    assert.deepEqual(await get('even || odd'), [0, 1, 2, 3, 4, 5])
    for (const all of [undefined, '*', ' * ']) assert.deepEqual(await get(all), [0, 1, 2, 3, 4, 5, -1])
  })

  test('tags whose hashes collide are told apart by their text', async (t) => {
    assert.equal(javaHash('AaAaAa'), javaHash('BBBBBB'))
    const store = await openStore(t)
    for (const tags of ['AaAaAa', 'BBBBBB', 'AaBBAa']) await store.put({ topic: 'a', body: tags, tags })
    for (const tags of ['AaAaAa', 'BBBBBB', 'AaBBAa']) {
      const result = await store.get({ topic: 'a', offset: 0, tags })
      assert.deepEqual(bodies(result.messages), [tags])
      assert.equal(result.nextOffset, 3)
    }
  })

  test('a filter that names no tag is refused', async (t) => {
    const store = await openStore(t)
    await assert.rejects(store.get({ topic: 'a', offset: 0, tags: ' || ' }), RangeError)
    await assert.rejects(store.get({ topic: 'a', offset: 0, tags: [] }), RangeError)
    await assert.rejects(store.get({ topic: 'a', offset: 0, tags: [''] }), bad(RangeError, 'tags[0]', 'must be'))
    for (const tags of [5, { tags: 'a' }, [5]])
      await assert.rejects(store.get({ topic: 'a', offset: 0, tags: tags as never }), bad(TypeError, 'tags', 'must be'))
  })

  test('a filter of another language is refused with what was given and what is expected', async (t) => {
    const store = await openStore(t)
    for (const tags of ['a && b', 'a || b && c', '&& a', 'a | b', 'a ||| b && c'])
      await assert.rejects(
        store.get({ topic: 'a', offset: 0, tags }),
        bad(RangeError, tags, 'joined by ||', "'paid || refunded'"),
      )
  })

  test('tags of odd characters are found, in a text or in a list', async (t) => {
    const store = await openStore(t)
    const odd = ['a&&b', '|', 'a|b', '&', 'R & D', 'b c', '!', 'a,b', "it's", '*', '中文', 'a && b', 'a || b', ' c ']
    for (const tags of odd) await store.put({ topic: 'a', body: tags, tags })
    for (const tags of odd) assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 0, tags: [tags] })).messages), [tags])
    for (const tags of odd.slice(0, 9))
      assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 0, tags })).messages), [tags])
    const list = ['!']
    assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 0, tags: list })).messages), ['!'])
    list[0] = '&'
    assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 0, tags: list })).messages), ['&'])
  })
})

describe('limits', () => {
  test('maxBytes counts records, and the first always fits', async (t) => {
    const store = await openStore(t)
    const { size } = await store.put({ topic: 'a', body: 'x' })
    await store.put({ topic: 'a', body: 'y' })
    await store.put({ topic: 'a', body: 'z' })
    const counts = []
    for (const maxBytes of [1, size, 2 * size - 1, 2 * size, 3 * size]) {
      const { messages, nextOffset } = await store.get({ topic: 'a', offset: 0, maxBytes })
      assert.equal(nextOffset, messages.length)
      counts.push(messages.length)
    }
    assert.deepEqual(counts, [1, 1, 1, 2, 3])
  })

  test('any walk with any limits and filter sees every message once and in order', async (t) => {
    const store = await openStore(t)
    await fill(store, 50, 'a', 150)
    for (const tags of ['*', 'even', 'odd', 'none']) {
      const wanted = Array.from({ length: 50 }, (_, n) => n).filter(
        (n) => tags === '*' || (tags === 'even' ? n % 2 === 0 : tags === 'odd' && n % 2 === 1),
      )
      for (const [maxMessages, maxBytes] of [
        [1, 10_000],
        [3, 10_000],
        [32, 500],
        [100, 1],
        [800, 1 << 20],
      ] as const) {
        const seen: number[] = []
        for (let offset = 0; offset < 50; ) {
          const { messages, nextOffset } = await store.get({ topic: 'a', offset, maxMessages, maxBytes, tags })
          assert.ok(nextOffset > offset)
          assert.ok(messages.length <= maxMessages)
          seen.push(...messages.map(({ queueOffset }) => queueOffset))
          offset = nextOffset
        }
        assert.deepEqual(seen, wanted, `${tags} ${maxMessages} ${maxBytes}`)
      }
    }
  })

  test('wrong requests are refused with the name of what is wrong', async (t) => {
    const store = await openStore(t)
    const wrong: [object, RegExp][] = [
      [{ topic: 5, offset: 0 }, /topic/],
      [{ topic: 'a' }, /offset/],
      [{ topic: 'a', offset: -1 }, /offset.*-1/],
      [{ topic: 'a', offset: 1.5 }, /offset/],
      [{ topic: 'a', offset: '0' }, /offset/],
      [{ topic: 'a', offset: 0, queueId: -1 }, /queueId/],
      [{ topic: 'a', offset: 0, maxMessages: 0 }, /maxMessages/],
      [{ topic: 'a', offset: 0, maxBytes: 0 }, /maxBytes/],
      [{ topic: 'a', offset: 0, waitMs: -1 }, /waitMs/],
      [{ topic: 'a', offset: 0, waitMs: Number.NaN }, /waitMs/],
      [{ topic: 'a', offset: 0, tags: 5 }, /tags/],
    ]
    for (const [request, message] of wrong) {
      await assert.rejects(store.get(request as never), (error) => {
        assert.ok(error instanceof TypeError || error instanceof RangeError, String(error))
        assert.match(error.message, message)
        return true
      })
    }
  })
})

describe('waiting', () => {
  test('a get that waits is answered by the next message of its queue only', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time, timers: time } })
    let result: GetResult | undefined
    void store.get({ topic: 'a', queueId: 1, offset: 0, waitMs: 1000 }).then((got) => (result = got))
    await store.put({ topic: 'a', queueId: 0, body: 'other queue' })
    await store.put({ topic: 'b', queueId: 1, body: 'other topic' })
    await settled()
    assert.equal(result, undefined)
    await store.put({ topic: 'a', queueId: 1, body: 'mine' })
    await settled()
    assert.deepEqual(bodies(result!.messages), ['mine'])
  })

  test('after waitMs without a message the status tells why there is none', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time, timers: time } })
    await store.put({ topic: 'a', body: 'x', tags: 'x' })
    const results: GetResult[] = []
    for (const request of [
      { topic: 'b', offset: 0 },
      { topic: 'a', offset: 1 },
      { topic: 'a', offset: 0, tags: 'y' },
    ]) {
      void store.get({ ...request, waitMs: 1000 }).then((got) => results.push(got))
    }
    await settled()
    time.advance(999)
    await settled()
    assert.equal(results.length, 0)
    time.advance(1)
    await settled()
    assert.deepEqual(results.map(({ status, nextOffset }) => [status, nextOffset]).sort(), [
      ['NO_MATCHED_LOGIC_QUEUE', 0],
      ['OFFSET_OVERFLOW_ONE', 1],
      ['OFFSET_OVERFLOW_ONE', 1],
    ])
  })

  test('messages that the filter rejects do not end the wait, and it goes on behind them', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time, timers: time } })
    const got = store.get({ topic: 'a', offset: 0, tags: 'wanted', waitMs: 1000 })
    for (let i = 0; i < 5; i++) await store.put({ topic: 'a', body: 'no', tags: 'other' })
    await store.put({ topic: 'a', body: 'yes', tags: 'wanted' })
    const { messages, nextOffset } = await got
    assert.deepEqual(bodies(messages), ['yes'])
    assert.equal(nextOffset, 6)
  })

  test('a wait does not begin where it could not help', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time, timers: time } })
    await fill(store, 2)
    for (const [request, status] of [
      [{ topic: 'a', offset: 9 }, 'OFFSET_OVERFLOW_BADLY'],
      [{ topic: 'b', offset: 9 }, 'NO_MATCHED_LOGIC_QUEUE'],
      [{ topic: 'a', offset: 0 }, 'FOUND'],
    ] as const)
      assert.equal((await store.get({ ...request, waitMs: 1000 })).status, status)
    assert.equal(time.now(), time.now())
  })

  test('a signal ends the wait with its reason, before, during and never after', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time, timers: time } })
    const reason = new Error('enough')
    await assert.rejects(store.get({ topic: 'a', offset: 0, waitMs: 1000, signal: AbortSignal.abort(reason) }), reason)
    const controller = new AbortController()
    const waiting = store.get({ topic: 'a', offset: 0, waitMs: 1000, signal: controller.signal })
    await settled()
    controller.abort(reason)
    await assert.rejects(waiting, reason)
    const other = new AbortController()
    const found = store.get({ topic: 'a', offset: 0, waitMs: 1000, signal: other.signal })
    await store.put({ topic: 'a', body: 'x' })
    assert.equal((await found).status, 'FOUND')
    other.abort(reason)
  })

  test('a wait leaves neither a timer nor a listener behind', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time, timers: time } })
    await store.put({ topic: 'a', body: 'x' })
    const before = time.pendingTimers
    const waits = [1, 2, 3].map(() => store.get({ topic: 'a', offset: 1, waitMs: 1000 }))
    await settled()
    assert.equal(time.pendingTimers, before + 3)
    await store.put({ topic: 'a', body: 'y' })
    await Promise.all(waits)
    assert.equal(time.pendingTimers, before)
  })

  test('messages of one turn wake who waits for their queues, whatever else is put between them', async (t) => {
    const store = await openStore(t)
    const waits = [2, 0, 3].map((queueId) => store.get({ topic: 'a', queueId, offset: 0, waitMs: 1000 }))
    const other = store.get({ topic: 'b', offset: 0, waitMs: 1000 })
    await settled()
    const put = (topic: string, queueId: number) => store.put({ topic, queueId, body: `${topic}${queueId}` })
    await Promise.all([put('c', 0), put('a', 1), put('c', 1), put('a', 0), put('a', 3), put('a', 2), put('a', 2), put('b', 0)])
    const got = await Promise.all([...waits, other])
    assert.deepEqual(
      got.map(({ messages }) => bodies(messages)),
      [['a2', 'a2'], ['a0'], ['a3'], ['b0']],
    )
  })

  test('closing ends every wait with STORE_CLOSED', async () => {
    const time = new ManualTime()
    const store = await open(freshDisk(), {}, { clock: time, timers: time })
    const waits = [0, 1, 2].map((queueId) => store.get({ topic: 'a', queueId, offset: 0, waitMs: 1000 }))
    const checks = waits.map((wait) => assert.rejects(wait, code('STORE_CLOSED')))
    await settled()
    await store.close()
    await Promise.all(checks)
  })
})

describe('damage', () => {
  test('a damaged record ends the batch before it; alone at the start it is STORE_CORRUPT with the offset behind it', async (t) => {
    const disk = freshDisk()
    const first = await open(disk)
    const receipts = []
    for (let i = 0; i < 8; i++) receipts.push(await first.put({ topic: 'a', body: `body ${i}`, keys: `k${i}` }))
    await first.close()
    flipLog(disk, receipts[3]!.commitLogOffset + 90)
    const store = await openStore(t, { disk })
    const { messages, nextOffset, status } = await store.get({ topic: 'a', offset: 0 })
    assert.deepEqual([status, messages.length, nextOffset], ['FOUND', 3, 3])
    const error = await store.get({ topic: 'a', offset: 3 }).catch((thrown: unknown) => thrown)
    assert.ok(error instanceof MessageStoreError && error.code === 'STORE_CORRUPT', String(error))
    assert.deepEqual(
      { ...error.details },
      { commitLogOffset: receipts[3]!.commitLogOffset, topic: 'a', queueId: 0, offset: 3, nextOffset: 4 },
    )
    assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 4 })).messages), ['body 4', 'body 5', 'body 6', 'body 7'])
    assert.equal(await store.lookup({ commitLogOffset: receipts[3]!.commitLogOffset }), undefined)
    assert.deepEqual(await store.query({ topic: 'a', key: 'k3' }), [])
    assert.equal((await store.query({ topic: 'a', key: 'k4' })).length, 1)
    assert.equal((await store.put({ topic: 'a', body: 'on' })).queueOffset, 8)
  })

  test('damaged entries of a queue are noticed, and the queue is made anew from the log', async (t) => {
    for (const [position, bytes] of [
      [20, Uint8Array.of(0x80)],
      [27, Uint8Array.of(0x55)],
      [31, Uint8Array.of(0)],
      [39, Uint8Array.of(1)],
    ] as const) {
      const disk = freshDisk()
      const first = await open(disk)
      for (let i = 0; i < 20; i++) await first.put({ topic: 'a', body: `${i}`, keys: 'k', tags: 'x' })
      await first.close()
      disk.overwrite('/s/consumequeue/a/0/00000000000000000000', position, bytes)
      const store = await openStore(t, { disk })
      const { messages } = await store.get({ topic: 'a', offset: 0, tags: 'x' })
      assert.deepEqual(
        bodies(messages),
        Array.from({ length: 20 }, (_, n) => `${n}`),
      )
    }
  })
})

test('a get that waits over a long queue in which nothing matches can be called off', async (t) => {
  const store = await openStore(t, { options: { segmentBytes: 1024 * 1024, queueSegmentEntries: 10_000 } })
  await store.putBatch(Array.from({ length: 5000 }, () => ({ topic: 'a', body: 'x', tags: 'no' })))
  const calling = new AbortController()
  setImmediate(() => calling.abort())
  const got = store.get({ topic: 'a', offset: 0, tags: 'yes', waitMs: 600_000, signal: calling.signal })
  await assert.rejects(got, { name: 'AbortError' })
})
