/** Answers that hold messages come one in a turn of the event loop for each connection, and none to who takes none. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { brokerRequests } from '../../../lib/remoting/codes.js'
import { request } from '../../../lib/remoting/command.js'
import { consumeRequests } from '../../../lib/remoting/commands/consume-codes.js'
import { ReadingTurns } from '../../../lib/remoting/commands/reading-turns.js'
import type { Connection } from '../../../lib/remoting/connection.js'
import { encodeFrame } from '../../../lib/remoting/frame.js'
import { pull } from '../../support/consumer-requests.js'
import { serveBroker } from '../../support/serve-broker.js'

test('a connection has one turn at a time, and none waits for those of others', async () => {
  const ends: (() => void)[] = []
  const timers = { endOfTurn: (action: () => void) => ends.push(action), after: () => ({ cancel: () => {} }) }
  const turns = new ReadingTurns(timers)
  const [one, other] = [{}, {}]
  const had: number[] = []
  assert.equal(turns.take(one), undefined)
  assert.equal(turns.take(other), undefined)
  const waiting = [1, 2].map((n) => turns.take(one)!.then(() => had.push(n)))
  for (const expected of [[1], [1, 2]]) {
    for (const end of ends.splice(0)) end()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(had, expected)
  }
  await Promise.all(waiting)
  for (let i = 0; i < 2; i++) for (const end of ends.splice(0)) end()
  assert.equal(ends.length, 0)
  assert.equal(turns.take(one), undefined)
})

test('of hundreds of pulls and questions at once, who takes no answers has few of them read for it', async (t) => {
  let worst = 0
  const connections: Connection[] = []
  const onConnection = (connection: Connection): unknown => connections.push(connection)
  const store = { segmentBytes: 1 << 24 }
  const served = await serveBroker(t, { options: { topics: { T: { queues: 1 } }, store }, server: { onConnection } })
  for (let i = 0; i < 16; i++) await served.broker.send({ topic: 'T', queueId: 0, body: Buffer.alloc(64 * 1024) })
  const socket = connect(served.server.endpoint.port, '127.0.0.1')
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  socket.pause()
  const asks = [request(consumeRequests.PULL_MESSAGE, pull()), request(brokerRequests.VIEW_MESSAGE_BY_ID, { ext: { offset: 0 } })]
  socket.write(Buffer.concat(Array.from({ length: 400 }, (_, i) => encodeFrame(asks[i % 2]!)).flat()))
  for (let turn = 0; turn < 800; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    for (const { unreadBytes } of connections) worst = Math.max(worst, unreadBytes)
  }
  assert.ok(worst > 1024 * 1024, `${worst} bytes: it was not behind`)
  assert.ok(worst < 2 * 1024 * 1024, `${worst} bytes were read for it`)
})
