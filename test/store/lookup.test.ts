/** Finding by id and by address. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bad, bodies, code, freshDisk, open, openStore, refusalOf } from '../support/open-store.js'
import { Random } from '../support/random.js'

describe('lookup', () => {
  test('every message is found by its id, in either case, and by its address', async (t) => {
    const store = await openStore(t)
    for (let i = 0; i < 50; i++) {
      const storeHost = i % 2 === 0 ? '10.0.0.1:10911' : '[2001:db8::1]:10911'
      const { messageId, commitLogOffset } = await store.put({ topic: 'a', body: `${i}`, storeHost })
      assert.equal(messageId.length, i % 2 === 0 ? 32 : 56)
      for (const target of [messageId, messageId.toLowerCase(), { commitLogOffset }])
        assert.deepEqual(bodies([(await store.lookup(target))!]), [`${i}`])
    }
  })

  test('an address that is not the start of a record gives nothing, wherever it is', async (t) => {
    const store = await openStore(t)
    const random = new Random(1)
    const starts = new Set<number>()
    for (let i = 0; i < 40; i++)
      starts.add((await store.put({ topic: 'a', body: random.bytes(random.int(300)), keys: `k${i}` })).commitLogOffset)
    const end = store.metrics.snapshot()['commitLogEnd']!
    for (let address = 0; address < end + 200; address++) {
      const message = await store.lookup({ commitLogOffset: address })
      assert.equal(message !== undefined, starts.has(address), `at ${address}`)
      assert.ok(message === undefined || message.commitLogOffset === address)
    }
    for (const address of [2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER])
      assert.equal(await store.lookup({ commitLogOffset: address }), undefined)
  })

  test('a body that looks like a record is not taken for one', async (t) => {
    const disk = freshDisk()
    const first = await open(disk)
    const { size } = await first.put({ topic: 'a', body: 'x' })
    await first.close()
    const record = disk.bytesOf('/s/commitlog/00000000000000000000', 0, size)
    const store = await openStore(t)
    const { commitLogOffset } = await store.put({ topic: 'a', body: record })
    const message = await store.lookup({ commitLogOffset })
    assert.deepEqual(message!.body, Buffer.from(record))
    for (let at = 1; at < message!.size; at++)
      assert.equal(await store.lookup({ commitLogOffset: commitLogOffset + at }), undefined)
  })

  test('what is not an id or an address is refused', async (t) => {
    const store = await openStore(t)
    for (const id of ['', 'xyz', 'A'.repeat(31), 'G'.repeat(32), 'F'.repeat(32)])
      await assert.rejects(store.lookup(id), code('MESSAGE_ILLEGAL', 'message id'))
    for (const commitLogOffset of [-1, 1.5, Number.NaN, 2 ** 53, '0', undefined])
      await assert.rejects(
        store.lookup({ commitLogOffset } as never),
        bad(refusalOf('number', commitLogOffset), 'commitLogOffset'),
      )
    for (const target of [undefined, null, 5])
      await assert.rejects(store.lookup(target as never), bad(TypeError, 'commitLogOffset'))
  })

  test('changing the body that was returned changes nothing else', async (t) => {
    const store = await openStore(t)
    const { commitLogOffset } = await store.put({ topic: 'a', body: 'abc' })
    ;(await store.lookup({ commitLogOffset }))!.body.fill(0)
    assert.deepEqual(bodies([(await store.lookup({ commitLogOffset }))!]), ['abc'])
  })
})
