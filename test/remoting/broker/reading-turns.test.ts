/** Answers that hold messages come one in a turn of the event loop for each connection, and none to who takes none. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { brokerRequests, responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, request } from '../../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../../lib/remoting/commands/consume-codes.js'
import { ReadingTurns } from '../../../lib/remoting/commands/reading-turns.js'
import { Connection } from '../../../lib/remoting/connection.js'
import { encodeFrame } from '../../../lib/remoting/frame.js'
import { MessageStore } from '../../../lib/store/message-store.js'
import { pull } from '../../support/consumer-requests.js'
import { serveBroker } from '../../support/serve-broker.js'

interface Reading {
  readonly end: () => void
}

function opened() {
  const ends: (() => void)[] = []
  const time = { now: 0 }
  const timers = { endOfTurn: (action: () => void) => ends.push(action) }
  const turns = new ReadingTurns({ monotonic: () => time.now }, timers)
  const reading: Reading[] = []
  /** Asks for a reading that goes on until its `end`. */
  const read = (connection: { unreadBytes: number }): Promise<void> =>
    turns.run(connection, () => new Promise<void>((resolve) => reading.push({ end: resolve })))
  const turn = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    for (const end of ends.splice(0)) {
      end()
      // As in Node, where all that follows of one is done before the next.
      await new Promise<void>((resolve) => process.nextTick(resolve))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { turns, read, reading, turn, ends, time }
}

test('of one connection a reading begins in a turn, a few are under way at once, and none waits for those of others', async () => {
  const { read, reading, turn, ends } = opened()
  const [one, other] = [{ unreadBytes: 0 }, { unreadBytes: 0 }]
  const all = [...Array.from({ length: 7 }, () => read(one)), read(other)]
  assert.equal(reading.length, 2)
  for (const expected of [3, 4, 5, 5, 5]) {
    await turn()
    assert.equal(reading.length, expected)
  }
  // The one of the other connection is the second.
  reading[1]!.end()
  await turn()
  assert.equal(reading.length, 5)
  for (let i = 0; i < 3; i++) {
    reading[2 + i]!.end()
    await turn()
    assert.equal(reading.length, 6 + i)
  }
  for (const { end } of reading) end()
  await Promise.all(all)
  for (let i = 0; i < 3; i++) await turn()
  assert.equal(ends.length, 0)
})

test('while a connection has not taken what was read, one reading is under way, which can say so', async () => {
  const { read, reading, turn } = opened()
  const one = { unreadBytes: 600 * 1024 }
  const all = Array.from({ length: 4 }, () => read(one))
  for (let i = 0; i < 5; i++) await turn()
  assert.equal(reading.length, 2)
  one.unreadBytes = 2 ** 30
  for (const [ended, expected] of [
    [0, 2],
    [1, 3],
    [2, 4],
  ] as const) {
    reading[ended]!.end()
    for (let i = 0; i < 3; i++) await turn()
    assert.equal(reading.length, expected)
  }
  reading[3]!.end()
  await Promise.all(all)
})

test('all connections together read for as long in a turn as they may, and go on in the next one in their order', async () => {
  const { turns, turn, time } = opened()
  const begun: (readonly [turn: number, connection: number])[] = []
  let now = 0
  const connections = Array.from({ length: 5 }, () => ({ unreadBytes: 0 }))
  const readFor = (i: number): Promise<void> =>
    turns.run(connections[i]!, () => {
      time.now += 3
      begun.push([now, i])
    })
  const all = connections.flatMap((_, i) => [readFor(i), readFor(i)])
  // The first of each begins at once: what comes in a turn is bounded by the connections.
  for (now = 1; now < 10; now++) await turn()
  await Promise.all(all)
  const seconds = begun.slice(5)
  assert.deepEqual(
    seconds.map(([, i]) => i),
    [0, 1, 2, 3, 4],
  )
  for (let at = 0; at < now; at++) assert.ok(seconds.filter(([turn]) => turn === at).length <= 2, JSON.stringify(begun))
})

