/** Targets that read text: configuration, our own sealed files, names, hosts, message ids, tags. */
import assert from 'node:assert/strict'
import { MessageStoreError } from '../../lib/base/errors.js'
import { asIntegerMap, ConfigSyntaxError, parseConfig, printConfig } from '../../lib/format/config-json.js'
import { hostText, parseHost } from '../../lib/format/host.js'
import { decodeOffsetMessageId, encodeOffsetMessageId } from '../../lib/format/message-id.js'
import { checkTopic, isTopic, parseQueueId, parseSegmentName, segmentName } from '../../lib/format/names.js'
import { sealText, unsealText } from '../../lib/format/sealed-text.js'
import { parseTags } from '../../lib/format/tags.js'
import { decodeRanges, encodeRanges, inRanges, rangeFrom, settleRanges } from '../../lib/log/ranges.js'
import { decodeSeals, encodeSeals } from '../../lib/log/seals.js'
import { decodeManifest, encodeManifest } from '../../lib/view/manifest.js'
import { decodePurges, encodePurges, Purges } from '../../lib/view/purges.js'
import type { Target } from './fuzzer.js'

const words = (...texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text))

const config: Target = {
  name: 'config',
  seeds: words(
    '{\n\t"dataVersion":{\n\t\t"counter":1\n\t},\n\t"offsetTable":{"T@g":{0:5,1:7}}\n}',
    '[1,-2.5e3,"a\\u00e9\\n",null,true,9223372036854775807,{},{"1":2}]',
    '{1:2,-3:null}',
    '{"1":2,"12345678901234567890":3}',
  ),
  words: words('{', '}', '[', ']', '"', ':', ',', '\\u', '\\', 'null', 'true', 'false', '1e', '.', '"__proto__"', '-0', '\ufffd'),
  run(input) {
    let value: ReturnType<typeof parseConfig>
    try {
      value = parseConfig(input)
    } catch (error) {
      if (!(error instanceof ConfigSyntaxError)) throw error
      assert.ok(error.offset >= 0 && error.line >= 1 && error.column >= 1)
      return
    }
    asIntegerMap(value)
    const text = printConfig(value)
    assert.equal(printConfig(parseConfig(text)), text)
  },
}

/** The first line of the files that an encoder makes. */
function headOf(file: Buffer): string {
  return file.toString('latin1').split('\n')[0]!
}

/** The lines of an input as a file that is whole, so that what reads its lines is reached. */
function sealed(head: string, input: Buffer): Buffer {
  return sealText(head, input.toString('latin1').split('\n'))
}

/** The lines of a file without head and checksum. */
function linesOf(file: Buffer): Buffer {
  return Buffer.from(file.toString('latin1').split('\n').slice(1, -2).join('\n'), 'latin1')
}

const sealedText: Target = {
  name: 'sealed-text',
  seeds: [sealText('head 1', ['a', 'b c']), sealText('head 1', [])],
  words: words('head 1\n', 'crc ', '\n'),
  run(input) {
    const lines = unsealText('head 1', input)
    if (lines !== undefined) assert.ok(sealText('head 1', lines).equals(input))
    const texts = input.toString('latin1').split('\n')
    assert.deepEqual(unsealText('head 1', sealText('head 1', texts)), texts)
  },
}

const manifestFile = encodeManifest({
  logStart: 0,
  viewsEnd: 5000,
  indexSizes: { slots: 100, entries: 400 },
  queues: [
    { topic: 'T', queueId: 0, min: 0, max: 9, lastEnd: 4000, sums: [{ first: 0, crc: 77 }] },
    { topic: 'B', queueId: 1, min: 0, max: 9, lastEnd: 5000, rows: 2, sums: [] },
  ],
  index: [
    {
      name: '20240101000000000',
      count: 3,
      beginTimestamp: 1,
      endTimestamp: 2,
      beginCommitLogOffset: 0,
      endCommitLogOffset: 100,
      entriesCrc: 5,
      slotsCrc: undefined,
    },
  ],
})

const manifest: Target = {
  name: 'manifest',
  seeds: [linesOf(manifestFile)],
  words: words('queue ', 'batch ', 'index ', 'log ', 'sizes ', ' ', ':', ' -', '\n', 'NaN', '1e400'),
  run(input) {
    decodeManifest(input)
    const found = decodeManifest(sealed(headOf(manifestFile), input))
    if (found === undefined) return
    for (const { first, crc } of found.queues.flatMap(({ sums }) => sums)) {
      assert.ok(Number.isSafeInteger(first) && Number.isSafeInteger(crc), 'a sum in a manifest is no number')
    }
    const file = encodeManifest(found)
    const again = decodeManifest(file)
    assert.ok(again !== undefined && encodeManifest(again).equals(file))
  },
}

const rangesFile = encodeRanges([
  { from: 0, to: 100 },
  { from: 200, to: Number.POSITIVE_INFINITY },
])

