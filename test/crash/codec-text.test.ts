/** Everything that is text, or carries messages of others: configuration, batches, names, hosts, ids, ranges. */
import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { MessageStoreError } from '../../lib/base/errors.js'
import { type BatchedMessage, decodeClientBatch, encodeClientBatch } from '../../lib/format/client-batch.js'
import { asIntegerMap, ConfigSyntaxError, type ConfigValue, parseConfig, printConfig } from '../../lib/format/config-json.js'
import { hostText, parseHost } from '../../lib/format/host.js'
import { decodeOffsetMessageId, encodeOffsetMessageId } from '../../lib/format/message-id.js'
import { checkTopic, isTopic, parseQueueId, parseSegmentName, segmentName } from '../../lib/format/names.js'
import { sealText } from '../../lib/format/sealed-text.js'
import { decodeRanges, encodeRanges, inRanges, type LogRange, settleRanges } from '../../lib/log/ranges.js'
import { decodeSeals } from '../../lib/log/seals.js'
import { decodeManifest, encodeManifest, type Manifest } from '../../lib/view/manifest.js'
import { decodePurges } from '../../lib/view/purges.js'
import { bytesUpTo, casesSoFar, check, ints, longs, objects, signedLongs } from '../support/cases.js'

const strings = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', '', '12', '-1', '\ud800', '\udc00x', '"\\\n\u2028'),
)
const numbers = fc.oneof(
  signedLongs,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => (isSafe(value) ? Number(value) : value)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
)
const isSafe = (value: bigint): boolean => Number.isSafeInteger(Number(value))

/** Configuration values as the reader gives them: no empty map, no null in an object, objects without prototype. */
const { value: values } = fc.letrec<{ value: ConfigValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.boolean(), strings, numbers, numbers) as fc.Arbitrary<ConfigValue>,
    fc.array(fc.oneof(tie('value'), fc.constant(null)), { maxLength: 4 }),
    fc.array(fc.tuple(strings, tie('value')), { maxLength: 4 }).map((pairs) => bare(pairs)),
    fc.array(fc.tuple(fc.maxSafeInteger(), tie('value')), { minLength: 1, maxLength: 4 }).map((pairs) => new Map(pairs)),
  ),
}))

function bare(pairs: readonly [string, ConfigValue][]): ConfigValue {
  const object = Object.create(null) as Record<string, ConfigValue>
  for (const [name, value] of pairs) object[name] = value
  return object
}

describe('configuration', () => {
  test('is read as it was written, and written the same again', () => {
    check(
      1200,
      fc.property(values, (value) => {
        const text = printConfig(value)
        const read = parseConfig(Buffer.from(text))
        assert.deepEqual(read, value)
        assert.equal(printConfig(read), text)
      }),
    )
  })

  test('that is JSON, without numbers that are not exact, is read as JavaScript reads it', () => {
    const exact = fc.json().filter((text) => !/(?<![.\d])\d{16,}(?![.\d])|e\+/.test(text))
    check(
      600,
      fc.property(exact, fc.nat(4), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent)
        const plain = JSON.stringify(plainOf(parseConfig(spaced)))
        assert.deepEqual(JSON.parse(plain), JSON.parse(spaced))
      }),
    )
  })

  test('that is anything else is refused with a place in the text, and only so', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      'a',
      '\\',
      'u00',
      '1',
      '-',
      '.',
      'e9',
      '0',
      'null',
      'true',
      ' ',
      '\n',
      '\u0000',
    ]
    const texts = fc.oneof(
      fc.array(fc.constantFrom(...pieces), { maxLength: 16 }).map((parts) => parts.join('')),
      values.chain((value) =>
        fc.tuple(fc.nat(), fc.constantFrom(...pieces)).map(([at, piece]) => {
          const text = printConfig(value)
          const cut = at % (text.length + 1)
          return text.slice(0, cut) + piece + text.slice(cut + 1)
        }),
      ),
    )
    check(
      1500,
      fc.property(fc.oneof(texts, bytesUpTo(40)), (source) => {
        try {
          const value = parseConfig(source)
          assert.deepEqual(parseConfig(printConfig(value)), withoutNulls(value))
        } catch (error) {
          assert.ok(error instanceof ConfigSyntaxError, `${error}`)
          assert.ok(error.offset >= 0 && error.line >= 1 && error.column >= 1)
        }
      }),
    )
  })

  test('with integer keys gives one map, in quotes or not', () => {
    const entries = fc.uniqueArray(fc.tuple(fc.maxSafeInteger(), fc.nat()), {
      minLength: 1,
      maxLength: 5,
      selector: ([key]) => key,
    })
    check(
      400,
      fc.property(entries, fc.boolean(), (pairs, quoted) => {
        const quote = quoted ? '"' : ''
        const text = `{${pairs.map(([key, value]) => `${quote}${key}${quote}:${value}`).join(',')}}`
        assert.deepEqual(asIntegerMap(parseConfig(text)), new Map(pairs))
      }),
    )
  })
})

