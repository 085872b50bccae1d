/**
 * MODEL: random commands against a store and against an array in memory, which must agree on everything.
 *
 * A failing run is shrunk to the fewest commands; fast-check prints its seed, and `MQLITE_SEED` replays it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MessageStore, type PutReceipt, type StoredMessage, type StoreOptions } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { root, tiny } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'
import { seedOf, sized } from '../support/tier.js'

interface ModelMessage {
  readonly topic: string
  readonly queueId: number
  readonly body: string
  readonly tags: string | undefined
  readonly keys: readonly string[]
}

interface StoredModelMessage extends ModelMessage {
  readonly receipt: PutReceipt
}

/** What the store should hold: all messages in the order of the log. */
class Model {
  messages: readonly StoredModelMessage[] = []
  /** So many of them survive power loss for certain. */
  durable = 0

  queue(topic: string, queueId: number): StoredModelMessage[] {
    return this.messages.filter((message) => message.topic === topic && message.queueId === queueId)
  }

  add(message: ModelMessage, receipt: PutReceipt, isDurable: boolean): void {
    assert.equal(receipt.queueOffset, this.queue(message.topic, message.queueId).length)
    const last = this.messages.at(-1)?.receipt
    if (last !== undefined) {
      assert.ok(receipt.commitLogOffset >= last.commitLogOffset + last.size)
      assert.ok(receipt.storeTimestamp >= last.storeTimestamp)
    }
    this.messages = [...this.messages, { ...message, receipt }]
    if (isDurable) this.durable = this.messages.length
  }
}

/** The real thing: a store on a simulated disk, which can be closed and crashed. */
class Real {
  disk = new SimDisk()
  readonly time = new ManualTime()
  readonly options: StoreOptions
  #store: MessageStore | undefined

  constructor(options: StoreOptions) {
    this.options = { ...tiny, ...options }
  }

  get store(): MessageStore {
    return this.#store!
  }

