/** Following a queue: everything once, in order, waiting for what comes, ending when told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StoredMessage } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bad, code, flipLog, freshDisk, open, openStore } from '../support/open-store.js'

describe('follow', () => {
  test('it gives what is there and then what comes, each once and in order', async (t) => {
    const store = await openStore(t)
    const put = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await store.put({ topic: 'a', body: `${i}` })
    }
    await put(0, 40)
    const controller = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      for await (const message of store.follow({ topic: 'a', offset: 5, maxMessages: 3, signal: controller.signal })) {
        seen.push(message.body.toString())
        if (seen.length === 55) controller.abort()
      }
    })()
    await put(40, 70)
    await following
    assert.deepEqual(
      seen,
      Array.from({ length: 55 }, (_, n) => `${n + 5}`),
    )
  })

  test('it applies tags, and reads no further than it is asked to', async (t) => {
    const store = await openStore(t)
    for (let i = 0; i < 9; i++) await store.put({ topic: 'a', body: `${i}`, tags: i % 3 === 0 ? 'x' : 'y' })
    const following = store.follow({ topic: 'a', offset: 0, tags: 'x', maxMessages: 1 })
    const seen = []
    for (let i = 0; i < 3; i++) seen.push(((await following.next()).value as StoredMessage).queueOffset)
    assert.deepEqual(seen, [0, 3, 6])
    await following.return?.()
  })

  test('an unknown queue is waited for, and a too high or too low offset goes on at the edge', async (t) => {
    const store = await openStore(t)
    const next = store.follow({ topic: 'a', offset: 7 }).next()
    await store.put({ topic: 'a', body: '0' })
    assert.equal(((await next).value as StoredMessage).queueOffset, 0)
    const high = store.follow({ topic: 'a', offset: 99 }).next()
    await settled()
    await store.put({ topic: 'a', body: '1' })
    assert.equal(((await high).value as StoredMessage).queueOffset, 1)
  })

  test('a signal ends it without an error, before it begins, while it waits and between messages', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { timers: time, clock: time } })
    for (let i = 0; i < 3; i++) await store.put({ topic: 'a', body: `${i}` })
    assert.equal((await store.follow({ topic: 'a', offset: 0, signal: AbortSignal.abort() }).next()).done, true)
    const waits = new AbortController()
    const waiting = store.follow({ topic: 'a', offset: 3, signal: waits.signal }).next()
    await settled()
    waits.abort()
    assert.equal((await waiting).done, true)
    const between = new AbortController()
    const following = store.follow({ topic: 'a', offset: 0, signal: between.signal })
    assert.equal((await following.next()).done, false)
    between.abort()
    assert.equal((await following.next()).done, true)
  })

  test('closing the store ends it', async () => {
    const store = await open(freshDisk())
    const next = store.follow({ topic: 'a', offset: 0 }).next()
    await settled()
    await store.close()
    assert.equal((await next).done, true)
  })

  test('a damaged record is an error with the offset behind it', async (t) => {
    const disk = freshDisk()
    const first = await open(disk)
    const receipts = []
    for (let i = 0; i < 4; i++) receipts.push(await first.put({ topic: 'a', body: `${i}`, keys: 'k' }))
    await first.close()
    flipLog(disk, receipts[2]!.commitLogOffset + 80)
    const store = await openStore(t, { disk })
    const seen: number[] = []
    await assert.rejects(async () => {
      for await (const message of store.follow({ topic: 'a', offset: 0 })) seen.push(message.queueOffset)
    }, code('STORE_CORRUPT'))
    assert.deepEqual(seen, [0, 1])
  })

  test('a wrong request is refused at the first step', async (t) => {
    const store = await openStore(t)
    await assert.rejects(store.follow({ topic: 'a', offset: -1 }).next(), bad(RangeError, 'offset'))
  })
})
