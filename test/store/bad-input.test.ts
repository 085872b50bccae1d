/** Bad input: each gets its error, names what is wrong, and changes nothing on the disk. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { repairStore, type StoreOptions } from '../../lib/index.js'
import { bad, checkCleanlyClosed, code, freshDisk, hashOf, openStore, refusalOf, root } from '../support/open-store.js'

const circular: Record<string, unknown> = {}
circular['self'] = circular

/** Messages that no store takes. */
const illegal: readonly [string, object, (error: unknown) => true][] = [
  // The message itself.
  ['null', null as never, bad(TypeError, 'message')],
  ['a string', 'orders' as never, bad(TypeError, 'message')],
  ['no topic', { body: 'x' }, bad(TypeError, 'topic', 'undefined')],
  ['no body', { topic: 'a' }, bad(TypeError, 'body', 'undefined')],
  ['a topic that is a number', { topic: 5, body: 'x' }, bad(TypeError, 'topic', '5')],
  ['a misspelt field', { topic: 'a', body: 'x', tag: 'x' }, bad(TypeError, 'message', '"tag"', 'tags', 'queueId')],
  ['a field of a receipt', { topic: 'a', body: 'x', queueOffset: 5 }, bad(TypeError, '"queueOffset"', 'topic, body')],
  ['an unknown field that is undefined', { topic: 'a', body: 'x', key: undefined }, bad(TypeError, '"key"', 'keys')],
  // Bodies.
  ['a body that is a number', { topic: 'a', body: 5 }, bad(TypeError, 'body', '5')],
  ['a body that is null', { topic: 'a', body: null }, bad(TypeError, 'body', 'null')],
  ['a body that is an array', { topic: 'a', body: [1, 2] }, bad(TypeError, 'body', 'array of 2')],
  ['a body that is an ArrayBuffer', { topic: 'a', body: new ArrayBuffer(2) }, bad(TypeError, 'body', 'ArrayBuffer')],
  ['a body of words', { topic: 'a', body: new Uint16Array(2) }, bad(TypeError, 'body', 'Uint16Array')],
  ['a body over the limit', { topic: 'a', body: Buffer.alloc(2001) }, code('MESSAGE_TOO_LARGE', 'body', '2001', '2000')],
  ['a long string over the limit', { topic: 'a', body: 'x'.repeat(3_000_000) }, code('MESSAGE_TOO_LARGE', 'body')],
  ['a string over the limit in bytes only', { topic: 'a', body: 'ü'.repeat(1001) }, code('MESSAGE_TOO_LARGE', 'body', '2002')],
  // Topics.
  ...['', 'a/b', '../x', '..', '.', 'a\\b', 'a b', 'a\0b', 'a:b', 'ä', 'a.b', '\n', 'a\n', 'a\u0001', '日本'].map(
    (topic) =>
      [`the topic ${JSON.stringify(topic)}`, { topic, body: 'x' }, code('TOPIC_INVALID')] as [
        string,
        object,
        (error: unknown) => true,
      ],
  ),
  ['a topic of 128 bytes', { topic: 'a'.repeat(128), body: 'x' }, code('TOPIC_INVALID', '128', '127')],
  ['a retry topic of 256 bytes', { topic: `%RETRY%${'a'.repeat(249)}`, body: 'x' }, code('TOPIC_INVALID', '256', '255')],
  // Queues.
  ...[-1, 1.5, 2 ** 31, Number.NaN, '0', {}, null].map(
    (queueId) =>
      [`the queue ${String(queueId)}`, { topic: 'a', body: 'x', queueId }, bad(refusalOf('number', queueId), 'queueId')] as [
        string,
        object,
        (error: unknown) => true,
      ],
  ),
  // Tags and keys.
  ['tags that are a number', { topic: 'a', body: 'x', tags: 5 }, bad(TypeError, 'tags', '5')],
  ['tags that are null', { topic: 'a', body: 'x', tags: null }, bad(TypeError, 'tags', 'null')],
  ['tags that are a list', { topic: 'a', body: 'x', tags: ['a'] }, bad(TypeError, 'tags', 'array')],
  ['empty tags', { topic: 'a', body: 'x', tags: '' }, code('MESSAGE_ILLEGAL', 'TAGS')],
  ['tags with a separator', { topic: 'a', body: 'x', tags: 'a\u0001b' }, code('MESSAGE_ILLEGAL', 'TAGS')],
  ['keys that are a number', { topic: 'a', body: 'x', keys: 5 }, bad(TypeError, 'keys', '5')],
  ['keys that are null', { topic: 'a', body: 'x', keys: null }, bad(TypeError, 'keys', 'null')],
  ['a key that is a number', { topic: 'a', body: 'x', keys: ['a', 5] }, bad(TypeError, 'keys', '5')],
  ['a hole in the keys', { topic: 'a', body: 'x', keys: ['a', undefined] }, bad(TypeError, 'keys', 'undefined')],
  ['an empty unique key', { topic: 'a', body: 'x', uniqueKey: '' }, code('MESSAGE_ILLEGAL', 'UNIQ_KEY')],
  ['an empty key', { topic: 'a', body: 'x', keys: ['a', ''] }, code('MESSAGE_ILLEGAL', 'key')],
  ['a key with a space', { topic: 'a', body: 'x', keys: 'a b' }, code('MESSAGE_ILLEGAL', 'key', 'a b')],
  ['a key with a separator', { topic: 'a', body: 'x', keys: ['a', 'b\u0002'] }, code('MESSAGE_ILLEGAL', 'keys')],
  [
    '33 keys',
    { topic: 'a', body: 'x', keys: Array.from({ length: 33 }, (_, n) => `k${n}`) },
    code('MESSAGE_ILLEGAL', '33', '32'),
  ],
  [
    '33 keys as a property',
    { topic: 'a', body: 'x', properties: { KEYS: 'k '.repeat(40) } },
    code('MESSAGE_ILLEGAL', '40', '32'),
  ],
  // Properties.
  ['properties that are null', { topic: 'a', body: 'x', properties: null }, bad(TypeError, 'properties', 'null')],
  ['properties that are a text', { topic: 'a', body: 'x', properties: 'a=b' }, bad(TypeError, 'properties', 'a=b')],
  [
    'properties that are a Map',
    { topic: 'a', body: 'x', properties: new Map([['a', 'b']]) },
    bad(TypeError, 'properties', 'Map'),
  ],
  ['a property that is a number', { topic: 'a', body: 'x', properties: { n: 5 } }, bad(TypeError, 'property', 'n', '5')],
  ['a property that is undefined', { topic: 'a', body: 'x', properties: { n: undefined } }, bad(TypeError, 'n', 'undefined')],
  ['a property that is circular', { topic: 'a', body: 'x', properties: { circular } }, bad(TypeError, 'circular')],
  ['an empty property', { topic: 'a', body: 'x', properties: { n: '' } }, code('MESSAGE_ILLEGAL', 'n')],
  ['a property without a name', { topic: 'a', body: 'x', properties: { '': 'v' } }, code('MESSAGE_ILLEGAL')],
  ['0x01 in a name', { topic: 'a', body: 'x', properties: { 'a\u0001': 'v' } }, code('MESSAGE_ILLEGAL', '0x01')],
  ['0x02 in a value', { topic: 'a', body: 'x', properties: { a: 'v\u0002w' } }, code('MESSAGE_ILLEGAL', '0x02')],
  ['half a surrogate pair', { topic: 'a', body: 'x', properties: { a: 'v\ud800' } }, code('MESSAGE_ILLEGAL', 'surrogate')],
  ['tags given twice', { topic: 'a', body: 'x', tags: 'a', properties: { TAGS: 'b' } }, code('MESSAGE_ILLEGAL', 'TAGS', 'twice')],
  ['keys given twice', { topic: 'a', body: 'x', keys: 'a', properties: { KEYS: 'b' } }, code('MESSAGE_ILLEGAL', 'KEYS', 'twice')],
  [
    'properties over 32,767 bytes',
    { topic: 'a', body: 'x', properties: { n: 'x'.repeat(32_760) } },
    code('MESSAGE_TOO_LARGE', 'properties', '32746'),
  ],
  [
    'encoded properties over 32,767 bytes',
    { topic: 'a', body: 'x', encodedProperties: Buffer.alloc(32_768, 'x') },
    code('MESSAGE_TOO_LARGE', 'properties'),
  ],
  ['encoded properties that are a text', { topic: 'a', body: 'x', encodedProperties: 'a' }, bad(TypeError, 'encodedProperties')],
  [
    'properties given twice',
    { topic: 'a', body: 'x', tags: 'a', encodedProperties: Buffer.alloc(0) },
    code('MESSAGE_ILLEGAL', 'encodedProperties'),
  ],
  // Numbers and hosts.
  ...(['flag', 'sysFlag', 'reconsumeTimes'] as const).flatMap((name) =>
    [2 ** 31, 1.5, '1', Number.NaN, null].map(
      (value) =>
        [`${name} ${String(value)}`, { topic: 'a', body: 'x', [name]: value }, bad(refusalOf('number', value), name)] as [
          string,
          object,
          (error: unknown) => true,
        ],
    ),
  ),
  ...(['bornTimestamp', 'preparedTransactionOffset'] as const).flatMap((name) =>
    [-1, 1.5, 2 ** 53, '1', Number.NaN, null].map(
      (value) =>
        [`${name} ${String(value)}`, { topic: 'a', body: 'x', [name]: value }, bad(refusalOf('number', value), name)] as [
          string,
          object,
          (error: unknown) => true,
        ],
    ),
  ),
  ...(['bornHost', 'storeHost'] as const).flatMap((name) =>
    ['', 'localhost:1', '1.2.3.4', '1.2.3.4:70000', '[::1]', 5, null].map(
      (value) =>
        [`${name} ${String(value)}`, { topic: 'a', body: 'x', [name]: value }, bad(refusalOf('string', value), 'host')] as [
          string,
          object,
          (error: unknown) => true,
        ],
    ),
  ),
  [
    'a record over the segment',
    { topic: 'a', body: Buffer.alloc(2000), properties: { n: 'x'.repeat(2500) } },
    code('MESSAGE_TOO_LARGE', 'segment', '4088'),
  ],
]

