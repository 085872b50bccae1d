/** Options: every one refuses a wrong type and a value out of range, and says which, what and why. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStore } from '../../lib/index.js'
import { resolveOptions, type StoreOptions } from '../../lib/store/options.js'
import { bad, freshDisk, refusalOf } from '../support/open-store.js'

interface Numeric {
  readonly name: string
  readonly least: number
  readonly most: number
  readonly whole: boolean
}

const MIB = 1024 * 1024
const numeric: readonly Numeric[] = [
  ['flushIntervalMs', 1, 3_600_000],
  ['flushTimeoutMs', 1, 3_600_000],
  ['maxUnflushedBytes', 4096, 16 * 1024 * MIB],
  ['maxPendingBytes', 4096, 16 * 1024 * MIB],
  ['segmentBytes', 1024, 2 ** 31 - 1],
  ['queueSegmentEntries', 1, 100_000_000],
  ['index.slots', 1, 500_000_000],
  ['index.entries', 2, 100_000_000],
  ['maxMessageBytes', 1, 1024 * MIB],
  ['retentionHours', 0, 24 * 36_500, false],
  ['deleteHour', 0, 23],
  ['disk.cleanAt', 0, 1, false],
  ['disk.forceAt', 0, 1, false],
  ['disk.refuseAt', 0, 1, false],
  ['readCacheBytes', 0, 16 * 1024 * MIB],
  ['tailBytes', 0, 1024 * MIB],
  ['openFiles', 16, 1_000_000],
  ['replication.replicas', 1, 64],
  ['replication.timeoutMs', 1, 3_600_000],
].map(([name, least, most, whole = true]) => ({ name, least, most, whole }) as Numeric)

const choices: readonly [string, readonly string[]][] = [
  ['flush', ['async', 'sync']],
  ['checksum', ['record', 'body']],
  ['role', ['primary', 'replica']],
  ['replication.ack', ['none', 'received', 'flushed']],
]
const booleans = ['index.enabled', 'verifyReads', 'readOnly', 'replication.degrade']
const texts = ['storeHost', 'brokerName']
const groups = ['index', 'disk', 'replication']

/** `{ a: { b: value } }` for `a.b`. */
function option(name: string, value: unknown): StoreOptions {
  const [group, inner] = name.split('.')
  return (inner === undefined ? { [group!]: value } : { [group!]: { [inner]: value } }) as StoreOptions
}

/** Every option. */
const allNames = [
  ...numeric.map(({ name }) => name),
  ...choices.map(([name]) => name),
  ...booleans,
  ...texts,
  'delayLevels',
  ...groups,
  'onProgress',
]

describe('values', () => {
  test('numbers at both ends of their range pass, one step beyond is refused with name, value and range', () => {
    for (const { name, least, most } of numeric) {
      for (const value of [least, most]) resolveOptions(option(name, value))
      for (const value of [least - 1, most + 1]) {
        const words = [`option ${name} `, String(value), String(least), String(most)]
        assert.throws(() => resolveOptions(option(name, value)), bad(RangeError, ...words), name)
      }
    }
  })

  test('an hour may be several', () => {
    const hoursOf = (deleteHour?: number | number[]) =>
      resolveOptions(deleteHour === undefined ? {} : { deleteHour }).retention.deleteHours
    assert.deepEqual([hoursOf(), hoursOf(0), hoursOf([4, 16])], [[4], [0], [4, 16]])
    for (const wrong of [[24], [4, -1], [4, 1.5]])
      assert.throws(() => hoursOf(wrong), bad(RangeError, 'option deleteHour ', 'from 0 to 23, or a list of such'))
  })

  test('what is not a number is refused where a number belongs', () => {
    for (const { name, least, most } of numeric) {
      for (const value of ['1', null, true, {}, [], () => 1, 1n, Number.NaN])
        assert.throws(
          () => resolveOptions(option(name, value)),
          bad(refusalOf('number', value), `option ${name} `, 'number', `from ${least} to ${most}`, 'got'),
          `${name} ${String(value)}`,
        )
    }
  })

  test('a fraction is refused where a whole number belongs', () => {
    for (const { name, least, most, whole } of numeric) {
      const value = (least + most) / 2 + 0.25
      if (whole)
        assert.throws(
          () => resolveOptions(option(name, value)),
          bad(RangeError, `option ${name} `, 'whole number', String(value)),
        )
      else resolveOptions(option(name, value))
    }
  })

  test('choices take their words and nothing else, and an error names the words', () => {
    for (const [name, words] of choices) {
      for (const word of words) resolveOptions(option(name, word))
      for (const value of ['', 'Async', 'none ', 1, null, true, {}])
        assert.throws(
          () => resolveOptions(option(name, value)),
          bad(refusalOf('string', value), `option ${name} `, ...words),
          name,
        )
    }
  })

  test('booleans and texts take nothing else', () => {
    for (const name of booleans) {
      for (const value of [true, false]) resolveOptions(option(name, value))
      for (const value of [0, 1, null, 'true', {}])
        assert.throws(() => resolveOptions(option(name, value)), bad(TypeError, `option ${name} `, 'true or false'), name)
    }
    for (const name of texts) {
      for (const value of ['', 5, null, true, {}])
        assert.throws(
          () => resolveOptions(option(name, value)),
          bad(refusalOf('string', value), `option ${name} `, 'a string'),
          name,
        )
    }
    for (const value of [1, 'x', {}])
      assert.throws(() => resolveOptions(option('onProgress', value)), bad(TypeError, 'option onProgress ', 'a function'))
  })

  test('the store host must be an address with a port', async () => {
    for (const storeHost of ['localhost:1', '1.2.3.4', '1.2.3.4:65536', '1.2.3:1', '[::1]', '::1:5']) {
      const disk = freshDisk()
      await assert.rejects(MessageStore.open('/s', { storeHost }, { disk }), bad(RangeError, storeHost), storeHost)
      assert.equal(disk.stat('/s'), undefined, 'nothing is created')
    }
  })

  test('undefined stands for the default, everywhere', () => {
    for (const name of allNames) assert.deepEqual(resolveOptions(option(name, undefined)), resolveOptions({}), name)
  })
})

