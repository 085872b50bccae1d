/** Targets that read what peers send: frames, both kinds of header, bodies, registrations of brokers. */
import assert from 'node:assert/strict'
import { crc32, deflateSync } from 'node:zlib'
import { decodeBinaryHeader, encodeBinaryHeader } from '../../lib/remoting/binary-header.js'
import { parseBody, printBody } from '../../lib/remoting/body-json.js'
import { type Command, request } from '../../lib/remoting/command.js'
import { MalformedFrame, Refusal } from '../../lib/remoting/errors.js'
import { encodeFrame, FrameDecoder } from '../../lib/remoting/frame.js'
import { decodeJsonHeader, encodeJsonHeader, type Header } from '../../lib/remoting/json-header.js'
import { standardLimits } from '../../lib/remoting/limits.js'
import { decodeRegistration, encodeRegistration } from '../../lib/remoting/name-server/registration.js'
import { routeOf } from '../../lib/remoting/name-server/route-questions.js'
import { RouteTable } from '../../lib/remoting/name-server/route-table.js'
import type { Target } from './fuzzer.js'

const words = (...texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text))
const sample = request(310, {
  remark: 'remark',
  ext: { a: 'group', b: 'topic', i: 'TAGS\u0001x\u0002', e: 3 },
  body: Buffer.from('body'),
})

/** What a decoder gives, `undefined` for what it refuses in its own way. */
function unless<Value>(refused: new (...given: never[]) => Error, decode: () => Value): Value | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof refused) return undefined
    throw error
  }
}

function checkHeader({ extFields }: Header): void {
  assert.ok(!Object.hasOwn(Object.getPrototypeOf(extFields) as object, 'toString'))
  const entries = Object.entries(extFields)
  assert.ok(entries.length <= standardLimits.maxExtFields)
  for (const [name, text] of entries)
    assert.ok(typeof text === 'string' && !['__proto__', 'constructor', 'prototype'].includes(name))
}

/** A header as a command, so that it can be written again. */
const commandOf = (header: Header, encoding: 'json' | 'binary'): Command => ({
  ...header,
  language: header.language ?? 'OTHER',
  body: Buffer.alloc(0),
  encoding,
})

const jsonHeader: Target = {
  name: 'json-header',
  seeds: [
    ...words(
      encodeJsonHeader(sample),
      '{"code":34,"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":479}',
      '{"code":11,"opaque":-1,"extFields":{"offset":9223372036854775807,"x":true,"y":null,"z":-1.5e3},"x":{"y":[[1]]}}',
    ),
  ],
  words: words(
    '"extFields":{',
    '"__proto__":"x"',
    '"code":',
    '"opaque":',
    '1234567890123456789',
    '\\u0001',
    'null',
    '{',
    '}',
    '[[[[',
    '0:',
  ),
  run(input) {
    const header = unless(MalformedFrame, () => decodeJsonHeader(input, standardLimits))
    if (header === undefined) return
    checkHeader(header)
    const again = decodeJsonHeader(Buffer.from(encodeJsonHeader(commandOf(header, 'json'))), standardLimits)
    assert.deepEqual(again, { ...header, language: header.language ?? 'OTHER' })
  },
}

const binaryHeader: Target = {
  name: 'binary-header',
  seeds: [encodeBinaryHeader(sample), encodeBinaryHeader(request(105))],
  words: [...words('\0\u0001a\0\0\0\u0001b', '__proto__'), Buffer.of(0xff, 0xff, 0xff, 0xff)],
  run(input) {
    const header = unless(MalformedFrame, () => decodeBinaryHeader(input, standardLimits))
    if (header === undefined) return
    checkHeader(header)
    // Bytes that are not UTF-8 become longer when they are written again, perhaps beyond a limit.
    const again = unless(MalformedFrame, () =>
      decodeBinaryHeader(encodeBinaryHeader(commandOf(header, 'binary')), standardLimits),
    )
    if (again !== undefined) assert.deepEqual(again, { ...header, language: header.language ?? 'OTHER' })
  },
}

