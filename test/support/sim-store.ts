/**
 * A store on a simulated disk in simulated time: opening it, reading all of it, and messages that tell by
 * themselves what they should contain.
 */

import assert from 'node:assert/strict'
import type { StoredMessage } from '../../lib/index.js'
import type { Message } from '../../lib/store/message.js'
import { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import type { SimDisk } from './sim-disk.js'
import type { SimTime } from './sim-time.js'

/** Where simulated stores live on their disk. */
export const ROOT = '/store'

/** The queues that workloads write to. */
export const QUEUES: readonly { topic: string; queueId: number }[] = [
  { topic: 'even', queueId: 0 },
  { topic: 'odd', queueId: 3 },
  { topic: 'even', queueId: 1 },
  { topic: 'odd', queueId: 0 },
]

/** Sizes at which everything rolls after a few messages. */
export const TINY: StoreOptions = {
  segmentBytes: 4096,
  queueSegmentEntries: 4,
  index: { slots: 8, entries: 12 },
  maxMessageBytes: 4096,
  maxUnflushedBytes: 4096,
  readCacheBytes: 0,
  tailBytes: 0,
  openFiles: 16,
  retentionHours: 1,
  disk: { cleanAt: 0 },
}

const RETENTION_MS = 3_600_000

/** Opens the store of a disk. */
export function openSim(disk: SimDisk, time: SimTime, options: StoreOptions): Promise<MessageStore> {
  return MessageStore.open(ROOT, options, { disk, clock: time, timers: time })
}

/** The message with a number, of which `bodyBytes` are body. */
export function messageOf(number: number, bodyBytes: number, queues: number): Message {
  const { topic, queueId } = QUEUES[number % queues]!
  return {
    topic,
    queueId,
    body: bodyOf(number, bodyBytes),
    tags: `tag${number % 2}`,
    keys: [`k${number}`, groupKey(number)],
    flag: number,
  }
}

/** A key that every third message shares. */
export function groupKey(number: number): string {
  return `g${number % 3}`
}

function bodyOf(number: number, bytes: number): Buffer {
  const body = Buffer.allocUnsafe(bytes)
  for (let at = 0; at < bytes; at++) body[at] = (number * 31 + at * 7 + 1) & 0xff
  return body
}

/** Where a message stands, and which one it is. */
export interface FoundMessage {
  readonly number: number
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly size: number
  readonly bodyBytes: number
  readonly storeTimestamp: number
}

/** All that a store holds, in the order of its log. */
export interface Content {
  readonly start: number
  readonly end: number
  readonly messages: readonly FoundMessage[]
}

/**
 * Reads a whole store and checks that it agrees with itself: queues are dense, each entry leads to the message
 * that belongs there, the log holds these messages one behind the other and nothing else, and each key finds
 * exactly its messages.
 */
export async function readStore(store: MessageStore, options: StoreOptions): Promise<Content> {
  const messages: FoundMessage[] = []
  for (const { topic, queueId } of QUEUES) await readQueue(store, topic, queueId, messages)
  messages.sort((a, b) => a.commitLogOffset - b.commitLogOffset)
  const { commitLogStart = 0, commitLogEnd = 0 } = store.metrics.snapshot()
  checkContiguous(messages, commitLogStart, commitLogEnd, options.segmentBytes!)
  await checkKeys(store, messages)
  return { start: commitLogStart, end: commitLogEnd, messages }
}

async function readQueue(store: MessageStore, topic: string, queueId: number, into: FoundMessage[]): Promise<void> {
  let offset = store.bounds(topic, queueId).minOffset
  for (;;) {
    const got = await store.get({ topic, queueId, offset, maxMessages: 1000, maxBytes: 2 ** 31 - 1 })
    if (offset >= got.maxOffset) return
    assert.equal(got.status, 'FOUND', `${topic}/${queueId} at ${offset}`)
    for (const message of got.messages) {
      assert.equal(message.queueOffset, offset++, `${topic}/${queueId} is dense`)
      into.push(check(message))
    }
    assert.equal(got.nextOffset, offset, 'nextOffset follows the last message')
  }
}

function check(message: StoredMessage): FoundMessage {
  const { flag: number, topic, queueId, queueOffset, commitLogOffset, size, storeTimestamp, body } = message
  assert.ok(body.equals(bodyOf(number, body.length)), `message ${number} has its own body`)
  assert.equal(message.tags, `tag${number % 2}`)
  assert.equal(message.keys.join(' '), `k${number} ${groupKey(number)}`)
  return { number, topic, queueId, queueOffset, commitLogOffset, size, storeTimestamp, bodyBytes: body.length }
}

function checkContiguous(messages: readonly FoundMessage[], start: number, end: number, segmentBytes: number): void {
  let at = start
  let before = 0
  for (const { commitLogOffset, size, number, storeTimestamp } of messages) {
    assert.ok(storeTimestamp >= before, `message ${number} is not older than the one before it`)
    before = storeTimestamp
    const isNext = commitLogOffset === at || (commitLogOffset === nextSegment(at, segmentBytes) && at % segmentBytes !== 0)
    assert.ok(isNext, `message ${number} stands at ${commitLogOffset}, the one before it ends at ${at}`)
    at = commitLogOffset + size
  }
  assert.ok(end === at || end === nextSegment(at, segmentBytes), `the log ends at ${end}, its last message at ${at}`)
}

function nextSegment(address: number, segmentBytes: number): number {
  return address - (address % segmentBytes) + segmentBytes
}

/** Every message is found by the key that it shares, and nothing else is; the last one by its own as well. */
async function checkKeys(store: MessageStore, messages: readonly FoundMessage[]): Promise<void> {
  for (const topic of ['even', 'odd']) {
    for (let group = 0; group < 3; group++) {
      const expected = messages.filter((message) => message.topic === topic && message.number % 3 === group)
      const found = await store.query({ topic, key: `g${group}`, maxMessages: 100_000 })
      assert.deepEqual(
        found.map(({ commitLogOffset }) => commitLogOffset),
        expected.map(({ commitLogOffset }) => commitLogOffset).reverse(),
        `messages of ${topic} with key g${group}`,
      )
    }
  }
  const last = messages.at(-1)
  if (last === undefined) return
  const found = await store.query({ topic: last.topic, key: `k${last.number}` })
  assert.deepEqual(
    found.map(({ flag }) => flag),
    [last.number],
    'the last message is found by its key',
  )
}

/** Lets every segment expire that may; the store deletes them of itself within ten seconds. */
export async function deleteExpired(time: SimTime): Promise<void> {
  // A round has to see which segments are full.
  await time.pass(10_500)
  time.skip(RETENTION_MS)
  await time.pass(10_500)
}

/** Lets the store flush log and views and write its checkpoint, as it does of itself every 30 seconds. */
export async function checkpoint(time: SimTime): Promise<void> {
  await time.pass(31_000)
}