/** Maps and objects without prototype as plain objects, bigint as number. */
function plainOf(value: ConfigValue): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plainOf)
  if (typeof value !== 'object' || value === null) return value
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(entries.map(([key, entry]) => [String(key), plainOf(entry as ConfigValue)]))
}

/** The value without the fields that the writer leaves out; a map of nothing but those becomes an empty object. */
function withoutNulls(value: ConfigValue): ConfigValue {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) {
    const kept = [...value].filter(([, entry]) => entry !== null).map(([key, entry]) => [key, withoutNulls(entry)] as const)
    return kept.length === 0 ? bare([]) : new Map(kept)
  }
  const kept = Object.entries(value as Record<string, ConfigValue>).filter(([, entry]) => entry !== null)
  return bare(kept.map(([name, entry]) => [name, withoutNulls(entry)]))
}

describe('batches of clients', () => {
  const messages: fc.Arbitrary<BatchedMessage[]> = fc.array(
    objects({ flag: ints, body: bytesUpTo(40), properties: bytesUpTo(40) }),
    { maxLength: 5 },
  )

  test('give back the messages, and the same bytes again', () => {
    check(
      1000,
      fc.property(messages, (sent) => {
        const bytes = encodeClientBatch(sent)
        assert.deepEqual(decodeClientBatch(bytes), sent)
        assert.deepEqual(encodeClientBatch(decodeClientBatch(bytes)), bytes)
      }),
    )
  })

  test('of any bytes are whole or refused as illegal', () => {
    const hurt = fc.tuple(messages, fc.nat(), fc.nat(255)).map(([sent, at, byte]) => {
      const bytes = encodeClientBatch(sent)
      if (bytes.length > 0) bytes[at % bytes.length] = byte
      return bytes
    })
    check(
      1200,
      fc.property(fc.oneof(hurt, bytesUpTo(80)), fc.nat(3), (content, offset) => {
        // Not at the start of its memory, so that a read past an end would meet other bytes.
        const bytes = Buffer.concat([Buffer.alloc(offset), content, Buffer.alloc(8)]).subarray(offset, offset + content.length)
        try {
          const again = encodeClientBatch(decodeClientBatch(bytes))
          // Magic and CRC, which nobody reads, are written as zeros.
          for (let at = 0; at < again.length; at += again.readInt32BE(at)) again.copy(bytes, at + 4, at + 4, at + 12)
          assert.deepEqual(again, bytes)
        } catch (error) {
          assert.ok(error instanceof MessageStoreError && error.code === 'MESSAGE_ILLEGAL', `${error}`)
        }
      }),
    )
  })
})

describe('names', () => {
  test('of segments stand for their address and sort as it does', () => {
    check(
      500,
      fc.property(longs, longs, (a, b) => {
        assert.match(segmentName(a), /^[0-9]{20}$/)
        assert.equal(parseSegmentName(segmentName(a)), a)
        assert.equal(segmentName(a) < segmentName(b), a < b)
      }),
    )
  })

  test('of anything else are no segments and no queues', () => {
    check(
      500,
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,21}$/)), (text) => {
        const start = parseSegmentName(text)
        if (start !== undefined) assert.equal(segmentName(start), text)
        const queue = parseQueueId(text)
        if (queue !== undefined) assert.equal(String(queue), text)
      }),
    )
  })

  test('of topics lead nowhere but into their own directory', () => {
    check(
      500,
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.stringMatching(/^[%|a-zA-Z0-9_-]{0,140}$/)),
        (topic) => {
          if (isTopic(topic)) {
            checkTopic(topic)
            assert.ok(!['/', '\\', '.', '\u0000'].some((character) => topic.includes(character)))
            assert.ok(Buffer.byteLength(topic) <= 255 && topic !== '')
          } else assert.throws(() => checkTopic(topic), MessageStoreError)
        },
      ),
    )
  })
})

