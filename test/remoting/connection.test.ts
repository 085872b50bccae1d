/** One connection over a network of the test's own: answers find their requests, and no peer can take more than its share. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { answer, type Command, isResponse, oneWayRequest, request } from '../../lib/remoting/command.js'
import { Connection } from '../../lib/remoting/connection.js'
import { Refusal } from '../../lib/remoting/errors.js'
import { encodeFrame, FrameDecoder } from '../../lib/remoting/frame.js'
import type { Handler } from '../../lib/remoting/handling.js'
import { type ConnectionLimits, resolveLimits, standardLimits } from '../../lib/remoting/limits.js'
import { checkAsync } from '../support/cases.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { type Cut, MemorySocket } from '../support/memory-net.js'
import { Random } from '../support/random.js'

const SERVER = { host: '127.0.0.1', port: 10_911 }
const echo: Handler = (command) => answer(command, 0, { ext: { was: command.code }, body: command.body })

interface Setup {
  readonly handler?: Handler
  readonly limits?: Partial<ConnectionLimits>
  readonly cut?: Cut
}

/** A connection of ours, and the bare socket of its peer. */
function connect({ handler = echo, limits, cut }: Setup = {}) {
  const time = new ManualTime()
  const faults: Error[] = []
  const [peer, own] = MemorySocket.pair(SERVER, cut)
  const onFault = (error: Error): number => faults.push(error)
  const connection = new Connection(own, { clock: time, timers: time, limits: resolveLimits(limits), handler, onFault })
  const decoder = new FrameDecoder(standardLimits)
  const received: Command[] = []
  const listen = (): void =>
    peer.attach({
      onData(chunk) {
        decoder.add(chunk)
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) received.push(frame.command)
      },
      onDrain() {},
      onClose() {},
    })
  const send = (...list: Command[]): void => peer.write(list.flatMap(encodeFrame))
  return { time, faults, peer, own, connection, received, listen, send }
}

/** Two connections of ours that talk to one another. */
function connectBoth(near: Handler, far: Handler, cut?: Cut) {
  const time = new ManualTime()
  const ports = { clock: time, timers: time, limits: standardLimits, onFault: (error: Error) => assert.fail(error) }
  const [nearSocket, farSocket] = MemorySocket.pair(SERVER, cut)
  return {
    time,
    near: new Connection(nearSocket, { ...ports, handler: near }),
    far: new Connection(farSocket, { ...ports, handler: far }),
  }
}