describe('messages', () => {
  for (const alone of [true, false]) {
    test(`a message that is not allowed is refused ${alone ? 'by put' : 'inside a batch'} and leaves no trace`, async (t) => {
      const disk = freshDisk()
      const store = await openStore(t, { disk, options: { maxMessageBytes: 2000 } })
      await store.put({ topic: 'b', body: 'before', keys: 'k' })
      await store.flush()
      const before = hashOf(disk)
      const end = store.metrics.snapshot()['commitLogEnd']
      for (const [name, message, check] of illegal) {
        const put = alone ? store.put(message as never) : store.putBatch([{ topic: 'b', body: 'x' }, message as never])
        await assert.rejects(put, (error) => {
          try {
            return check(error)
          } catch (failure) {
            throw new Error(`${name}: ${(failure as Error).message}`, { cause: error })
          }
        })
        assert.equal(store.metrics.snapshot()['commitLogEnd'], end, name)
        assert.equal((await store.get({ topic: 'a', offset: 0 })).status, 'NO_MATCHED_LOGIC_QUEUE', name)
      }
      assert.equal(hashOf(disk), before)
      const receipt = await store.put({ topic: 'b', body: 'after', keys: 'k' })
      assert.equal(receipt.queueOffset, 1)
      assert.equal((await store.query({ topic: 'b', key: 'k' })).length, 2)
    })
  }

  test('every topic that the rules allow is stored, up to its limit', async (t) => {
    const store = await openStore(t)
    for (const topic of ['a', '%RETRY%g', 'A|b-c_d%0', 'a'.repeat(127), `%RETRY%${'a'.repeat(248)}`, `%DLQ%${'a'.repeat(250)}`]) {
      await store.put({ topic, body: 'x', keys: 'k' })
      assert.equal((await store.get({ topic, offset: 0 })).messages[0]!.topic, topic)
      assert.equal((await store.query({ topic, key: 'k' })).length, 1)
    }
  })

  test('many messages refused between good ones of one turn harm none of them', async (t) => {
    const disk = freshDisk()
    const options: StoreOptions = { segmentBytes: 16 << 20, maxMessageBytes: 8 << 20 }
    const store = await openStore(t, { disk, options })
    const large = (mib: number, extra: object = {}): Promise<unknown> =>
      store.put({ topic: 'a', body: Buffer.alloc(mib << 20, mib), ...extra })
    const outcomes = await Promise.allSettled([
      store.put({ topic: 'a', body: 'first' }),
      large(2, { properties: { '': 'x' } }),
      large(3),
      large(4, { tags: '' }),
      large(5),
      store.put({ topic: 'a', body: 'last' }),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    )
    await store.close()
    await checkCleanlyClosed(disk, options)
    const again = await openStore(t, { disk, options })
    const sizes = []
    for (let offset = 0; offset < 4; offset++)
      sizes.push((await again.get({ topic: 'a', offset, maxMessages: 1 })).messages[0]!.body.length)
    assert.deepEqual(sizes, [5, 3 << 20, 5 << 20, 4])
  })
})

describe('batches', () => {
  test('what is not a list of messages is refused', async (t) => {
    const store = await openStore(t)
    for (const messages of [undefined, null, 5, 'abc', {}, { length: 1 }])
      await assert.rejects(store.putBatch(messages as never), bad(TypeError, 'messages', 'array'))
  })
})

describe('names', () => {
  test('every field of a message is known, own or inherited, and what a prototype has besides is not looked at', async (t) => {
    const store = await openStore(t)
    const plain = { queueId: 1, flag: 2, sysFlag: 0, bornTimestamp: 3, bornHost: '1.2.3.4:5', storeHost: '1.2.3.4:6' }
    const rest = { reconsumeTimes: 4, preparedTransactionOffset: 0, topic: 'a', body: 'x' }
    await store.put({ ...plain, ...rest, tags: 't', keys: 'k', properties: { p: 'v' } })
    await store.put({ ...plain, ...rest, encodedProperties: Buffer.alloc(0) })
    await store.put(Object.assign(Object.create({ origin: 'elsewhere' }), { topic: 'a', body: 'x', queueId: 1 }))
    assert.deepEqual(store.bounds('a', 1), { minOffset: 0, maxOffset: 3 })
  })

  test('tags of a get that are neither text nor a list are refused, and both are told', async (t) => {
    const store = await openStore(t)
    for (const tags of [5, null, {}, true])
      await assert.rejects(
        store.get({ topic: 'a', offset: 0, tags } as never),
        bad(TypeError, 'tags', 'a string or a list of tags'),
      )
  })

  test('an unknown field of a request is refused and told with the known ones', async (t) => {
    const store = await openStore(t)
    await store.put({ topic: 'a', body: 'x' })
    const get = { topic: 'a', offset: 0 }
    await assert.rejects(store.get({ ...get, max: 3 } as never), bad(TypeError, 'request', '"max"', 'maxMessages'))
    await assert.rejects(store.query({ topic: 'a', key: 'k', queueId: 0 } as never), bad(TypeError, '"queueId"', 'topic, key'))
    assert.throws(() => store.follow({ ...get, tag: 'x' } as never), bad(TypeError, '"tag"', 'tags'))
    assert.throws(() => store.follow({ ...get, waitMs: 5 } as never), bad(TypeError, '"waitMs"', 'signal'))
    assert.throws(() => store.replication.follow({ from: 0, to: 5 } as never), bad(TypeError, '"to"', 'from, maxBytes'))
    for (const request of [undefined, null, 'a']) {
      assert.throws(() => store.follow(request as never), bad(TypeError, 'request', 'object'))
      assert.throws(() => store.replication.follow(request as never), bad(TypeError, 'request', 'object'))
    }
    const { signal } = new AbortController()
    const all = { ...get, queueId: 0, maxMessages: 1, maxBytes: 1, tags: '*', signal }
    assert.equal((await store.get({ ...all, waitMs: 0 })).messages.length, 1)
    assert.equal((await store.follow(all).next()).done, false)
    assert.deepEqual(await store.query({ topic: 'a', key: 'k', maxMessages: 1, from: 0, to: 5 }), [])
  })
})

describe('listeners, checks and ranges', () => {
  test('an event that there is not, and a listener that cannot be called, are refused', async (t) => {
    const store = await openStore(t)
    for (const name of ['typo', 'toString', '', undefined, null, 5, Symbol('recovery')])
      assert.throws(() => store.on(name as never, () => {}), bad(TypeError, 'event', 'recovery, segmentDeleted', 'closed'))
    for (const listener of [undefined, null, 'f', {}])
      assert.throws(() => store.on('closed', listener as never), bad(TypeError, 'listener', 'a function'))
  })

  test('what verify is told is checked before it reads anything', async (t) => {
    const disk = freshDisk()
    const store = await openStore(t, { disk })
    const wrong: [unknown, string[]][] = [
      [null, ['options', 'object', 'null']],
      [5, ['options', 'object', '5']],
      [{ signals: undefined }, ['"signals"', 'onProgress, signal']],
      [{ onProgress: true }, ['onProgress', 'function', 'true']],
      [{ signal: { aborted: false } }, ['signal', 'AbortSignal', 'Object']],
    ]
    for (const [options, words] of wrong) await assert.rejects(store.verify(options as never), bad(TypeError, ...words))
    wrong.push([{ dryrun: true }, ['"dryrun"']])
    for (const [options, words] of wrong) {
      const said = words.filter((word) => word !== 'onProgress, signal')
      await assert.rejects(repairStore(root, options as never, { disk }), bad(TypeError, ...said))
    }
  })

  test('a digest of what is no range is refused', async (t) => {
    const store = await openStore(t)
    const { size } = await store.put({ topic: 'a', body: 'x' })
    for (const [from, to] of [
      [-1, 5],
      [Number.NaN, 5],
      ['0', 5],
      [0.5, 5],
      [undefined, 5],
      [0, undefined],
      [0, 2 ** 60],
    ]) {
      const wrong = from === 0 ? to : from
      const refused = bad(refusalOf('number', wrong), 'whole number')
      await assert.rejects(store.replication.digest(from as never, to as never), refused)
    }
    await assert.rejects(store.replication.digest(5, 4), bad(RangeError, 'from', '5 and 4'))
    assert.equal((await store.replication.digest(0, size)).to, size)
    assert.equal((await store.replication.digest(5, 5)).digest.length, 16)
  })
})