describe('hosts and message ids', () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    sparse(),
  )
  const hosts = fc
    .tuple(address, fc.nat(65_535))
    .map(([bytes, port]) => Buffer.concat([bytes, Buffer.of(0, 0, port >> 8, port & 255)]))

  /** IPv6 addresses with runs of zeros, which have a short form. */
  function sparse(): fc.Arbitrary<Uint8Array> {
    return fc
      .array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
      .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])))
  }

  test('are read as they were written', () => {
    check(
      700,
      fc.property(hosts, longs, (host, commitLogOffset) => {
        const text = hostText(host)
        assert.deepEqual(parseHost(text), host)
        if (host.length === 20) assert.ok(isIPv6(text.slice(1, text.lastIndexOf(']'))), text)
        const id = encodeOffsetMessageId(host, commitLogOffset)
        assert.deepEqual(decodeOffsetMessageId(id), { storeHost: text, commitLogOffset })
        assert.deepEqual(decodeOffsetMessageId(id.toLowerCase()), { storeHost: text, commitLogOffset })
      }),
    )
  })

  test('of anything else are refused as a host, and are no id', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-fA-F]{30,58}$/), fc.stringMatching(/^[[\]0-9a-f.:]{0,24}$/))
    check(
      700,
      fc.property(texts, (text) => {
        const id = decodeOffsetMessageId(text)
        if (id !== undefined) assert.ok(text.length === 32 || text.length === 56)
        try {
          assert.deepEqual(parseHost(hostText(parseHost(text))), parseHost(text))
        } catch (error) {
          assert.ok(error instanceof RangeError, `${error}`)
        }
      }),
    )
  })
})

describe('ranges', () => {
  const cuts = fc.uniqueArray(longs, { minLength: 2, maxLength: 9 }).map((addresses) => addresses.sort((a, b) => a - b))
  const ranges = fc.tuple(cuts, fc.boolean()).map(([addresses, isOpen]) => {
    const list: LogRange[] = []
    for (let i = 0; i + 1 < addresses.length; i += 2) list.push({ from: addresses[i]!, to: addresses[i + 1]! })
    return isOpen ? [...list.slice(0, -1), { from: list.at(-1)!.from, to: Number.POSITIVE_INFINITY }] : list
  })

  test('are read as they were written, and damaged text is read as none', () => {
    check(
      600,
      fc.property(ranges, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, at, flip) => {
        const bytes = encodeRanges(list)
        assert.deepEqual(decodeRanges(bytes), list)
        bytes[at % bytes.length]! ^= flip
        assert.deepEqual(decodeRanges(bytes), [])
      }),
    )
  })

  test('that are no numbers are none, though the checksum is right', () => {
    for (const line of ['', '5', 'x -', '-1 5', '1 2 3', '0x1 5', '1e3 -', '5 4', ' 5', '5 9007199254740992', '1.5 2'])
      assert.deepEqual(decodeRanges(sealText('mqlite ranges 1', ['0 5', line])), [], line)
  })

  test('that are settled hold the same addresses within the log, ascending and apart', () => {
    check(
      600,
      fc.property(ranges, longs, longs, longs, (list, a, b, address) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        const settled = settleRanges(list, start, end)
        for (const [i, range] of settled.entries()) assert.ok(range.from < range.to && range.from > (settled[i - 1]?.to ?? -1))
        for (const probe of [address, start, end - 1, ...list.flatMap(({ from, to }) => [from, to - 1, to])]) {
          if (!Number.isFinite(probe)) continue
          assert.equal(inRanges(settled, probe), probe >= start && probe < end && inRanges(list, probe), `${probe}`)
        }
      }),
    )
  })
})

