/**
 * A flush fails once, and the next would succeed: all who wait for it are refused, the store writes no more and
 * can still be read, and opening it again finds what was acknowledged, whatever the page cache pretended.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { messageOf, openSim, readStore, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'
import { StoreOracle } from '../support/store-oracle.js'

const options = { ...TINY, flush: 'sync', segmentBytes: 16_384, maxUnflushedBytes: 262_144, maxMessageBytes: 16_384 } as const

const isFailed = (error: unknown): boolean => error instanceof MessageStoreError && error.code === 'STORE_FAILED'

/** Puts messages of which the flush with a number fails. Returns whether that flush came at all. */
async function failFlush(waiters: number, skip: number): Promise<boolean> {
  const disk = new SimDisk({ trace: true })
  const time = new SimTime()
  const oracle = new StoreOracle('sync')
  disk.flushLatency = () => time.wait(3)
  const store = await time.run(openSim(disk, time, options))
  const put = async (number: number, bytes: number): Promise<void> => {
    const submission = oracle.submit(number, bytes)
    oracle.acknowledge(submission, await store.put(messageOf(number, bytes, 2)))
  }
  await time.run(put(0, 5000))
  await time.run(put(1, 5000))
  const fault = disk.inject({ on: ['flush', 'flushDirectory'], path: '/commitlog', code: 'EIO', skip })
  const puts = Array.from({ length: waiters }, (_, i) => put(2 + i, 7000 - waiters * 90))
  const outcomes = await time.run(Promise.allSettled(puts))
  if (disk.faults.struck(fault) === 0) {
    disk.powerOff()
    return false
  }
  for (const outcome of outcomes) {
    // What an earlier flush had covered was answered by that one.
    if (outcome.status === 'rejected') assert.ok(isFailed(outcome.reason), `a waiter got ${String(outcome.reason)}`)
  }
  assert.equal(outcomes.at(-1)?.status, 'rejected', 'who waited for the flush is refused')
  assert.equal(store.status, 'failed')
  const writes = disk.trace.filter((line) => / write .*\/commitlog/.test(line)).length
  await assert.rejects(time.run(store.put(messageOf(900, 10, 2))), isFailed)
  await assert.rejects(time.run(store.flush()), isFailed)
  assert.equal(disk.trace.filter((line) => / write .*\/commitlog/.test(line)).length, writes, 'nothing more is written')
  const { messages } = await store.get({ topic: 'even', queueId: 0, offset: 0 })
  assert.equal(messages[0]?.flag, 0, 'what was acknowledged is still read')
  await time.run(store.close().catch((error) => assert.ok(isFailed(error), String(error))))
  assert.equal(disk.openHandles, 0)
  await reopen(disk, oracle, new Random(skip + waiters))
  return true
}

/** The page cache forgets what the disk never got; then power is lost as well. */
async function reopen(disk: SimDisk, oracle: StoreOracle, random: Random): Promise<void> {
  const debt = oracle.owes()
  for (const after of [disk.crash(), disk.crash({ random }), disk.kill()]) {
    after.evict()
    const time = new SimTime(1_700_040_000_000)
    const store = await time.run(openSim(after, time, options))
    assert.equal(store.status, 'open')
    oracle.judge(await readStore(store, options), debt, 'power')
    await time.run(store.put(messageOf(901, 10, 2)))
    await time.run(store.close())
  }
}

for (const waiters of [1, 2, 64]) {
  test(`a failed flush refuses all ${waiters} who wait for it, and the store writes no more until it is opened again`, async (t) => {
    let points = 0
    while (await failFlush(waiters, points)) points++
    assert.ok(points > 0)
    t.diagnostic(`${points} places where a flush can fail`)
  })
}
