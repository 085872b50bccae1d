/**
 * FUZZ-2: frames that are wrong in every way that we know, and in ways that chance knows, against a server in a process
 * of its own: without TLS, with it, not signed and signed with a wrong key where senders are asked. Each peer gets what it
 * deserves, an answer or a closed connection, and nothing is stored for who may not.
 */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { signed } from '../../lib/remoting/auth/signature.js'
import { printBody } from '../../lib/remoting/body-json.js'
import { type Command, request } from '../../lib/remoting/command.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import { standardLimits } from '../../lib/remoting/limits.js'
import { Attack, closed, type Door } from '../support/attack.js'
import { attackedAccount } from '../support/attacked-server.js'
import { inLetters } from '../support/client-messages.js'
import { heartbeat, pull } from '../support/consumer-requests.js'
import { Random } from '../support/random.js'
import { runSeed, sized } from '../support/tier.js'

const MIB = 1024 * 1024
/** A peer that is not cut off at once never is; the server waits for a frame far longer than this. */
const MOST_WAIT_MS = 30_000

/** What becomes of a peer: it is cut off, it is answered, or it waits for what it never gets. */
type Fate = 'cut' | 'answered' | 'waits'

const bytesOf = (command: Command): Buffer => Buffer.concat(encodeFrame(command))
const good = bytesOf(request(30, { ext: { topic: 'T', queueId: 0 } }))

/** A frame with any words where lengths should be. */
function framed(length: number, word: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(length | 0, 0)
  head.writeInt32BE(word | 0, 4)
  return Buffer.concat([head, rest])
}

/** A frame whose header is this text. */
function headed(text: string | Buffer): Buffer {
  const header = Buffer.from(text)
  return framed(header.length + 4, header.length, header)
}

const ext = (fields: string): Buffer => headed(`{"code":30,"opaque":1,"extFields":{${fields}}}`)
const many = (count: number, of: (i: number) => string): string => Array.from({ length: count }, (_, i) => of(i)).join(',')

