/**
 * The judge of the crash tests: reads a whole store that was opened after a crash and says what is wrong.
 *
 * 1. Every acknowledged message is there, at the address and offset that its receipt named, byte for byte.
 * 2. Of each round there is a prefix, in the order of the puts: no hole, no duplicate, nothing invented.
 *    What was refused is not there; what is `unknown` may be missing.
 * 3. Offsets of a queue are dense; message ids and keys find what they should.
 */
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import type { MessageStore } from '../../lib/store/message-store.js'
import type { StoredMessage } from '../../lib/store/stored-message.js'
import { type Ack, loadQueues, messageOf } from './load.js'
import type { Random } from './random.js'

/** What is known of a round. */
export interface Round {
  readonly round: number
  readonly acks: readonly Ack[]
  /** Numbers whose puts were refused with an error that says that nothing was stored. */
  readonly refused?: ReadonlySet<number>
  /** Numbers whose puts ended with an error that says that nobody knows. */
  readonly unknown?: ReadonlySet<number>
}

/** What a check found. */
export interface CheckResult {
  /** Messages in the store, of all rounds. */
  readonly messages: number
  /** Acknowledged messages that are not there, as `round-n`. */
  readonly lost: readonly string[]
}

/** All messages of the load in a store, in the order of the log. */
export async function readAll(store: MessageStore): Promise<StoredMessage[]> {
  const all: StoredMessage[] = []
  for (const { topic, queueId } of loadQueues) {
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    assert.equal(minOffset, 0, `${topic}/${queueId} starts at 0`)
    for (let offset = 0; offset < maxOffset; ) {
      const { messages, nextOffset, status } = await store.get({ topic, queueId, offset, maxMessages: 1000, maxBytes: 4 << 20 })
      assert.equal(status, 'FOUND', `${topic}/${queueId} at ${offset} of ${maxOffset}`)
      for (const message of messages) {
        assert.equal(message.queueOffset, offset++, `${topic}/${queueId} is dense`)
        all.push(message)
      }
      assert.equal(nextOffset, offset, `${topic}/${queueId} goes on where it stopped`)
    }
  }
  return all.sort((a, b) => a.commitLogOffset - b.commitLogOffset)
}

/** Checks a store against what was put. Losses are counted, everything else that is wrong throws. */
export async function checkStore(
  store: MessageStore,
  rounds: readonly Round[],
  random: Random,
  samples = 40,
): Promise<CheckResult> {
  const all = await readAll(store)
  const found = new Map<number, Map<number, StoredMessage>>()
  for (const { round } of rounds) found.set(round, new Map())
  for (const message of all) enter(found, message)
  const lost: string[] = []
  for (const { round, acks, refused, unknown } of rounds) {
    const there = found.get(round)!
    checkPrefix(round, there, refused, unknown)
    for (const ack of acks) {
      const message = there.get(ack.n)
      if (message === undefined) lost.push(`${round}-${ack.n}`)
      else checkPlace(message, ack)
    }
  }
  for (let i = 0; i < samples && all.length > 0; i++) {
    // Half of them from the end, where the crash was.
    await checkFound(store, all[i % 2 === 0 ? random.int(all.length) : Math.max(0, all.length - 1 - i)]!)
  }
  return { messages: all.length, lost }
}

function enter(found: Map<number, Map<number, StoredMessage>>, message: StoredMessage): void {
  const [round = -1, n = -1] = (message.keys[0] ?? '').split('-').map(Number)
  const ofRound = found.get(round)
  assert.ok(ofRound, `${message.keys[0]} was put by a round`)
  const expected = messageOf(round, n)
  const what = `${round}-${n}`
  assert.equal(message.topic, expected.topic, what)
  assert.equal(message.queueId, expected.queueId, what)
  assert.equal(message.tags, expected.tags, what)
  assert.equal(message.flag, expected.flag, what)
  assert.ok(message.body.equals(expected.body), `the body of ${what}`)
  assert.ok(!ofRound.has(n), `${what} is there once`)
  ofRound.set(n, message)
}

/** Maps keep the order of insertion, and that was the order of the log. */
function checkPrefix(
  round: number,
  there: ReadonlyMap<number, StoredMessage>,
  refused: ReadonlySet<number> = new Set(),
  unknown: ReadonlySet<number> = new Set(),
): void {
  let expected = 0
  for (const n of there.keys()) {
    assert.ok(!refused.has(n), `${round}-${n} was refused, and yet it is there`)
    while (refused.has(expected) || (unknown.has(expected) && expected !== n)) expected++
    assert.equal(n, expected, `round ${round} is a prefix of what was put`)
    expected++
  }
}

function checkPlace(message: StoredMessage, ack: Ack): void {
  const { n, topic, queueId, queueOffset, commitLogOffset } = message as StoredMessage & { n?: number }
  assert.deepEqual(
    { n: n ?? ack.n, topic, queueId, queueOffset, commitLogOffset, crc: crc32(message.body) },
    ack,
    'a message is where its receipt said',
  )
}

async function checkFound(store: MessageStore, message: StoredMessage): Promise<void> {
  const key = message.keys[0]!
  const byKey = await store.query({ topic: message.topic, key })
  assert.deepEqual(
    byKey.map(({ commitLogOffset }) => commitLogOffset),
    [message.commitLogOffset],
    `the key ${key} finds its message`,
  )
  const byId = await store.lookup(message.messageId)
  assert.equal(byId?.keys[0], key, `the id ${message.messageId} finds its message`)
}