  async open(): Promise<void> {
    this.#store = await MessageStore.open(root, this.options, { disk: this.disk, clock: this.time, timers: this.time })
    assert.equal(this.#store.status, 'open')
  }
}

type Step = fc.AsyncCommand<Model, Real>
type Run = (model: Model, real: Real) => Promise<void>

/** A command that can be told in a few words. */
function step(name: string, run: Run, check: (model: Readonly<Model>) => boolean = () => true): Step {
  return { check, run, toString: () => name }
}

function sameMessages(found: readonly StoredMessage[], wanted: readonly StoredModelMessage[]): void {
  const plain = (message: StoredMessage): unknown => {
    const { topic, queueId, queueOffset, commitLogOffset, size, storeTimestamp, messageId, tags, keys } = message
    return {
      topic,
      queueId,
      queueOffset,
      commitLogOffset,
      size,
      storeTimestamp,
      messageId,
      tags,
      keys,
      body: message.body.toString(),
    }
  }
  const known = ({ receipt, ...message }: StoredModelMessage): unknown => {
    const { queueOffset, commitLogOffset, size, storeTimestamp, messageId } = receipt
    return { ...message, queueOffset, commitLogOffset, size, storeTimestamp, messageId }
  }
  assert.deepEqual(found.map(plain), wanted.map(known))
}

const given = ({ tags, ...message }: ModelMessage) => (tags === undefined ? message : { ...message, tags })

function put(message: ModelMessage, ms: number): Step {
  return step(`put ${JSON.stringify(message)} after ${ms} ms`, async (model, real) => {
    real.time.advance(ms)
    const receipt = await real.store.put(given(message))
    assert.equal(receipt.status, 'PUT_OK')
    model.add(message, receipt, real.options.flush === 'sync')
  })
}

function putBatch(messages: readonly ModelMessage[]): Step {
  return step(`putBatch ${JSON.stringify(messages)}`, async (model, real) => {
    const receipts = await real.store.putBatch(messages.map(given))
    receipts.forEach((receipt, i) => {
      model.add(messages[i]!, receipt, real.options.flush === 'sync')
    })
  })
}

interface Place {
  readonly topic: string
  readonly queueId: number
  readonly offset: number
  readonly maxMessages: number
  readonly tags: string | undefined
}

function get(place: Place): Step {
  return step(`get ${JSON.stringify(place)}`, async (model, real) => {
    const { topic, queueId, offset, maxMessages, tags } = place
    const queue = model.queue(topic, queueId)
    const end = queue.length
    const { status, messages, nextOffset } = await real.store.get({ topic, queueId, offset, maxMessages, tags: tags ?? '*' })
    assert.deepEqual(real.store.bounds(topic, queueId), { minOffset: 0, maxOffset: end })
    if (end === 0) assert.match(status, /^NO_(MATCHED_LOGIC_QUEUE|MESSAGE_IN_QUEUE)$/)
    else if (offset >= end) {
      assert.deepEqual([status, nextOffset], [offset === end ? 'OFFSET_OVERFLOW_ONE' : 'OFFSET_OVERFLOW_BADLY', end])
    } else {
      const matching = queue.slice(offset).filter((message) => tags === undefined || message.tags === tags)
      sameMessages(messages, matching.slice(0, maxMessages))
      assert.equal(status, matching.length > 0 ? 'FOUND' : 'NO_MATCHED_MESSAGE')
      if (matching.length < maxMessages) assert.equal(nextOffset, end)
    }
  })
}

function query(topic: string, key: string, most: number, span: readonly [number, number]): Step {
  return step(`query ${topic} ${key} ${most} ${span}`, async (model, real) => {
    const times = model.messages.map(({ receipt }) => receipt.storeTimestamp)
    const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0
    const [from, to] = [at(Math.min(...span)), at(Math.max(...span))]
    const hits = await real.store.query({ topic, key, maxMessages: most, from, to })
    const wanted = model.messages.filter(
      ({ topic: t, keys, receipt: { storeTimestamp: ms } }) => t === topic && keys.includes(key) && ms >= from && ms <= to,
    )
    sameMessages(hits, wanted.reverse().slice(0, most))
  })
}

function lookup(share: number, shift: number): Step {
  const run: Run = async (model, real) => {
    const wanted = model.messages[Math.floor(share * (model.messages.length - 1))]!
    sameMessages([(await real.store.lookup(wanted.receipt.messageId))!], [wanted])
    assert.equal(await real.store.lookup({ commitLogOffset: wanted.receipt.commitLogOffset + shift }), undefined)
  }
  return step(`lookup ${share} and ${shift} behind it`, run, (model) => model.messages.length > 0)
}

function offsetByTime(topic: string, queueId: number, share: number, shift: number): Step {
  return step(`offsetByTime ${topic}/${queueId} ${share} ${shift}`, async (model, real) => {
    const times = model.queue(topic, queueId).map(({ receipt }) => receipt.storeTimestamp)
    const ms = (times[Math.floor(share * (times.length - 1))] ?? 5) + shift
    const first = times.findIndex((time) => time >= ms)
    assert.equal(await real.store.offsetByTime(topic, queueId, ms, 'lower'), first < 0 ? times.length : first)
    const last = times.findLastIndex((time) => time <= ms)
    assert.equal(await real.store.offsetByTime(topic, queueId, ms, 'upper'), Math.max(0, last))
  })
}

function flush(): Step {
  return step('flush', async (model, real) => {
    await real.store.flush()
    model.durable = model.messages.length
  })
}

/** Long enough for the views to be written. */
function passTime(): Step {
  return step('pass time', async (_model, real) => {
    real.time.advance(31_000)
    await settled(30)
  })
}

function reopen(without: readonly string[]): Step {
  return step(`reopen without ${without.join(' and ') || 'loss'}`, async (model, real) => {
    await real.store.close()
    model.durable = model.messages.length
    const { live } = real.disk
    for (const path of live.files()) if (without.some((name) => path.startsWith(`${root}/${name}`))) live.remove(path)
    real.disk.settle()
    await real.open()
    assert.equal(real.store.recovery.cut, undefined)
  })
}

function crash(kind: 'kill' | 'power', choices: readonly number[]): Step {
  return step(`${kind} ${choices.join(' ')}`, async (model, real) => {
    let next = 0
    const choose = (count: number): number => choices[next++ % choices.length]! % count
    real.disk = kind === 'kill' ? real.disk.kill() : real.disk.crash({ choose: { choose } })
    await real.open()
    assert.deepEqual(real.store.recovery.corruption, [])
    const { end } = real.store.recovery
    const kept = model.messages.filter(({ receipt }) => receipt.commitLogOffset < end).length
    const owed = kind === 'kill' ? model.messages.length : model.durable
    assert.ok(kept >= owed, `${kept} of ${owed} messages`)
    model.messages = model.messages.slice(0, kept)
    model.durable = kept
  })
}

const topic = fc.constantFrom('Aa', 'BB', 'orders')
const queueId = fc.constantFrom(0, 1)
const key = fc.constantFrom('k1', 'k2', 'AaAaAa', 'BBBBBB')
const tags = fc.option(fc.constantFrom('AaAaAa', 'BBBBBB', 'x'), { nil: undefined })
const body = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.integer({ min: 0, max: 1500 }).map((length) => 'b'.repeat(length)),
)
const message = fc.record({ topic, queueId, body, tags, keys: fc.uniqueArray(key, { maxLength: 3 }) })
const batch = fc
  .array(message, { minLength: 1, maxLength: 3 })
  .filter((all) => all.reduce((sum, one) => sum + one.body.length, 0) < 2000)