/** Every way in which we know that a frame can be wrong. */
const wrong: readonly (readonly [name: string, bytes: Buffer, fate: Fate])[] = [
  ...[0, 1, 3, -1, -2, -(2 ** 31), 2 ** 31 - 1, 16 * MIB - 3].map((n) => [`length ${n}`, framed(n, 0), 'cut'] as const),
  ['the longest frame, begun', framed(16 * MIB - 4, 100), 'waits'],
  ['a header longer than its frame', framed(20, 17, Buffer.alloc(16)), 'cut'],
  ['a header of 16 MiB', framed(16 * MIB - 4, 0xffffff), 'cut'],
  ['a header beyond the limit', framed(16 * MIB - 4, standardLimits.maxHeaderBytes + 1), 'cut'],
  ...[2, 3, 127, 128, 255].map((n) => [`a header of kind ${n}`, framed(20, (n << 24) | 16, Buffer.alloc(16)), 'cut'] as const),
  ['an empty header', framed(4, 0), 'cut'],
  ['an empty binary header', framed(4, 1 << 24), 'cut'],
  ['a binary header of zeros', framed(25, (1 << 24) | 21, Buffer.alloc(21)), 'answered'],
  [
    'a binary remark that is longer than all',
    framed(25, (1 << 24) | 21, Buffer.concat([Buffer.alloc(13), Buffer.of(127, 255, 255, 255), Buffer.alloc(4)])),
    'cut',
  ],
  [
    'binary ext fields of a negative length',
    framed(25, (1 << 24) | 21, Buffer.concat([Buffer.alloc(17), Buffer.of(255, 255, 255, 255)])),
    'cut',
  ],
  ...[
    '{',
    'null',
    '[]',
    '1',
    '""',
    '{}',
    '{"code":"x"}',
    '{"code":1.5,"opaque":1}',
    '{"opaque":1}',
    '{"code":30}',
    '{"code":30,"opaque":1,"flag":[]}',
  ].map((text) => [`the header ${text}`, headed(text), 'cut'] as const),
  [
    'a header of no UTF-8',
    headed(Buffer.concat([Buffer.from('{"code":30,"opaque":1,"remark":"'), Buffer.of(255, 254, 192), Buffer.from('"}')])),
    'answered',
  ],
  ['arrays in arrays', headed(`{"code":30,"opaque":1,"x":${'['.repeat(60_000)}`), 'cut'],
  ['objects in objects', headed(`{"code":30,"opaque":1,"x":${'{"a":'.repeat(20_000)}`), 'cut'],
  ['levels beyond the limit', headed('{"code":30,"opaque":1,"x":[[[[[1]]]]]}'), 'cut'],
  ['members by the thousand', headed(`{"code":30,"opaque":1,${many(8000, (i) => `"m${i}":1`)}}`), 'cut'],
  ['commas by the thousand', headed(`{"code":30,"opaque":1,"x":[${'1,'.repeat(40_000)}1]}`), 'cut'],
  ['quotes and backslashes', headed(`{"code":30,"opaque":1,"x":"${'\\'.repeat(120_000)}`), 'cut'],
  ['a number of many digits', headed(`{"code":30,"opaque":${'9'.repeat(100_000)}}`), 'cut'],
  ['many digits in a short header', headed(`{"code":30,"opaque":1,"x":${'9'.repeat(4000)}}`), 'cut'],
  ['too many ext fields', ext(many(257, (i) => `"f${i}":"1"`)), 'cut'],
  ['as many ext fields as may be', ext(many(256, (i) => `"f${i}":"1"`)), 'answered'],
  ['a name of an ext field that is too long', ext(`"${'n'.repeat(65)}":"1"`), 'cut'],
  ['a value of an ext field that is too long', ext(`"n":"${'v'.repeat(standardLimits.maxExtValueBytes + 1)}"`), 'cut'],
  ['an object as an ext field', ext('"topic":{"a":1}'), 'cut'],
  ['ext fields twice', ext('"topic":"T","topic":"U","topic":"V"'), 'answered'],
  ['names of prototypes', ext('"__proto__":"x","constructor":"y","prototype":"z","topic":"__proto__","queueId":"0"'), 'answered'],
  ['a prototype of the header', headed('{"code":30,"opaque":1,"__proto__":{"code":10,"extFields":{"topic":"T"}}}'), 'answered'],
  ['no queue', ext('"topic":"T"'), 'answered'],
  ['a queue of no number', ext('"topic":"T","queueId":"9e9"'), 'answered'],
  ['a queue beyond all numbers', ext('"topic":"T","queueId":"99999999999999999999"'), 'answered'],
  ['a topic that leads elsewhere', ext('"topic":"../../../etc/passwd","queueId":"0"'), 'answered'],
  ['a topic of control characters', ext('"topic":"\\u0000\\u0001\\u0002","queueId":"0"'), 'answered'],
  ['an answer that nobody waits for', headed('{"code":0,"opaque":7,"flag":1}'), 'waits'],
  ['a one-way request', headed('{"code":30,"opaque":7,"flag":2}'), 'waits'],
  ['all flags', headed('{"code":30,"opaque":7,"flag":-1}'), 'waits'],
  ['the least number of a request', headed('{"code":30,"opaque":-2147483648,"extFields":{"topic":"T","queueId":0}}'), 'answered'],
  ['a number of a request beyond 32 bits', headed('{"code":30,"opaque":2147483648}'), 'cut'],
  ['a negative code', headed('{"code":-1,"opaque":1}'), 'answered'],
  ['a code that is none', headed('{"code":4999,"opaque":1}'), 'answered'],
  ['a heartbeat of nonsense', bytesOf(request(34, { body: Buffer.from(`{"clientID":${'['.repeat(100_000)}`) })), 'answered'],
  [
    'a heartbeat of a prototype',
    bytesOf(request(34, { body: Buffer.from('{"__proto__":{"clientID":"c"},"consumerDataSet":[{"__proto__":{}}]}') })),
    'answered',
  ],
  ['a filter in brackets', bytesOf(request(34, heartbeat({ topics: { T: `sql:${'('.repeat(2000)}` } }))), 'answered'],
  ['a batch of nonsense', bytesOf(request(320, { ...inLetters(), body: Buffer.alloc(5000, 0xff) })), 'answered'],
  ['something else behind a request', Buffer.concat([good, Buffer.from('GET / HTTP/1.1\r\n\r\n')]), 'cut'],
  ['the hello of TLS', Buffer.from('16030100c8010000c40303', 'hex'), 'cut'],
  ['a proxy', Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'), 'cut'],
]

/** Sends bytes and waits for what they deserve. */
async function meets(socket: Socket, bytes: Buffer, fate: Fate): Promise<void> {
  const said = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true))
    socket.once('close', () => resolve(false))
  })
  socket.write(bytes)
  if (fate === 'answered') {
    assert.ok(await said, 'it was closed without an answer')
  } else {
    socket.resume()
  }
  if (fate !== 'cut') socket.end()
  const late = sleep(MOST_WAIT_MS, 'late', { ref: false })
  assert.notEqual(await Promise.race([closed(socket), late]), 'late', 'it was not closed')
}