/** Lets turns pass until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5000; turn++) {
    if (holds()) return
    await settled(1)
  }
  assert.fail('it does not come about')
}

describe('requests and answers', () => {
  test('find one another in both directions at once, in any order, however the bytes are cut', async () => {
    await checkAsync(
      30,
      fc.asyncProperty(fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }), fc.nat(), async (delays, seed) => {
        const random = new Random(seed)
        const cut: Cut = (bytes) => {
          const at = random.int(bytes.length + 1)
          return [bytes.subarray(0, at), bytes.subarray(at)]
        }
        const late: Handler = async (command, connection) => {
          await settled(Number(command.extFields['turns']))
          return echo(command, connection)
        }
        const { near, far } = connectBoth(late, late, cut)
        const asked = delays.flatMap((turns, i) =>
          [near, far].map(async (connection) => {
            const answered = await connection.invoke(request(i, { ext: { turns }, body: Buffer.of(i) }), 1000)
            assert.deepEqual([{ ...answered.extFields }, [...answered.body]], [{ was: String(i) }, [i]])
          }),
        )
        await Promise.all(asked)
        near.destroy()
      }),
    )
  })

  test('keep the number and the encoding of the request, whatever the handler made of them', async () => {
    const { listen, send, received } = connect({
      handler: (command) => ({ ...echo(command, undefined as never), opaque: 1, flag: 0 }) as Command,
    })
    listen()
    send({ ...request(5), opaque: -7 }, { ...request(6), opaque: 8, encoding: 'binary' })
    await until(() => received.length === 2)
    assert.deepEqual(
      received.map((command) => [command.opaque, command.encoding, isResponse(command), command.extFields['was']]),
      [
        [-7, 'json', true, '5'],
        [8, 'binary', true, '6'],
      ],
    )
  })

  test('that are one-way are done and never answered, even when they fail', async () => {
    const seen: number[] = []
    const { listen, send, received } = connect({
      handler: (command) => {
        seen.push(command.code)
        if (command.code === 2) throw new Error('no')
        return echo(command, undefined as never)
      },
    })
    listen()
    send(oneWayRequest(1), oneWayRequest(2), { ...request(3), opaque: 3 })
    await until(() => received.length > 0)
    await settled(20)
    assert.deepEqual(seen, [1, 2, 3])
    assert.deepEqual(
      received.map(({ opaque }) => opaque),
      [3],
    )
  })

  test('that a handler refuses have its code and remark; other errors tell nothing of the inside', async () => {
    const { listen, send, received, faults } = connect({
      handler: async ({ code }) => {
        if (code === 1) throw new Refusal(17, 'no such topic')
        throw new Error('secret path')
      },
    })
    listen()
    send({ ...request(1), opaque: 1 }, { ...request(2), opaque: 2 })
    await until(() => received.length === 2)
    assert.deepEqual(
      received.map(({ code, remark }) => [code, remark]),
      [
        [17, 'no such topic'],
        [1, 'internal error'],
      ],
    )
    assert.deepEqual(
      faults.map(({ message }) => message),
      ['secret path'],
    )
  })

  test('whose answer cannot be written are told so', async () => {
    const { listen, send, received } = connect({ handler: (command) => answer(command, 200_050) })
    listen()
    send({ ...request(1), encoding: 'binary' })
    await until(() => received.length === 1)
    assert.deepEqual([received[0]!.code, received[0]!.remark], [1, 'internal error'])
  })

  test('that get no answer in time fail, and an answer that comes later is dropped', async () => {
    const { time, connection, peer, listen, received } = connect()
    listen()
    const asked = connection.invoke(request(1), 3000)
    await until(() => received.length === 1)
    time.advance(2999)
    await settled()
    time.advance(1)
    await assert.rejects(asked, { code: 'REMOTING_TIMEOUT' })
    peer.write(encodeFrame(answer(received[0]!, 0)))
    await settled(20)
    const next = connection.invoke(request(2), 3000)
    await until(() => received.length === 2)
    peer.write(encodeFrame(answer(received[1]!, 22)))
    assert.equal((await next).code, 22)
  })

  test('that wait when the connection closes fail, and so do later ones', async () => {
    const { connection, peer } = connect()
    const asked = connection.invoke(request(1), 3000)
    peer.destroy()
    await assert.rejects(asked, { code: 'REMOTING_CLOSED' })
    await assert.rejects(connection.invoke(request(1), 3000), { code: 'REMOTING_CLOSED' })
    assert.equal(connection.sendOneWay(oneWayRequest(1)), false)
  })

  test('beyond the number that may wait are refused at once', async () => {
    const { connection } = connect({ limits: { maxInvocations: 2 } })
    const waiting = [connection.invoke(request(1), 100), connection.invoke(request(2), 100)]
    await assert.rejects(connection.invoke(request(3), 100), { code: 'REMOTING_BUSY' })
    connection.destroy()
    for (const one of waiting) await assert.rejects(one, { code: 'REMOTING_CLOSED' })
  })
})

describe('a peer', () => {
  test('that asks faster than it is answered has to wait, and loses nothing', async () => {
    const open: (() => void)[] = []
    let most = 0
    const { listen, send, received, own } = connect({
      limits: { maxRequests: 4 },
      handler: (command) =>
        new Promise((resolve) => {
          open.push(() => resolve(answer(command, 0)))
          most = Math.max(most, open.length)
        }),
    })
    listen()
    send(...Array.from({ length: 50 }, (_, i) => ({ ...request(1), opaque: i })))
    await until(() => open.length === 4)
    await settled(20)
    assert.ok(own.isPaused)
    for (let answered = 0; answered < 50; answered++) {
      await until(() => open.length > 0)
      open.shift()!()
    }
    await until(() => received.length === 50)
    assert.equal(most, 4)
    assert.deepEqual(
      received.map(({ opaque }) => opaque).sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, i) => i),
    )
    assert.ok(!own.isPaused)
  })

  test('is limited by the bytes of its requests too, but one request of any size is taken', async () => {
    let count = 0
    const { send } = connect({ limits: { maxRequestBytes: 1000 }, handler: () => new Promise(() => count++) })
    send(...Array.from({ length: 5 }, () => request(1, { body: Buffer.alloc(2000) })))
    await settled(30)
    assert.equal(count, 1)
  })

  test('whose requests are held can go on asking', async () => {
    let held = 0
    const { listen, send, received } = connect({
      limits: { maxRequests: 2 },
      handler: (command, connection) => {
        if (command.code !== 11) return answer(command, 0)
        held++
        connection.hold(command)
        return new Promise(() => {})
      },
    })
    listen()
    send(...Array.from({ length: 20 }, () => request(11)), { ...request(34), opaque: 99 })
    await until(() => received.length === 1)
    assert.deepEqual([held, received[0]!.opaque], [20, 99])
  })

  test('that takes no answers is read no further, and cut off when they stay too many', async () => {
    const { time, send, connection, faults } = connect({
      limits: { maxUnreadBytes: 10_000, maxStalledBytes: 15_000, stalledMs: 10_000 },
      handler: (command) => answer(command, 0, { body: Buffer.alloc(8000) }),
    })
    send(...Array.from({ length: 100 }, () => request(1)))
    await settled(50)
    const unread = connection.unreadBytes
    assert.ok(unread > 15_000 && unread < 30_000, `${unread} bytes are queued`)
    time.advance(5000)
    assert.ok(connection.isOpen)
    time.advance(15_000)
    await settled()
    assert.ok(!connection.isOpen)
    assert.match(faults[0]!.message, /not taken/)
  })

  test('that says nothing for 120 s is closed; a word in between keeps it', async () => {
    const { time, listen, send, connection, received } = connect()
    listen()
    time.advance(100_000)
    send(request(1))
    await until(() => received.length === 1)
    time.advance(100_000)
    await settled()
    assert.ok(connection.isOpen)
    time.advance(30_000)
    await settled()
    assert.ok(!connection.isOpen)
    assert.equal(time.pendingTimers, 0)
  })

  test('that sends a frame too slowly is cut off; one that sends it steadily is not', async () => {
    for (const [bytesAtATime, survives] of [
      [100, false],
      [10_000, true],
    ] as const) {
      const { time, peer, connection, faults } = connect()
      const frame = Buffer.concat(encodeFrame(request(1, { body: Buffer.alloc(1_000_000) })))
      for (let second = 0, at = 0; second < 40 && connection.isOpen; second++, at += bytesAtATime) {
        peer.write([frame.subarray(at, at + bytesAtATime)])
        await settled()
        time.advance(1000)
        await settled()
      }
      assert.equal(connection.isOpen, survives)
      assert.equal(faults.length, survives ? 0 : 1)
    }
  })

  test('that sends most of a frame at once and then hardly anything is cut off as well', async () => {
    const { time, peer, connection, faults } = connect()
    const frame = Buffer.concat(encodeFrame(request(1, { body: Buffer.alloc(1_000_000) })))
    peer.write([frame.subarray(0, 900_000)])
    for (let second = 0; second < 40 && connection.isOpen; second++) {
      peer.write([frame.subarray(900_000 + second, 900_001 + second)])
      await settled()
      time.advance(1000)
      await settled()
    }
    assert.ok(!connection.isOpen)
    assert.match(faults[0]!.message, /bytes of a frame/)
  })

  test('that sends what is no frame is cut off, and nobody else notices', async () => {
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\u0016\u0003\u0001\u0002\u0000', '\0\0\0\u0008\0\0\0\u0004nope']) {
      const { peer, connection, faults } = connect()
      peer.write([Buffer.from(garbage, 'latin1')])
      await until(() => !connection.isOpen)
      assert.equal((faults[0] as { code?: string }).code, 'REMOTING_MALFORMED')
    }
  })
})

describe('a connection that is closed in order', () => {
  test('answers what it took, takes no more, and ends', async () => {
    let finish: () => void = () => {}
    const seen: number[] = []
    const { listen, send, connection, received, peer } = connect({
      handler: (command) => {
        seen.push(command.code)
        return new Promise((resolve) => (finish = () => resolve(answer(command, 0))))
      },
    })
    listen()
    send(request(1))
    await until(() => seen.length === 1)
    const closing = connection.close(5000)
    send(request(2))
    await settled(20)
    assert.deepEqual(received, [])
    finish()
    await closing
    await settled(20)
    assert.deepEqual([seen, received.length, peer.isClosed], [[1], 1, true])
  })

  test('does not wait for ever', async () => {
    const { time, send, connection } = connect({ handler: () => new Promise(() => {}) })
    send(request(1))
    await settled(10)
    const closing = connection.close(5000)
    time.advance(5000)
    await closing
    assert.ok(!connection.isOpen)
  })

  test('tells each listener once, also one that comes late', async () => {
    const { connection } = connect()
    const told: string[] = []
    connection.onClose(() => told.push('early'))
    const off = connection.onClose(() => told.push('called off'))
    off()
    connection.destroy()
    await connection.closed
    connection.onClose(() => told.push('late'))
    assert.deepEqual(told, ['early', 'late'])
  })
})