/** Reads a stream in pieces of a size. @returns the commands, and whether it was refused in the end */
function readStream(stream: Buffer, size: number): { commands: Command[]; isRefused: boolean } {
  const decoder = new FrameDecoder(standardLimits)
  const commands: Command[] = []
  for (let at = 0; at < stream.length; at += size) {
    decoder.add(Buffer.from(stream.subarray(at, at + size)))
    try {
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) commands.push(frame.command)
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
      return { commands, isRefused: true }
    }
  }
  return { commands, isRefused: false }
}

const frames: Target = {
  name: 'frames',
  seeds: [
    Buffer.concat([Buffer.of(7), ...encodeFrame(sample), ...encodeFrame({ ...sample, encoding: 'binary' })]),
    Buffer.concat([Buffer.of(1), ...encodeFrame(request(34, { body: Buffer.from('{}') }))]),
  ],
  words: [...encodeFrame(request(1)), Buffer.of(0, 0, 0, 4, 0, 0, 0, 0), Buffer.of(1, 0, 0, 21)],
  run(input) {
    const stream = input.subarray(1)
    const whole = readStream(stream, Math.max(1, stream.length))
    assert.deepEqual(readStream(stream, 1 + (input[0] ?? 0)), whole)
  },
}

const body: Target = {
  name: 'remoting-body',
  seeds: [
    printBody({
      brokerAddrs: new Map([
        [0, 'a:1'],
        [1, 'b:2'],
      ]),
      list: [1, true, 'ü'],
    }),
    printBody({ table: { k: 'v' } }, 'standard'),
    Buffer.from('{"a":9223372036854775807,b:1}'),
  ],
  words: words('{', '}', '[', ']', ':', ',', '0:', '"__proto__"', '\\u00', 'null', '1e9', '9007199254740993'),
  run(input) {
    const value = unless(Refusal, () => parseBody(input))
    if (value === undefined) return
    for (const form of ['fastjson', 'standard'] as const) {
      const text = printBody(value, form)
      assert.deepEqual(printBody(parseBody(text), form), text)
      if (form === 'standard') assert.ok(text.every((byte) => byte < 0x80))
    }
  },
}

const topics = [{ topic: 'T', readQueueNums: 4, writeQueueNums: 4, perm: 6, topicSysFlag: 0 }]
const server = { cluster: 'c', brokerName: 'b', brokerId: 0, address: 'a:1', haAddress: 'a:2' }
const plain = encodeRegistration({ ...server, dataVersion: { stateVersion: 0, timestamp: 1, counter: 1 }, topics })
const row = (text: string): Buffer => Buffer.concat([Buffer.of(0, 0, 0, text.length), Buffer.from(text)])
const one = Buffer.of(0, 0, 0, 1)
const rows = Buffer.concat([row('{"counter":1}'), one, row('T 4 4 6 SINGLE_TAG'), row('[]'), one, row('{"topic":"T","x":{0:1}}')])

/** The first byte says how the rest is sent: compressed, compressed here, or as it is. */
const registration: Target = {
  name: 'registration',
  seeds: [
    Buffer.concat([Buffer.of(0), plain.body]),
    Buffer.concat([Buffer.of(1), rows]),
    Buffer.concat([Buffer.of(2), deflateSync(rows)]),
  ],
  words: [...words('"topicConfigTable":{', '"perm":', '"topicQueueMappingInfoMap":{', 'SINGLE_TAG', '__proto__'), one, rows],
  run(input) {
    const how = (input[0] ?? 0) % 3
    const sent = how === 1 ? deflateSync(input.subarray(1)) : Buffer.from(input.subarray(1))
    const bodyCrc32 = String(crc32(sent) & 0x7fffffff)
    const extFields = { ...plain.extFields, bodyCrc32, compressed: String(how !== 0) }
    const read = unless(Refusal, () => decodeRegistration({ ...plain, extFields, body: sent }))
    if (read === undefined) return
    const table = new RouteTable()
    table.register(read, 0)
    for (const topic of read.topics.keys()) assert.ok(printBody(routeOf(table.state, topic)!, 'standard').length > 0)
    table.unregister(read)
    assert.equal(table.state.topics.size, 0)
  },
}

/** The targets of this file. */
export const remotingTargets: readonly Target[] = [jsonHeader, binaryHeader, frames, body, registration]