const place = fc.record({ topic, queueId, offset: fc.nat(12), maxMessages: fc.constantFrom(1, 2, 5, 32), tags })
const share = fc.double({ min: 0, max: 1, noNaN: true })
const putting = fc.tuple(message, fc.constantFrom(0, 0, 1, 700, 5000)).map((all) => put(...all))
const commands = [
  putting,
  putting,
  batch.map(putBatch),
  place.map(get),
  fc.tuple(topic, key, fc.constantFrom(1, 3, 99), fc.tuple(share, share)).map((all) => query(...all)),
  fc.tuple(share, fc.integer({ min: 1, max: 90 })).map((all) => lookup(...all)),
  fc.tuple(topic, queueId, share, fc.integer({ min: -2, max: 2 })).map((all) => offsetByTime(...all)),
  fc.constant(flush()),
  fc.constant(passTime()),
  fc.subarray(['consumequeue', 'index', 'ext', 'checkpoint']).map(reopen),
  fc
    .tuple(fc.constantFrom('kill' as const, 'power' as const), fc.array(fc.nat(7), { minLength: 1, maxLength: 8 }))
    .map((all) => crash(...all)),
]

for (const policy of ['async', 'sync'] as const) {
  test(`any commands agree with an array in memory, ${policy}`, { timeout: 20 * 60_000 }, async (t) => {
    const seed = seedOf(20_240_601)
    const checksum = fc.constantFrom('record' as const, 'body' as const)
    const agree = fc.asyncProperty(fc.commands(commands, { maxCommands: 25, size: 'max' }), checksum, async (steps, checks) => {
      const real = new Real({ flush: policy, checksum: checks })
      await real.open()
      try {
        await fc.asyncModelRun(() => ({ model: new Model(), real }), steps)
      } finally {
        await real.store.close()
      }
    })
    const numRuns = sized(150, 2500)
    await fc.assert(agree, { numRuns, seed })
    t.diagnostic(`${numRuns} runs, seed ${seed}`)
  })
}
