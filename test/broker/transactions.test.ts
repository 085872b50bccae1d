/** Transactions: what is delivered, who is asked and how often, and what stands in the directory. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'
import { HALF_TOPIC, OP_TOPIC, UNDECIDED_TOPIC } from '../../lib/broker/config/system-topics.js'
import type { TransactionProducer, TransactionProducerOptions } from '../../lib/broker/transaction/transaction-producer.js'
import type { TransactionDecision } from '../../lib/broker/transaction/transactions.js'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import type { StoredMessage } from '../../lib/index.js'
import { ManualTime } from '../support/manual-time.js'
import { openTestBroker, refusal, small, take, textOf } from '../support/open-broker.js'
import { bad, bodies, freshDisk, readQueue, root } from '../support/open-store.js'

const topics = { orders: { queues: 2 } }
const GROUP = 'CID_RMQ_SYS_TRANS'

/** A broker on a clock of its own, with a producer that notes what it is asked. */
class World {
  readonly time: ManualTime
  readonly broker: Broker
  readonly asked: string[] = []
  answer: (body: string) => TransactionDecision = () => 'unknown'

  private constructor(time: ManualTime, broker: Broker) {
    this.time = time
    this.broker = broker
  }

  static async open(
    t: TestContext,
    {
      disk = freshDisk(),
      time = new ManualTime(),
      options = {},
    }: { disk?: MemoryDisk; time?: ManualTime; options?: BrokerOptions } = {},
  ): Promise<World> {
    const ports = { clock: time, timers: time }
    return new World(time, await openTestBroker(t, { disk, options: { topics, ...options }, ports }))
  }

  producer(options: Partial<TransactionProducerOptions> = {}): TransactionProducer {
    const check: TransactionProducerOptions['check'] = ({ body, checks }) => {
      this.asked.push(`${body} ${checks}`)
      return this.answer(body.toString())
    }
    return this.broker.transactionProducer({ group: 'payments', check, ...options })
  }