describe('names', () => {
  test('an unknown name is refused at every level and told with the known ones', () => {
    assert.throws(() => resolveOptions({ flushMs: 5 } as never), bad(TypeError, 'unknown option flushMs', 'flushIntervalMs'))
    assert.throws(() => resolveOptions({ index: { slot: 5 } } as never), bad(TypeError, 'unknown option index.slot', 'slots'))
    assert.throws(() => resolveOptions({ disk: { x: 5 } } as never), bad(TypeError, 'unknown option disk.x', 'cleanAt'))
    assert.throws(() => resolveOptions({ replication: { x: 5 } } as never), bad(TypeError, 'unknown option replication.x', 'ack'))
  })

  test('an option is taken from the object itself, never from its prototype', () => {
    assert.deepEqual(resolveOptions(Object.create({ flush: 'wrong' }) as StoreOptions), resolveOptions({}))
  })

  test('options and their groups must be objects', () => {
    for (const value of [5, 'x', [], true, false, null]) {
      assert.throws(() => resolveOptions(value as never), bad(TypeError, 'options', "an object such as { flush: 'sync' }"))
      for (const group of groups)
        assert.throws(() => resolveOptions(option(group, value)), bad(TypeError, `option ${group} `, 'an object such as {'))
    }
    assert.throws(() => resolveOptions({ index: false as never }), bad(TypeError, '{ enabled: false }', 'got false'))
  })

  test('this test knows every option', () => {
    const known = new Set(allNames)
    for (const group of ['', 'index.', 'disk.', 'replication.']) {
      const all = { [`${group}?`]: 1 }
      const message = (() => {
        try {
          resolveOptions(option(Object.keys(all)[0]!, 1))
          return ''
        } catch (error) {
          return (error as Error).message
        }
      })()
      const names = message.slice(message.indexOf('are ') + 4).split(', ')
      assert.ok(names.length > 2, message)
      for (const name of names) assert.ok(known.has(`${group}${name}`), `${group}${name}`)
    }
  })

  test('resolved options cannot be changed', () => {
    const resolved = resolveOptions({})
    assert.throws(() => Object.assign(resolved, { readOnly: true }), TypeError)
    for (const group of [
      resolved.flush,
      resolved.log,
      resolved.views,
      resolved.message,
      resolved.retention,
      resolved.replication,
    ])
      assert.ok(Object.isFrozen(group))
  })
})

test('the directory must be a path that is not empty', async () => {
  for (const directory of ['', 'a\0b', undefined, null, 5, {}, Buffer.from('x')])
    await assert.rejects(
      MessageStore.open(directory as never, {}, { disk: freshDisk() }),
      bad(refusalOf('string', directory), 'directory'),
    )
})