const POPPED = { consumerGroup: 'G', topic: 'T', queueId: 0, maxMsgNums: 1, invisibleTime: 60_000, bornTime: 0, initMode: 0 }

/** How a client that takes no answers asks for messages. */
const asks: readonly (readonly [how: string, asks: readonly Command[], messagesFirst: boolean])[] = [
  [
    'pulls and questions',
    [request(consumeRequests.PULL_MESSAGE, pull()), request(brokerRequests.VIEW_MESSAGE_BY_ID, { ext: { offset: 0 } })],
    true,
  ],
  ['pops', [request(popRequests.POP_MESSAGE, { ext: { ...POPPED, pollTime: 0, order: false } })], true],
  ['pops that wait', [request(popRequests.POP_MESSAGE, { ext: { ...POPPED, pollTime: 60_000, order: false } })], false],
  ['pulls that wait', [request(consumeRequests.PULL_MESSAGE, pull({ waitMs: 60_000 }))], false],
]

for (const flush of ['async', 'sync'] as const)
  for (const [how, kinds, areMessagesFirst] of asks)
    test(`of hundreds of ${how} at once, who takes no answers has few of them read for it; ${flush}`, async (t) => {
      let worst = 0
      const connections: Connection[] = []
      const onConnection = (connection: Connection): unknown => connections.push(connection)
      const options = { topics: { T: { queues: 1 } }, groups: { G: {} }, store: { segmentBytes: 1 << 26, flush } }
      const served = await serveBroker(t, { options, server: { onConnection } })
      const messages = Array.from({ length: 200 }, () => ({ topic: 'T', queueId: 0, body: Buffer.alloc(64 * 1024) }))
      const send = async (): Promise<void> => {
        for (const message of messages) await served.broker.send(message)
      }
      const look = async (turns: number): Promise<void> => {
        for (let turn = 0; turn < turns; turn++) {
          await new Promise((resolve) => setImmediate(resolve))
          for (const { unreadBytes } of connections) worst = Math.max(worst, unreadBytes)
        }
      }
      if (areMessagesFirst) await send()
      const socket = connect(served.server.endpoint.port, '127.0.0.1')
      socket.on('error', () => {})
      t.after(() => socket.destroy())
      socket.pause()
      socket.write(Buffer.concat(Array.from({ length: 400 }, (_, i) => encodeFrame(kinds[i % kinds.length]!)).flat()))
      await look(300)
      if (!areMessagesFirst) await Promise.all([send(), look(1500)])
      await look(1500)
      assert.ok(worst > 1024 * 1024, `${worst} bytes: it was not behind`)
      assert.ok(worst < 2 * 1024 * 1024, `${worst} bytes were read for it`)
      assert.equal((await served.ask(brokerRequests.GET_MAX_OFFSET, { ext: { topic: 'T', queueId: 0 } })).code, 0)
      // The server would give it time to take its answers.
      socket.destroy()
    })

test('who takes no answers is told to pull again, and nothing is read for that', async (t) => {
  const options = { topics: { T: { queues: 1 } }, groups: { G: {} }, store: { segmentBytes: 1 << 26 } }
  const served = await serveBroker(t, { options })
  for (let i = 0; i < 8; i++) await served.broker.send({ topic: 'T', queueId: 0, body: Buffer.alloc(64 * 1024) })
  const [reads, answers] = [t.mock.method(MessageStore.prototype, 'get'), t.mock.method(Connection.prototype, 'send')]
  const socket = connect(served.server.endpoint.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.pause()
  for (let i = 0; i < 400; i++) socket.write(Buffer.concat(encodeFrame(request(consumeRequests.PULL_MESSAGE, pull()))))
  while (answers.mock.callCount() < 400) await new Promise((resolve) => setImmediate(resolve))
  const kept = answers.mock.calls.map(({ arguments: [, { code, extFields, body }] }) => [
    code,
    extFields['nextBeginOffset'],
    body.length,
  ])
  assert.ok(reads.mock.callCount() < 100, `${reads.mock.callCount()} readings`)
  assert.deepEqual(kept.at(-1), [responseCodes.PULL_NOT_FOUND, '0', 0])
  socket.destroy()
})