  /** Moves the clock by seconds, one by one, and lets what was waiting happen. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.time.advance(1000)
      for (let j = 0; j < 12; j++) await turn()
    }
  }

  read(topic: string, queueId = 0): Promise<StoredMessage[]> {
    return readQueue(this.broker.store, topic, queueId)
  }

  async orders(): Promise<string[]> {
    return [...bodies(await this.read('orders', 0)), ...bodies(await this.read('orders', 1))]
  }
}

const send = (producer: TransactionProducer, body: string, decision: TransactionDecision) =>
  producer.send({ topic: 'orders', body, queueId: 1 }, () => decision)

describe('a transaction', () => {
  test('that commits delivers its message as it was sent; the half message and the decision stand as RocketMQ writes them', async (t) => {
    const world = await World.open(t)
    const consumer = world.broker.consumer({ group: 'g', subscribe: { orders: 'paid' } })
    const seen: unknown[] = []
    const request = { topic: 'orders', body: 'x', queueId: 1, tags: 'paid', keys: ['k1', 'k2'], properties: { a: 'b' }, flag: 7 }
    const receipt = await world.producer().send(request, async (message, half): Promise<TransactionDecision> => {
      seen.push(message, await world.orders(), half.queueOffset)
      return 'commit'
    })
    assert.deepEqual(seen, [request, [], 0])
    const [delivery] = await take(consumer, 1)
    const { message } = delivery!
    assert.deepEqual([message.body.toString(), message.tags, message.keys, message.flag], ['x', 'paid', ['k1', 'k2'], 7])
    assert.deepEqual([message.queueId, message.uniqueKey, message.sysFlag], [1, receipt.uniqueKey, 8])
    const [half] = await world.read(HALF_TOPIC)
    const expected = {
      a: 'b',
      TAGS: 'paid',
      KEYS: 'k1 k2',
      UNIQ_KEY: receipt.uniqueKey,
      REAL_TOPIC: 'orders',
      REAL_QID: '1',
      TRAN_MSG: 'true',
      PGROUP: 'payments',
      __transactionId__: receipt.uniqueKey,
    }
    assert.deepEqual({ ...half!.properties }, expected)
    const [committed] = await world.read('orders', 1)
    // Byte for byte but for the sum over the record.
    assert.deepEqual(committed!.encodedProperties.subarray(0, -20), half!.encodedProperties.subarray(0, -20))
    assert.equal(committed!.preparedTransactionOffset, half!.commitLogOffset)
    const [op] = await world.read(OP_TOPIC)
    assert.deepEqual([op!.tags, op!.body.toString()], ['d', '0'])
    assert.equal(receipt.decision, 'commit')
    assert.equal(receipt.committed?.commitLogOffset, committed!.commitLogOffset)
    assert.equal((receipt.toJSON()['committed'] as { topic: string }).topic, 'orders')
  })

  test('that rolls back delivers nothing, now or later', async (t) => {
    const world = await World.open(t)
    const receipt = await send(world.producer(), 'x', 'rollback')
    assert.deepEqual([receipt.decision, receipt.committed], ['rollback', undefined])
    await world.pass(100)
    assert.deepEqual([await world.orders(), world.asked, bodies(await world.read(OP_TOPIC))], [[], [], ['0']])
  })

  test('that is left open is asked about when it is 6 seconds old, at the next round, and then ends as the answer says', async (t) => {
    const world = await World.open(t)
    const producer = world.producer()
    await world.pass(23)
    await send(producer, 'old', 'unknown')
    await world.pass(3)
    await send(producer, 'young', 'unknown')
    world.answer = (body) => (body === 'old' ? 'commit' : 'rollback')
    await world.pass(5)
    assert.deepEqual(world.asked, ['old 1'])
    assert.deepEqual(await world.orders(), ['old'])
    await world.pass(60)
    assert.deepEqual(world.asked, ['old 1', 'young 1'])
    assert.deepEqual(await world.orders(), ['old'])
    // Of each the first copy was replaced by the one that was asked about, and that one decided.
    assert.deepEqual(bodies(await world.read(OP_TOPIC)), ['0', '2', '1', '3'])
    assert.equal((await world.read(HALF_TOPIC))[2]!.properties['TRANSACTION_CHECK_TIMES'], '1')
  })

  test('whose function throws is left to the check, and the error comes through', async (t) => {
    const world = await World.open(t)
    const failing = world.producer().send({ topic: 'orders', body: 'x' }, () => {
      throw new Error('the database is away')
    })
    await assert.rejects(failing, /the database is away/)
    world.answer = () => 'commit'
    await world.pass(31)
    assert.deepEqual(await world.orders(), ['x'])
  })

  test('may be ended by its function after a copy of it was asked about', async (t) => {
    const world = await World.open(t)
    let finish = (_: TransactionDecision): void => {}
    const sending = world.producer().send({ topic: 'orders', body: 'x' }, () => new Promise((resolve) => (finish = resolve)))
    await world.pass(65)
    assert.deepEqual(world.asked, ['x 1', 'x 2'])
    finish('commit')
    assert.equal((await sending).decision, 'commit')
    await world.pass(60)
    assert.deepEqual([await world.orders(), world.asked.length], [['x'], 2])
  })

  test('is not asked about in its time of immunity, and after it only an answer counts', async (t) => {
    const world = await World.open(t)
    const producer = world.producer({ immunitySeconds: 100 })
    await send(producer, 'quick', 'commit')
    let finish = (_: TransactionDecision): void => {}
    const slow = producer.send({ topic: 'orders', body: 'slow' }, () => new Promise((resolve) => (finish = resolve)))
    const refused = assert.rejects(slow, refusal('TRANSACTION_UNKNOWN', 'immunity'))
    await world.pass(100)
    assert.deepEqual(world.asked, [])
    await world.pass(25)
    assert.deepEqual(world.asked, ['slow 1'])
    finish('commit')
    await refused
    world.answer = () => 'commit'
    await world.pass(30)
    assert.deepEqual(
      [(await world.orders()).sort(), world.asked],
      [
        ['quick', 'slow'],
        ['slow 1', 'slow 2'],
      ],
    )
  })

  test('that nobody decides in 15 checks goes to the topic of the undecided', async (t) => {
    const world = await World.open(t)
    await send(world.producer(), 'x', 'unknown')
    await world.pass(15 * 30)
    assert.equal(world.broker.topics.find(UNDECIDED_TOPIC), undefined)
    assert.equal(world.asked.length, 15)
    await world.pass(60)
    assert.equal(world.asked.length, 15)
    const [given] = await world.read(UNDECIDED_TOPIC)
    assert.deepEqual([given!.body.toString(), given!.properties['TRANSACTION_CHECK_TIMES']], ['x', '15'])
    assert.deepEqual(await world.orders(), [])
    const { topic, readQueues, permission } = world.broker.topics.get(UNDECIDED_TOPIC)
    assert.deepEqual([topic, readQueues, permission], [UNDECIDED_TOPIC, 1, 6])
  })

  test('waits as long as its group has no producer, is copied before its segment may go, and is given up with the log', async (t) => {
    const world = await World.open(t, { options: { store: { retentionHours: 1 } } })
    const producer = world.producer()
    await send(producer, 'x', 'unknown')
    await producer.close()
    await world.pass(25 * 60)
    assert.equal((await world.read(HALF_TOPIC)).length, 1)
    await world.pass(10 * 60)
    const copies = await world.read(HALF_TOPIC)
    assert.deepEqual(bodies(copies), ['x', 'x'])
    assert.equal(copies[1]!.properties['TRANSACTION_CHECK_TIMES'], '0')
    assert.deepEqual(world.asked, [])
    await world.pass(26 * 60)
    assert.deepEqual(bodies(await world.read(UNDECIDED_TOPIC)), ['x'])
  })

  test('is asked of the producers of its group in turn, and of no other', async (t) => {
    const world = await World.open(t)
    const asked: string[] = []
    const named = (group: string, name: string) =>
      world.producer({
        group,
        check: () => {
          asked.push(name)
          return 'unknown'
        },
      })
    const first = named('payments', 'a')
    named('payments', 'b')
    named('others', 'c')
    await send(first, 'x', 'unknown')
    await world.pass(4 * 30 + 1)
    assert.deepEqual(asked.join('').replace(/^b/, ''), 'abab'.slice(0, asked[0] === 'b' ? 3 : 4))
  })

  test('whose check throws is told of and asked about again', async (t) => {
    const time = new ManualTime()
    const broker = await Broker.open(root, { topics, store: small }, { disk: freshDisk(), clock: time, timers: time })
    t.after(() => broker.close())
    const problems: string[] = []
    broker.on('problem', ({ error, during }) => problems.push(`${during}: ${(error as Error).message}`))
    let count = 0
    const check = (): TransactionDecision => {
      if (count++ === 0) throw new Error('not now')
      return 'commit'
    }
    await broker.transactionProducer({ group: 'p', check }).send({ topic: 'orders', body: 'x', queueId: 0 }, () => 'unknown')
    for (let i = 0; i < 61; i++) {
      time.advance(1000)
      for (let j = 0; j < 12; j++) await turn()
    }
    assert.deepEqual(problems, ['asking a producer about a transaction: not now'])
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders', 0)), ['x'])
  })

  test('that is committed goes to a consumer with filters, and its decisions of one turn share an op message', async (t) => {
    const world = await World.open(t)
    const producer = world.producer()
    const consumer = world.broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' })
    await Promise.all(Array.from({ length: 1000 }, (_, i) => send(producer, `${i}`, i % 2 ? 'commit' : 'rollback')))
    const got = textOf(await take(consumer, 500)).map(Number)
    assert.deepEqual(
      got.sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, i) => 2 * i + 1),
    )
    const ops = await world.read(OP_TOPIC)
    assert.ok(ops.length < 20, `${ops.length} op messages`)
    const named = ops.flatMap(({ body }) => body.toString().split(',').filter(Boolean).map(Number))
    assert.deepEqual(
      named.sort((a, b) => a - b),
      Array.from({ length: 1000 }, (_, i) => i),
    )
    for (const { body } of ops) assert.ok(body.length < 4200)
  })
})

describe('after a restart', () => {
  test('what was undecided is asked about, what was decided is not, and committed offsets tell both to RocketMQ', async (t) => {
    const disk = freshDisk()
    const time = new ManualTime()
    const first = await World.open(t, { disk, time })
    const producer = first.producer()
    await send(producer, '0', 'commit')
    await send(producer, '1', 'unknown')
    await send(producer, '2', 'rollback')
    await send(producer, '3', 'unknown')
    await first.broker.close()
    assert.deepEqual(writtenOffsets(disk), ['0:1', '0:1'])
    const world = await World.open(t, { disk, time })
    world.producer()
    world.answer = (body) => (body === '1' ? 'commit' : 'rollback')
    await world.pass(31)
    assert.deepEqual(world.asked.sort(), ['1 1', '3 1'])
    assert.deepEqual(await world.orders(), ['0', '1'])
    await world.broker.close()
    const { broker } = await World.open(t, { disk, time })
    assert.equal(broker.store.bounds(HALF_TOPIC).maxOffset, 6)
    assert.deepEqual(writtenOffsets(disk), ['0:6', `0:${broker.store.bounds(OP_TOPIC).maxOffset}`])
  })

  test('without the offsets everything is found from the queues alone', async (t) => {
    const disk = freshDisk()
    const first = await World.open(t, { disk })
    const producer = first.producer()
    for (const [body, decision] of [
      ['0', 'commit'],
      ['1', 'unknown'],
      ['2', 'commit'],
    ] as const)
      await send(producer, body, decision)
    await first.broker.close()
    disk.remove(`${root}/config/consumerOffset.json`)
    disk.remove(`${root}/config/consumerOffset.json.bak`)
    const world = await World.open(t, { disk })
    world.producer()
    world.answer = () => 'commit'
    await world.pass(31)
    assert.deepEqual(world.asked, ['1 1'])
    assert.deepEqual((await world.orders()).sort(), ['0', '1', '2'])
  })
})

describe('the end of a transaction', () => {
  test('is refused for a wrong place, group or second time, and nothing is stored', async (t) => {
    const { store, served } = await openTestBroker(t, { options: { topics } })
    const { transactions } = served
    const orders = async (): Promise<string[]> => bodies(await readQueue(store, 'orders', 1))
    const half = { topic: 'orders', queueId: 1, body: 'x', properties: { a: 'b' } }
    const { commitLogOffset, queueOffset } = await transactions.sendHalf(half, 'payments')
    const end = { commitLogOffset, queueOffset, group: 'payments', decision: 'commit' as const, fromCheck: false }
    for (const [wrong, word] of [
      [{ queueOffset: 1 }, 'never was'],
      [{ commitLogOffset: commitLogOffset + 1 }, 'no half message'],
      [{ commitLogOffset: 1 << 19 }, 'no half message'],
      [{ group: 'other' }, 'payments'],
    ] as const) {
      await assert.rejects(transactions.end({ ...end, ...wrong }), refusal('TRANSACTION_UNKNOWN', word))
    }
    assert.deepEqual(await orders(), [])
    const both = await Promise.allSettled([transactions.end(end), transactions.end({ ...end, decision: 'rollback' })])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    assert.throws(
      () => {
        throw (both[1] as PromiseRejectedResult).reason
      },
      refusal('TRANSACTION_UNKNOWN', 'already'),
    )
    await assert.rejects(transactions.end(end), refusal('TRANSACTION_UNKNOWN'))
    assert.deepEqual(await orders(), ['x'])
  })

  test('is refused for what no program may say', async (t) => {
    const world = await World.open(t, { options: { topics: { ...topics, batches: { queueType: 'BatchCQ' } } } })
    const producer = world.producer()
    const begin = (request: object, decide: unknown = () => 'commit') =>
      producer.send({ topic: 'orders', body: 'x', ...request }, decide as never)
    for (const delay of [{ delayLevel: 1 }, { delayMs: 5 }, { deliverAt: new Date() }])
      await assert.rejects(begin(delay), refusal('DELAY_INVALID'))
    await assert.rejects(begin({ topic: 'none' }), refusal('TOPIC_UNKNOWN'))
    await assert.rejects(begin({ topic: 'batches' }), refusal('TOPIC_REFUSED'))
    await assert.rejects(begin({ topic: HALF_TOPIC }), refusal('TOPIC_REFUSED'))
    await assert.rejects(begin({}, 'commit'), bad(TypeError, 'function'))
    assert.equal(world.broker.store.bounds(HALF_TOPIC).maxOffset, 0)
    await assert.rejects(
      begin({}, () => true),
      bad(TypeError, "'commit'"),
    )
    assert.deepEqual(await world.orders(), [])
    assert.throws(() => world.producer({ group: 'a b' }), bad(RangeError, 'a b'))
    assert.throws(() => world.producer({ check: 1 as never }), bad(TypeError, 'check'))
    assert.throws(() => world.producer({ immunitySeconds: 0 }), bad(RangeError, 'immunitySeconds'))
    assert.throws(() => world.producer({ timeout: 1 } as never), bad(TypeError, 'timeout'))
    await producer.close()
    await assert.rejects(begin({}), refusal('BROKER_CLOSED'))
    await world.broker.close()
    assert.throws(() => world.producer(), refusal('BROKER_CLOSED'))
    for (const wrong of [{ maxChecks: 0 }, { timeoutMs: -1 }, { checkIntervalMs: 1 }])
      await assert.rejects(
        Broker.open(root, { transactions: wrong }, { disk: freshDisk() }),
        bad(RangeError, Object.keys(wrong)[0]!),
      )
    await assert.rejects(Broker.open(root, { transactions: { x: 1 } as object }, { disk: freshDisk() }), bad(TypeError, 'x'))
  })
})

/** What is committed of the half and the op queue, as it stands in the file. */
function writtenOffsets(disk: MemoryDisk): (string | undefined)[] {
  const text = Buffer.from(disk.bytesOf(`${root}/config/consumerOffset.json`)).toString()
  return [HALF_TOPIC, OP_TOPIC].map((topic) => new RegExp(`"${topic}@${GROUP}":\\s*\\{\\s*(0:\\d+)`).exec(text)?.[1])
}
