/** Configuration files as fastjson writes them: byte for byte what it writes, everything it writes read, nothing else. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  asIntegerMap,
  type ConfigObject,
  ConfigSyntaxError,
  type ConfigValue,
  parseConfig,
  printConfig,
} from '../../lib/format/config-json.js'

const object = (text: string): ConfigObject => parseConfig(text) as ConfigObject

/** Offsets as 5.3 writes them. */
const OFFSETS = [
  '{',
  '\t"dataVersion":{',
  '\t\t"counter":1,',
  '\t\t"stateVersion":0,',
  '\t\t"timestamp":1795225122611',
  '\t},',
  '\t"groupTopicMap":{',
  '\t\t"g":["T"]',
  '\t},',
  '\t"offsetTable":{',
  '\t\t"T@g":{0:12,1:3',
  '\t\t}',
  '\t}',
  '}',
].join('\n')

const TOPICS = [
  '{',
  '\t"dataVersion":{',
  '\t\t"counter":3,',
  '\t\t"timestamp":1795225122611',
  '\t},',
  '\t"topicConfigTable":{',
  '\t\t"T":{',
  '\t\t\t"attributes":{},',
  '\t\t\t"order":false,',
  '\t\t\t"perm":6,',
  '\t\t\t"readQueueNums":8,',
  '\t\t\t"topicFilterType":"SINGLE_TAG",',
  '\t\t\t"topicName":"T",',
  '\t\t\t"topicSysFlag":0,',
  '\t\t\t"writeQueueNums":8',
  '\t\t}',
  '\t}',
  '}',
].join('\n')

/** What fastjson 1.2.69 and 1.2.83 print for maps in maps, long numbers, sets and empty things. */
const MIXED = [
  '{',
  '\t"b":false,',
  '\t"bits":[1,2],',
  '\t"d":0.25,',
  '\t"deep":{3:{',
  '\t\t\t"k":"v"',
  '\t\t},4:{}',
  '\t},',
  '\t"empty":{},',
  '\t"groupTopicMap":{',
  '\t\t"g":["T","U"]',
  '\t},',
  '\t"none":[],',
  '\t"offsetTable":{',
  '\t\t"T@g":{0:12,1:9007199254740993,12:9223372036854775807',
  '\t\t}',
  '\t}',
  '}',
].join('\n')

describe('files of RocketMQ', () => {
  test('are written again byte for byte after they were read', () => {
    for (const text of [OFFSETS, TOPICS, MIXED, '{\n\t"offsetTable":{3:5,12:7\n\t}\n}', '{}', '{\n\t"table":{}\n}'])
      assert.equal(printConfig(parseConfig(text)), text)
  })

  test('that hold lists, one element a line, are read and written with the list on one', () => {
    const text = '{\n\t"o":[\n\t\t5,\n\t\t6\n\t],\n\t"one":[\n\t\t7\n\t]\n}'
    assert.equal(printConfig(parseConfig(text)), '{\n\t"o":[5,6],\n\t"one":[7]\n}')
  })

  test('give integer maps as maps and everything else as objects', () => {
    const { dataVersion, offsetTable, groupTopicMap } = object(OFFSETS)
    assert.deepEqual({ ...(dataVersion as ConfigObject) }, { counter: 1, stateVersion: 0, timestamp: 1_795_225_122_611 })
    assert.deepEqual((groupTopicMap as ConfigObject)['g'], ['T'])
    const table = (offsetTable as ConfigObject)['T@g']
    assert.deepEqual(
      table,
      new Map([
        [0, 12],
        [1, 3],
      ]),
    )
  })

  test('have their fields sorted, their maps ascending, and what is null left out', () => {
    const value = {
      b: undefined,
      a: null,
      Z: 1,
      c: [null, true],
      m: new Map<number, ConfigValue>([
        [10, 1n],
        [9, null],
        [2, 'x'],
        [-1, false],
      ]),
    }
    assert.equal(printConfig(new Map([[1, null]])), '{}')
    assert.equal(printConfig(value), '{\n\t"Z":1,\n\t"c":[null,true],\n\t"m":{-1:false,2:"x",10:1\n\t}\n}')
  })
})

describe('integer keys', () => {
  test('may stand in quotes, bare, or mixed', () => {
    const expected = new Map([
      [3, 5],
      [12, 7],
    ])
    for (const text of ['{3:5,12:7}', '{"3":5,"12":7}', '{3:5,"12":7}', ' { 3 : 5 ,\n12\t: 7 } ']) {
      assert.deepEqual(asIntegerMap(parseConfig(text)), expected, text)
    }
    assert.deepEqual(asIntegerMap(parseConfig('{}')), new Map())
    assert.deepEqual(
      [...(parseConfig('{-1:1,-0:2}') as Map<number, number>)],
      [
        [-1, 1],
        [0, 2],
      ],
    )
  })

  test('are not taken from names that only look like integers', () => {
    for (const text of ['{"03":1}', '{"1.0":1}', '{"":1}', '{" 1":1}', '{"a":1}', '[1]', '1', 'null', '"x"', '{"-0":1}']) {
      assert.equal(asIntegerMap(parseConfig(text)), undefined, text)
    }
    assert.equal(asIntegerMap(undefined), undefined)
  })
})