const ranges: Target = {
  name: 'ranges',
  seeds: [linesOf(rangesFile)],
  words: words(' ', ' -', '\n', '1e400', 'x'),
  run(input) {
    decodeRanges(input)
    const found = decodeRanges(sealed(headOf(rangesFile), input))
    const settled = settleRanges(found, 0, 1000)
    for (const { from, to } of settled) assert.ok(from >= 0 && from < to && to <= 1000)
    const ordered = settled.every(({ from }, i) => i === 0 || from >= settled[i - 1]!.to)
    for (const address of ordered ? [0, 99, 100, 200, 999] : []) {
      assert.equal(rangeFrom(settled, address).inside, inRanges(settled, address))
    }
    assert.ok(encodeRanges(decodeRanges(encodeRanges(found))).equals(encodeRanges(found)))
  },
}

const purgesFile = encodePurges([
  { topic: 'T', queueId: undefined, below: 100, next: 5 },
  { topic: 'T', queueId: 3, below: 200, next: 7 },
])

const purges: Target = {
  name: 'purges',
  seeds: [linesOf(purgesFile)],
  words: words(' ', ' *', '\n', 'T '),
  run(input) {
    decodePurges(input)
    const found = decodePurges(sealed(headOf(purgesFile), input))
    new Purges(found).hides('T', 3, 50)
    assert.deepEqual(decodePurges(encodePurges(found)).length, found.length)
    assert.ok(encodePurges(decodePurges(encodePurges(found))).equals(encodePurges(found)))
  },
}

const sealsFile = encodeSeals(
  new Map([
    [0, 1234],
    [1024, 99],
  ]),
)

const seals: Target = {
  name: 'seals',
  seeds: [linesOf(sealsFile)],
  words: words(' ', '\n', '1024 5'),
  run(input) {
    decodeSeals(input)
    const found = decodeSeals(sealed(headOf(sealsFile), input))
    if (![...found].flat().every(Number.isSafeInteger)) return
    assert.ok(encodeSeals(decodeSeals(encodeSeals(found))).equals(encodeSeals(found)))
  },
}

const messageId: Target = {
  name: 'message-id',
  seeds: words('0A00000100002A9F0000000000001000', '20010DB800000000000000000000000100002A9F0000000000001000'),
  words: words('00000000', 'FFFFFFFF', '7F'),
  run(input) {
    const id = input.toString('latin1')
    const found = decodeOffsetMessageId(id)
    if (found === undefined) return
    const { storeHost, commitLogOffset } = found
    assert.ok(Number.isSafeInteger(commitLogOffset) && commitLogOffset >= 0)
    const port = Number(storeHost.slice(storeHost.lastIndexOf(':') + 1))
    // A record has 32 bits for the port, a host in text only 16.
    if (port < 0 || port > 65_535) return
    assert.equal(encodeOffsetMessageId(parseHost(storeHost), commitLogOffset), id.toUpperCase())
  },
}

const host: Target = {
  name: 'host',
  seeds: words('10.0.0.1:10911', '[2001:db8::1]:10911', '[::ffff:1.2.3.4]:0', '[1:2:3:4:5:6:7:8]:65535'),
  words: words('::', ':', '[', ']', '.', '0', 'ffff', '255', ':65535'),
  run(input) {
    const length = input.length >= 20 ? 20 : 8
    if (input.length >= 8) assert.ok(hostText(input.subarray(0, length)).length >= '[::]:0'.length)
    let bytes: Buffer
    try {
      bytes = parseHost(input.toString('latin1'))
    } catch (error) {
      if (!(error instanceof RangeError) || !error.message.startsWith('a host must be')) throw error
      return
    }
    assert.ok(bytes.length === 8 || bytes.length === 20)
    assert.ok(parseHost(hostText(bytes)).equals(bytes))
  },
}

const tags: Target = {
  name: 'tags',
  seeds: words('*', 'a || b', 'TagA||TagB||'),
  words: words('||', '|', '*', ' '),
  run(input) {
    try {
      const found = parseTags(input.toString('utf8'))
      // Tags with a stroke of their own, or a star among others, cannot be joined again.
      if (found !== undefined && !found.tags.some((tag) => tag.includes('|') || tag === '*')) {
        assert.deepEqual(parseTags(found.tags.join('||')), found)
        assert.ok(found.hashes.every((hash) => hash === (hash | 0)))
      }
    } catch (error) {
      if (!(error instanceof RangeError) || !error.message.startsWith('tags must be')) throw error
    }
  },
}

const names: Target = {
  name: 'names',
  seeds: words('00000000001073741824', '7', 'Topic-1_a', '%RETRY%group'),
  words: words('%DLQ%', '%RETRY%', '/', '..', '0000', '\u0000'),
  run(input) {
    const name = input.toString('latin1')
    const start = parseSegmentName(name)
    if (start !== undefined) assert.equal(segmentName(start), name)
    const queueId = parseQueueId(name)
    if (queueId !== undefined) assert.equal(String(queueId), name)
    try {
      checkTopic(name)
      assert.ok(isTopic(name) && !/[./\0]/.test(name))
    } catch (error) {
      if (!(error instanceof MessageStoreError) || error.code !== 'TOPIC_INVALID') throw error
      assert.ok(!isTopic(name))
    }
  },
}

/** The targets of this file. */
export const textTargets: readonly Target[] = [config, sealedText, manifest, ranges, purges, seals, messageId, host, tags, names]
