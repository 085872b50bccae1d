/** What transactions are made of, with what RocketMQ's brokers of both generations write. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HALF_TOPIC, OP_TOPIC } from '../../lib/broker/config/system-topics.js'
import { immunityOf } from '../../lib/broker/transaction/half-message.js'
import { OpLog, parseOps, printOps } from '../../lib/broker/transaction/op-log.js'
import { rebuildUndecided } from '../../lib/broker/transaction/rebuild.js'
import { Undecided } from '../../lib/broker/transaction/undecided.js'
import type { MessageStore } from '../../lib/index.js'
import { openStore } from '../support/open-store.js'

const at = (queueOffset: number) => ({
  queueOffset,
  commitLogOffset: queueOffset * 100,
  storeTimestamp: 1,
  bornTimestamp: 1,
  dueAt: 1,
})

describe('op messages', () => {
  test('name one half message as 4.9 does, and several as 5.x does; both are read', () => {
    assert.equal(printOps([17]), '17')
    assert.equal(printOps([17, 18]), '17,18,')
    const read = (body: string, tags: string | undefined = 'd'): number[] => parseOps({ tags, body: Buffer.from(body) })
    assert.deepEqual(read('17'), [17])
    assert.deepEqual(read('17,18,'), [17, 18])
    assert.deepEqual(read('17,x,-1,,1e3, 19'), [17, 19])
    assert.deepEqual(read(''), [])
    assert.deepEqual(read('17', 'other'), [])
    assert.deepEqual(parseOps({ tags: undefined, body: Buffer.from('17') }), [])
  })

  test('that cannot be stored reject those who wait for them, and the next ones are tried anew', async () => {
    let fails = true
    const stored: (readonly number[])[] = []
    const put = (): Promise<never> => (fails ? Promise.reject(new Error('full')) : Promise.resolve({ queueOffset: 0 } as never))
    const log = new OpLog({ store: { put }, timers: { endOfTurn: setImmediate }, onStored: ({ halves }) => stored.push(halves) })
    const both = await Promise.allSettled([log.note(1), log.note(2)])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    fails = false
    await Promise.all([log.note(1), log.note(2)])
    assert.deepEqual(stored, [[1, 2]])
  })
})

describe('progress', () => {
  test('stops at the oldest that is undecided, and at the first op message that names one above it', () => {
    const undecided = new Undecided(0, 0)
    const [a, b, c] = [0, 1, 2].map((offset) => undecided.add(at(offset)))
    undecided.noteOp({ queueOffset: 0, halves: [0] })
    undecided.settle(a!)
    undecided.noteOp({ queueOffset: 1, halves: [2] })
    undecided.settle(c!)
    assert.deepEqual(undecided.progress(), { half: 1, op: 1 })
    undecided.move(b!, at(3))
    undecided.noteOp({ queueOffset: 2, halves: [1] })
    assert.equal(undecided.find(1), b)
    assert.deepEqual(undecided.progress(), { half: 3, op: 3 })
    undecided.settle(b!)
    assert.equal(undecided.find(1), undefined)
    assert.deepEqual(undecided.progress(), { half: 4, op: 3 })
  })

  test('does not pass a half message that is stored but not yet told of', () => {
    const undecided = new Undecided(0, 0)
    undecided.settle(undecided.add(at(1)))
    assert.equal(undecided.progress().half, 0)
    const late = undecided.add(at(0))
    assert.equal(undecided.progress().half, 0)
    undecided.settle(late)
    assert.equal(undecided.progress().half, 2)
  })

  test('falls behind a little, never ahead, when very many op messages must be remembered', () => {
    const undecided = new Undecided(0, 0)
    const first = undecided.add(at(0))
    for (let i = 1; i <= 100_000; i++) {
      undecided.settle(undecided.add(at(i)))
      undecided.noteOp({ queueOffset: i - 1, halves: [i] })
    }
    assert.deepEqual(undecided.progress(), { half: 0, op: 0 })
    undecided.move(first, at(100_001))
    undecided.noteOp({ queueOffset: 100_000, halves: [0] })
    assert.deepEqual(undecided.progress(), { half: 100_001, op: 100_001 })
  })
})

describe('what is undecided in a directory', () => {
  const half = (store: MessageStore, key: string, properties: Record<string, string> = {}) =>
    store.put({ topic: HALF_TOPIC, body: key, uniqueKey: key, properties: { PGROUP: 'p', REAL_TOPIC: 't', ...properties } })
  const op = (store: MessageStore, body: string) => store.put({ topic: OP_TOPIC, body, tags: 'd' })
  const rebuilt = (store: MessageStore, offset?: number) =>
    rebuildUndecided({ store, offsets: { find: () => offset }, clampedOffsets: [], timeoutMs: 6000 })
  const offsetsOf = (undecided: Undecided): number[] => [...undecided.all()].map(({ queueOffset }) => queueOffset)

  test('is what no op message names, from the committed offsets on', async (t) => {
    const store = await openStore(t)
    for (const key of ['0', '1', '2', '3', '4']) await half(store, key)
    for (const body of ['0', '3,1,']) await op(store, body)
    assert.deepEqual(offsetsOf(await rebuilt(store)), [2, 4])
    assert.deepEqual((await rebuilt(store)).progress(), { half: 2, op: 1 })
    const later = await rebuilt(store, 2)
    assert.deepEqual(offsetsOf(later), [2, 3, 4])
    assert.deepEqual(later.progress(), { half: 2, op: 2 })
  })

  test('counts a half message and its copies once, the newest, and knows it by the older ones too', async (t) => {
    const store = await openStore(t)
    await half(store, 'a')
    await half(store, 'b')
    await half(store, 'a', { TRANSACTION_CHECK_TIMES: '1' })
    await half(store, 'b', { TRAN_PREPARED_QUEUE_OFFSET: '1' })
    const undecided = await rebuilt(store)
    assert.deepEqual(offsetsOf(undecided), [2, 3])
    assert.equal(undecided.find(0)?.queueOffset, 2)
    assert.equal(undecided.find(1)?.queueOffset, 3)
    // Java's copy of an immune half message is decided when the first one is.
    await op(store, '1')
    assert.deepEqual(offsetsOf(await rebuilt(store)), [2])
  })

  test('is found from the beginning when committed offsets stood beyond the queues', async (t) => {
    const store = await openStore(t)
    await half(store, 'a')
    const clamped = { topic: OP_TOPIC, group: 'CID_RMQ_SYS_TRANS', queueId: 0, offset: 5, maxOffset: 0 }
    const parts = { store, offsets: { find: () => 1 }, timeoutMs: 6000 }
    assert.equal((await rebuildUndecided({ ...parts, clampedOffsets: [] })).size, 0)
    assert.equal((await rebuildUndecided({ ...parts, clampedOffsets: [clamped] })).size, 1)
  })

  test('is immune for as long as it says, or for the time of all when that is no number', () => {
    const immunity = (seconds?: string) =>
      immunityOf({ properties: seconds === undefined ? {} : { CHECK_IMMUNITY_TIME_IN_SECONDS: seconds } }, 6000)
    assert.deepEqual([immunity(), immunity('-1'), immunity('x'), immunity('30')], [undefined, 6000, 6000, 30_000])
  })
})