describe('manifests of views', () => {
  const names = fc.constantFrom('T', '%RETRY%g', 'a-b_c|d', 'x'.repeat(127))
  const sums = fc.array(objects({ first: longs, crc: fc.maxSafeNat().map((value) => value % 2 ** 32) }), { maxLength: 3 })
  const queue = objects({
    topic: names,
    queueId: fc.nat(),
    min: longs,
    max: longs,
    lastEnd: fc.oneof(longs, fc.constant(-1)),
    sums,
  })
  const queues = fc
    .tuple(queue, fc.option(longs, { nil: undefined }))
    .map(([row, rows]) => (rows === undefined ? row : { ...row, rows }))
  const times = objects({ beginTimestamp: longs, endTimestamp: longs, beginCommitLogOffset: longs, endCommitLogOffset: longs })
  const index = fc
    .tuple(fc.stringMatching(/^[0-9]{17}$/), fc.nat(), times, fc.nat(), fc.option(fc.nat(), { nil: undefined }))
    .map(([name, count, bounds, entriesCrc, slotsCrc]) => ({ name, count, ...bounds, entriesCrc, slotsCrc }))
  const manifests: fc.Arbitrary<Manifest> = objects({
    logStart: longs,
    viewsEnd: longs,
    indexSizes: objects({ slots: fc.nat(), entries: fc.nat() }),
    queues: fc.array(queues, { maxLength: 4 }),
    index: fc.array(index, { maxLength: 3 }),
  })

  test('are read as they were written, and damaged text is read as none', () => {
    check(
      600,
      fc.property(manifests, fc.nat(), fc.integer({ min: 1, max: 255 }), (manifest, at, flip) => {
        const bytes = encodeManifest(manifest)
        assert.deepEqual(decodeManifest(bytes), manifest)
        bytes[at % bytes.length]! ^= flip
        assert.equal(decodeManifest(bytes), undefined)
      }),
    )
  })

  test('whose sums are no numbers are none, though the checksum is right', () => {
    const head = ['log 0 9', 'sizes 100 400']
    const read = (sum: string): unknown => decodeManifest(sealText('mqlite views 1', [...head, `queue T 0 0 9 9 ${sum}`]))
    assert.notEqual(read('0:5'), undefined)
    for (const sum of ['0', 'x:5', '0:1e400', '0x1:5', ':5', '0:5.5', '0:-5', '9007199254740992:5', '00:5', '+1:5']) {
      assert.equal(read(sum), undefined, sum)
    }
  })
})

describe('purges and seals', () => {
  const check = (head: string, good: string, bad: readonly string[], read: (bytes: Buffer) => number): void => {
    assert.equal(read(sealText(head, [good, good])), 2)
    for (const line of bad) assert.equal(read(sealText(head, [good, line])), 0, line)
  }

  test('that cannot be are none, though the checksum is right', () => {
    const purges = ['', 'a', 'a 0 5', 'a 0 5 6 7', 'a x 5 6', 'a -1 5 6', 'a 0 -5 6', 'a 0 NaN 6', 'a 0 5 Infinity', 'a 0 5 1e3']
    const more = ['a 0 9007199254740992 6', 'a 0 5.5 6', 'a/b 0 5 6', ' 0 5 6', 'a  5 6', 'a 0 5 0x6', 'a 0 5 06']
    check('mqlite purged 1', 'a 0 5 6', [...purges, ...more], (bytes) => decodePurges(bytes).length)
    assert.deepEqual(decodePurges(sealText('mqlite purged 1', ['a * 5 6'])), [
      { topic: 'a', queueId: undefined, below: 5, next: 6 },
    ])
  })

  test('of segments that cannot be are none, though the checksum is right', () => {
    const seals = ['', '5', '5 6 7', '-5 6', 'x 6', '5 -6', '5 4294967296', '5 NaN', '5.5 6', '9007199254740992 6', '5 ']
    const read = (bytes: Buffer): number => decodeSeals(bytes).size
    assert.equal(read(sealText('mqlite seals 1', ['0 4294967295', '4096 0'])), 2)
    for (const line of seals) assert.equal(read(sealText('mqlite seals 1', ['0 5', line])), 0, line)
  })
})

after(() => console.log(`codec, text: ${casesSoFar()} generated cases`))
