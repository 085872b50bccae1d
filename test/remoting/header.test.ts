/** Both forms of a header: what is written is read back, what peers write is understood, and the rest is refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodeBinaryHeader, encodeBinaryHeader } from '../../lib/remoting/binary-header.js'
import { answer, type Command, emptyExtFields, request } from '../../lib/remoting/command.js'
import { MalformedFrame } from '../../lib/remoting/errors.js'
import { decodeJsonHeader, encodeJsonHeader } from '../../lib/remoting/json-header.js'
import { standardLimits } from '../../lib/remoting/limits.js'
import { bytesUpTo, check } from '../support/cases.js'
import { commands } from '../support/commands.js'

const read = (text: string) => decodeJsonHeader(Buffer.from(text), standardLimits)
const refuses = (text: string, why: RegExp): void =>
  assert.throws(
    () => read(text),
    (error) => error instanceof MalformedFrame && why.test(error.message),
  )

/** A header as the reading side gives it. */
function headerOf({ body: _body, encoding: _encoding, ...header }: Command) {
  return header
}

describe('a JSON header', () => {
  test('is read back equal', () => {
    check(
      500,
      fc.property(commands('json'), (command) => {
        assert.deepEqual(read(encodeJsonHeader(command)), headerOf(command))
      }),
    )
  })

  test('may have bare numbers and booleans among its ext fields, which become text without losing a digit', () => {
    const { extFields } = read(
      '{"code":11,"opaque":1,"extFields":{"a":1,"b":true,"c":9223372036854775807,"d":null,"e":-0.5,"f":"x","g":false}}',
    )
    assert.deepEqual({ ...extFields }, { a: '1', b: 'true', c: '9223372036854775807', e: '-0.5', f: 'x', g: 'false' })
  })

  test('may have its keys in any order, keys that nobody knows, and a language that nobody knows', () => {
    const header = read('{"x":{"y":[1]},"opaque":-5,"serializeTypeCurrentRPC":"JSON","language":"COBOL","code":34,"remark":null}')
    assert.deepEqual(header, {
      code: 34,
      language: undefined,
      version: 0,
      opaque: -5,
      flag: 0,
      remark: undefined,
      extFields: emptyExtFields(),
    })
  })

  test('gives names of the language no power over objects', () => {
    const { extFields } = read(
      '{"code":1,"opaque":1,"extFields":{"__proto__":"a","constructor":"b","prototype":"c","toString":"d"}}',
    )
    assert.deepEqual(Object.entries(extFields), [['toString', 'd']])
    assert.ok(!('hasOwnProperty' in extFields))
  })

  test('is refused when it is no object of the known kind', () => {
    refuses('', /no JSON/)
    refuses('{"code":1', /no JSON/)
    refuses('[1]', /no JSON object/)
    refuses('null', /no JSON object/)
    refuses('{"opaque":1}', /code/)
    refuses('{"code":1}', /opaque/)
    refuses('{"code":1.5,"opaque":1}', /code/)
    refuses('{"code":"10","opaque":1}', /code/)
    refuses('{"code":1,"opaque":2147483648}', /opaque/)
    refuses('{"code":1,"opaque":99999999999999999999}', /no JSON/)
    refuses('{"code":1,"opaque":1,"remark":{}}', /remark/)
    refuses('{"code":1,"opaque":1,"extFields":[]}', /extFields/)
    refuses('{"code":1,"opaque":1,"extFields":{"a":{}}}', /ext field/)
  })

  test('is refused when it is too deep or has too many or too long ext fields', () => {
    read('{"code":1,"opaque":1,"x":[[[]]]}')
    refuses('{"code":1,"opaque":1,"x":[[[[]]]]}', /levels/)
    refuses(`{"code":1,"opaque":1,"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, /levels/)
    refuses(`{"code":1,"opaque":1234567890123456,"x":${'['.repeat(50_000)}`, /levels/)
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":"v"`).join(',')
    read(`{"code":1,"opaque":1,"extFields":{${fields(256)}}}`)
    refuses(`{"code":1,"opaque":1,"extFields":{${fields(257)}}}`, /257 ext fields/)
    read(`{"code":1,"opaque":1,"extFields":{"${'k'.repeat(64)}":"${'v'.repeat(131_072)}"}}`)
    refuses(`{"code":1,"opaque":1,"extFields":{"${'k'.repeat(65)}":"v"}}`, /name/)
    refuses(`{"code":1,"opaque":1,"extFields":{"${'ü'.repeat(33)}":"v"}}`, /name/)
    refuses(`{"code":1,"opaque":1,"extFields":{"k":"${'v'.repeat(131_073)}"}}`, /131073 characters/)
  })

  test('is looked over before it is parsed, so that nothing in it holds the process up', () => {
    const head = '{"code":1,"opaque":1,'
    const filler = 'v'.repeat(5000)
    refuses(`${head}"x":${'['.repeat(100_000)}`, /levels/)
    refuses(`${head}"remark":"${filler}","x":[${'1,'.repeat(1100)}1]}`, /members/)
    refuses(`${head}"remark":"${filler}","extFields":{"a":12345678901234567890}}`, /beyond/)
    const text = '[[[[[[,\\"'.repeat(1500)
    assert.equal(read(`${head}"extFields":{"a":${JSON.stringify(text)}}}`).extFields['a'], text)
  })

  test('of an answer always has ext fields, all of them strings; that of a request only when there are any', () => {
    const asked = read('{"code":1,"opaque":7}')
    const to: Command = { ...asked, body: Buffer.alloc(0), encoding: 'json' }
    assert.deepEqual(JSON.parse(encodeJsonHeader(answer(to, 0))).extFields, {})
    const ext = { a: 1, b: true, c: 2n ** 63n - 1n, d: undefined, e: 'x' }
    assert.deepEqual(JSON.parse(encodeJsonHeader(answer(to, 0, { ext }))).extFields, {
      a: '1',
      b: 'true',
      c: '9223372036854775807',
      e: 'x',
    })
    assert.ok(!('extFields' in JSON.parse(encodeJsonHeader(request(105)))))
    assert.ok(!('remark' in JSON.parse(encodeJsonHeader(request(105)))))
  })

  test('that is random text is read or refused', () => {
    check(
      500,
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        try {
          read(text)
        } catch (error) {
          assert.ok(error instanceof MalformedFrame)
        }
      }),
    )
  })
})