const doors: readonly (readonly [door: Door, who: string])[] = [
  ['plain', 'to who is not asked'],
  ['tls', 'over TLS'],
  ['auth', 'of somebody unknown'],
]

test(`${wrong.length} kinds of wrong frames cut off who sends them, or are answered`, async (t) => {
  const attack = await Attack.start(t)
  const { commitLogEnd } = await attack.report()
  for (const [door, who] of doors) {
    for (let at = 0; at < wrong.length; at += 10) {
      await Promise.all(
        wrong.slice(at, at + 10).map(async ([name, bytes, fate]) => {
          try {
            await meets(attack.open(door), bytes, fate)
          } catch (error) {
            throw new Error(`${name}, ${who}`, { cause: error })
          }
        }),
      )
      await attack.honest(door)
    }
  }
  assert.equal((await attack.check(t)).commitLogEnd, commitLogEnd)
})

test('a frame that ends at any of its bytes is waited for, and hurts nobody', async (t) => {
  const attack = await Attack.start(t)
  const frames = [good, bytesOf({ ...request(310, inLetters()), encoding: 'binary' })]
  for (const frame of frames) {
    const ends = Array.from({ length: frame.length }, (_, i) => i).filter((i) => i % sized(4, 1) === 0)
    for (let at = 0; at < ends.length; at += 50)
      await Promise.all(ends.slice(at, at + 50).map((end) => meets(attack.open('plain'), frame.subarray(0, end), 'waits')))
    await attack.honest('plain')
  }
  await attack.check(t)
})

const wrongKey = { ...attackedAccount, secretKey: 'not-of-the-administrator' }
const asks: readonly Command[] = [
  request(30, { ext: { topic: 'T', queueId: 0 } }),
  request(310, inLetters({ properties: { TAGS: 'x', KEYS: 'k' } })),
  request(34, heartbeat({ producers: ['P'] })),
  request(11, pull()),
  request(17, {
    ext: { topic: 'made', defaultTopic: 'TBW102', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicFilterType: 'SINGLE_TAG' },
  }),
  request(41, {
    body: printBody({ consumerGroup: 'G', clientId: 'c', mqSet: [{ topic: 'T', brokerName: 'mqlite', queueId: 0 }] }),
  }),
  request(12, {
    ext: { topic: 'T', key: 'k', maxNum: 1, beginTimestamp: 0, endTimestamp: '9223372036854775807', _UNIQUE_KEY_QUERY: true },
  }),
  request(37, { ext: { producerGroup: 'P', tranStateTableOffset: 0, commitLogOffset: 0, commitOrRollback: 8 } }),
]

/** A good request, or one with some of its bytes changed. */
function damaged(random: Random, command: Command): Buffer {
  const frame = bytesOf({ ...command, encoding: command.code < 32_768 && random.chance(0.3) ? 'binary' : 'json' })
  for (let left = random.int(4); left > 0; left--) frame[random.int(frame.length)] = random.int(256)
  return random.chance(0.05) ? random.bytes(random.int(500)) : frame
}

test(`${sized(12_000, 100_000, 1_000_000)} frames that are damaged at random do no harm, and without the right key change nothing`, async (t) => {
  const random = new Random(runSeed())
  t.diagnostic(`seed ${random.seed}`)
  const attack = await Attack.start(t)
  const before = await attack.report()
  const perSocket = 10
  const rounds = sized(12_000, 100_000, 1_000_000) / perSocket / 20
  for (const [door, sign] of [
    ['auth', true],
    ['auth', false],
    ['plain', false],
    ['tls', false],
  ] as const) {
    for (let round = 0; round < rounds / 4; round++) {
      const sockets = Array.from({ length: 20 }, () => attack.open(door))
      for (const socket of sockets) {
        socket.resume()
        for (let i = 0; i < perSocket; i++) {
          const command = random.pick(asks)
          socket.write(damaged(random, sign ? signed(command, wrongKey) : command))
        }
        socket.end()
      }
      await Promise.all(sockets.map(closed))
      await attack.honest(door)
    }
    // The two kinds of the unknown come first: nothing was stored for them.
    if (door === 'auth') assert.equal((await attack.report()).commitLogEnd, before.commitLogEnd)
  }
  await attack.check(t)
})
