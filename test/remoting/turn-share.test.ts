/** Requests have so long in a turn of the event loop, all connections of a server together; the rest goes on in later turns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FewAtOnce } from '../../lib/base/few-at-once.js'
import { TurnShare } from '../../lib/base/turn-share.js'
import { answer, request } from '../../lib/remoting/command.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import type { Handler } from '../../lib/remoting/handling.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { MemoryNet } from '../support/memory-net.js'

/** A share whose turns of the event loop the test makes. */
function shareOf(time: ManualTime) {
  const ends: (() => void)[] = []
  const share = new TurnShare(time, { endOfTurn: (action) => ends.push(action) })
  const turn = async (): Promise<void> => {
    for (const end of ends.splice(0)) end()
    await settled(1)
  }
  return { share, ends, turn }
}

test('who comes too late in a turn goes on in later ones, as many in each as there is time for, in order', async () => {
  const time = new ManualTime()
  const { share, ends, turn } = shareOf(time)
  assert.equal(share.isOver(), false)
  time.advance(4)
  assert.equal(share.isOver(), false)
  time.advance(1)
  assert.equal(share.isOver(), true)
  const had: number[] = []
  for (const n of [1, 2, 3, 4, 5, 6]) {
    share.later(async () => {
      had.push(n)
      // The time that it takes is seen, though it takes it behind the call.
      for (let i = 0; i < 10; i++) await undefined
      time.advance(n === 4 ? 5 : 2)
    })
  }
  assert.equal(share.isWanted, true)
  for (const expected of [
    [1, 2, 3],
    [1, 2, 3, 4],
    [1, 2, 3, 4, 5, 6],
  ]) {
    await turn()
    assert.deepEqual(had, expected)
  }
  await turn()
  assert.deepEqual([share.isWanted, ends.length, share.isOver()], [false, 0, false])
})

test('of thousands that are due a few are done at once, and then as many in a turn as there is time for, in order', async () => {
  const time = new ManualTime()
  const { share, ends, turn } = shareOf(time)
  const had: number[] = []
  const few = new FewAtOnce<number>(share, async (n) => {
    had.push(n)
    // What comes of each takes time behind the call.
    for (let i = 0; i < 10; i++) await undefined
    time.advance(0.1)
  })
  const due = Array.from({ length: 1000 }, (_, i) => i)
  few.add(due.slice(0, 500))
  few.add(due.slice(400))
  assert.deepEqual(had, due.slice(0, 16))
  while (had.length < due.length) {
    const before = had.length
    await turn()
    const more = had.length - before
    assert.ok((more >= 48 && more <= 64) || had.length === due.length, `${more} in a turn`)
  }
  assert.deepEqual(had, due)
  for (let i = 0; i < 3; i++) await turn()
  assert.deepEqual([share.isWanted, ends.length], [false, 0])
  few.add([1])
  assert.equal(had.length, due.length + 1)
})

test('who waits for a later turn comes before those who come in that one, however many these are', async () => {
  const time = new ManualTime()
  const { share, turn } = shareOf(time)
  let waited = 0
  let had = 0
  const come = (): void => {
    had++
    time.advance(1)
  }
  for (let n = 0; n < 100; n++) {
    share.later(() => {
      waited++
      time.advance(1)
    })
  }
  for (let turns = 0; turns < 20; turns++) {
    await turn()
    for (let n = 0; n < 50 && !share.isOver(); n++) come()
  }
  assert.deepEqual([waited, had], [100, 0])
})

test('requests of one connection that take long are handled over several turns, others between them, all in order', async (t) => {
  const time = new ManualTime()
  const net = new MemoryNet()
  const had: string[] = []
  const handler: Handler = (command) => {
    had.push(`${command.extFields['from']}${command.opaque}`)
    time.advance(2)
    return answer(command, 0)
  }
  const server = await RemotingServer.listen({ port: 0, net, clock: time, timers: time, handlers: new Map([[1, handler]]) })
  t.after(() => server.close(100))
  const sends = (from: string, count: number): void => {
    const frames = Array.from({ length: count }, (_, opaque) => encodeFrame({ ...request(1, { ext: { from } }), opaque }))
    net.connectFrom('127.0.0.1', server.endpoint).write([Buffer.concat(frames.flat())])
  }
  sends('a', 12)
  sends('b', 4)
  await settled(40)
  assert.deepEqual(
    had.filter((one) => one.startsWith('a')),
    Array.from({ length: 12 }, (_, i) => `a${i}`),
  )
  assert.deepEqual(
    had.filter((one) => one.startsWith('b')),
    Array.from({ length: 4 }, (_, i) => `b${i}`),
  )
  // Three take the time of a turn, and then the other one has its own.
  assert.ok(had.indexOf('b0') < had.indexOf('a6'), had.join(' '))
  assert.ok(had.indexOf('b3') < had.indexOf('a11'), had.join(' '))
})