describe('a binary header', () => {
  test('is read back equal', () => {
    check(
      500,
      fc.property(commands('binary'), (command) => {
        assert.deepEqual(decodeBinaryHeader(encodeBinaryHeader(command), standardLimits), headerOf(command))
      }),
    )
  })

  test('has the bytes that RocketMQ gives it', () => {
    const command: Command = {
      ...request(105, { remark: 'r', ext: { topic: 'T' } }),
      opaque: -2,
      flag: 1,
      language: 'GO',
      version: 317,
    }
    const hex = [
      '0069',
      '09',
      '013d',
      'fffffffe',
      '00000001',
      '00000001',
      '72',
      '0000000c',
      '0005',
      '746f706963',
      '00000001',
      '54',
    ]
    assert.equal(encodeBinaryHeader(command).toString('hex'), hex.join(''))
    assert.equal(encodeBinaryHeader(request(105)).length, 21)
  })

  test('with an empty value has no such field', () => {
    const bytes = encodeBinaryHeader(request(1, { ext: { a: '', b: 'x' } }))
    assert.deepEqual({ ...decodeBinaryHeader(bytes, standardLimits).extFields }, { b: 'x' })
  })

  test('cut short, or with a length that lies, is refused', () => {
    const bytes = encodeBinaryHeader(request(1, { remark: 'remark', ext: { name: 'value' } }))
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.throws(() => decodeBinaryHeader(bytes.subarray(0, cut), standardLimits), MalformedFrame)
    }
    assert.throws(() => decodeBinaryHeader(Buffer.concat([bytes, Buffer.alloc(1)]), standardLimits), MalformedFrame)
    for (const at of [13, 23, 27, 33]) {
      for (const wrong of [-1, 2 ** 31 - 1, -(2 ** 31)]) {
        const lying = Buffer.from(bytes)
        lying.writeInt32BE(wrong, at)
        assert.throws(() => decodeBinaryHeader(lying, standardLimits), MalformedFrame, `${wrong} at ${at}`)
      }
    }
  })

  test('cannot be written for a code that 16 bits cannot hold', () => {
    assert.throws(() => encodeBinaryHeader(request(200_050)), RangeError)
  })

  test('has the same bounds as a JSON one', () => {
    const ext = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']))
    const decode = (fields: Record<string, string>) =>
      decodeBinaryHeader(encodeBinaryHeader(request(1, { ext: fields })), standardLimits)
    decode(ext(256))
    assert.throws(() => decode(ext(257)), MalformedFrame)
    assert.throws(() => decode({ ['k'.repeat(65)]: 'v' }), MalformedFrame)
    assert.throws(() => decode({ k: 'v'.repeat(131_073) }), MalformedFrame)
  })

  test('of random bytes is read or refused', () => {
    check(
      1000,
      fc.property(bytesUpTo(60), (bytes) => {
        try {
          decodeBinaryHeader(bytes, standardLimits)
        } catch (error) {
          assert.ok(error instanceof MalformedFrame)
        }
      }),
    )
  })
})