describe('long numbers', () => {
  test('beyond 2^53 come as bigint and go out unchanged', () => {
    for (const [text, value] of [
      ['9007199254740991', 9_007_199_254_740_991],
      ['-9007199254740991', -9_007_199_254_740_991],
      ['9007199254740992', 9_007_199_254_740_992n],
      ['9223372036854775807', 2n ** 63n - 1n],
      ['-9223372036854775808', -(2n ** 63n)],
    ] as const) {
      assert.equal(parseConfig(text), value)
      assert.equal(printConfig(value), text)
    }
  })

  test('that do not fit a long, and fractions that are not exact, are refused both ways', () => {
    for (const text of ['9223372036854775808', '-9223372036854775809', '1'.repeat(400), '1e400', '1e16', '9007199254740993.0']) {
      assert.throws(() => parseConfig(text), ConfigSyntaxError, text)
    }
    for (const value of [2 ** 53, -(2 ** 60), Number.NaN, Number.POSITIVE_INFINITY, 2n ** 63n, -(2n ** 63n) - 1n]) {
      assert.throws(() => printConfig(value), RangeError, String(value))
    }
    for (const text of ['-0', '-0.0', '-1e-999']) assert.equal(parseConfig(text), 0, text)
    assert.equal(printConfig(-0), '0')
    assert.equal(parseConfig('1.5e1'), 15)
    assert.equal(printConfig(0.25), '0.25')
  })
})

describe('names', () => {
  test('that mean something to JavaScript are names like any other', () => {
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":2},"toString":3,"hasOwnProperty":4}'
    const value = object(text)
    assert.equal(Object.getPrototypeOf(value), null)
    assert.deepEqual(Object.keys(value), ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
    assert.deepEqual(Object.keys(object(printConfig(value))).sort(), ['__proto__', 'constructor', 'hasOwnProperty', 'toString'])
  })

  test('given twice have the last value', () => {
    assert.equal(object('{"a":1,"a":2}')['a'], 2)
    assert.deepEqual(parseConfig('{1:1,1:2}'), new Map([[1, 2]]))
  })
})

describe('strings', () => {
  test('are escaped as fastjson does', () => {
    const text = '"\\ / \b\f\n\r\t \u0000\u000b\u001f\u007f\u009f\u2028\u2029 ü中😀 \ud800'
    const quoted = '"\\"\\\\ / \\b\\f\\n\\r\\t \\u0000\\u000B\\u001F\\u007F\\u009F\\u2028\\u2029 ü中😀 \\uD800"'
    assert.equal(printConfig(text), quoted)
    assert.equal(parseConfig(quoted), text)
    assert.equal(parseConfig('"\\/\\u4e2d"'), '/中')
  })
})

describe('bad text', () => {
  test('is refused with the place where it goes wrong', () => {
    for (const [text, line, column] of [
      ['', 1, 1],
      ['  \n ', 2, 2],
      ['{', 1, 2],
      ['{"a":1', 1, 7],
      ['{"a":1,}', 1, 8],
      ['{"a" 1}', 1, 6],
      ['{a:1}', 1, 2],
      ["{'a':1}", 1, 2],
      ['{01:1}', 1, 3],
      ['{9007199254740992:1}', 1, 2],
      ['[1,2\n3]', 2, 1],
      ['[1,]', 1, 4],
      ['{}\n{}', 2, 1],
      ['"abc', 1, 5],
      ['"a\nb"', 1, 3],
      ['"\\x41"', 1, 3],
      ['"\\u12G4"', 1, 4],
      ['nul', 1, 1],
      ['-', 1, 1],
      ['.5', 1, 1],
      ['1.', 1, 2],
      ['01', 1, 2],
      ['NaN', 1, 1],
      ['// no', 1, 1],
    ] as const) {
      assert.throws(
        () => parseConfig(text),
        (error: unknown) => {
          assert.ok(error instanceof ConfigSyntaxError, text)
          assert.deepEqual([error.line, error.column], [line, column], `${JSON.stringify(text)}: ${error.message}`)
          assert.match(error.message, new RegExp(`line ${line}, column ${column}$`))
          return true
        },
      )
    }
  })

  test('includes bytes that are not UTF-8', () => {
    assert.throws(() => parseConfig(Buffer.from([0x7b, 0x22, 0xff, 0x22])), /not UTF-8 at line 1, column 3/)
    assert.deepEqual({ ...(parseConfig(Buffer.from('{"中":1}')) as ConfigObject) }, { 中: 1 })
  })
})

describe('limits', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

  test('64 levels are read and written, 65 are refused', () => {
    assert.equal(printConfig(parseConfig(nested(64))), nested(64))
    assert.throws(() => parseConfig(nested(65)), /no more than 64 levels.*column 65/)
    assert.throws(() => parseConfig('{"a":'.repeat(100_000)), ConfigSyntaxError)
    assert.throws(() => printConfig([parseConfig(nested(64))]), RangeError)
  })

  test('a text longer than allowed is refused before it is looked at', () => {
    assert.throws(() => parseConfig('{"a":1}', { maxBytes: 6 }), /7 bytes are more than 6/)
    assert.throws(() => parseConfig(Buffer.from('"中"'), { maxBytes: 4 }), /5 bytes/)
    assert.equal(parseConfig('"中"', { maxBytes: 5 }), '中')
  })

  test('values that no configuration can hold are refused', () => {
    for (const value of [() => 1, Symbol('s'), new Map([['a', 1]]), new Map([[0.5, 1]]), [undefined]]) {
      assert.throws(() => printConfig(value as unknown as null), TypeError)
    }
  })
})
