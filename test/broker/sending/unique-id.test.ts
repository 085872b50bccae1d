import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { systemClock } from '../../../lib/base/system.js'
import { decodeUniqueId, processUniqueIds, UniqueIds } from '../../../lib/broker/sending/unique-id.js'
import { check } from '../../support/cases.js'
import { ManualTime } from '../../support/manual-time.js'

const may = new Date(2024, 4, 3, 4, 5, 6, 7).getTime()

function idsAt(time: ManualTime, address: readonly number[] = [192, 0, 2, 33], pid = 0x1_2345) {
  let instances = 0
  return new UniqueIds({ clock: time, address: Uint8Array.from(address), pid, random: () => 0xfffffff0 + instances++ })
}

describe('unique ids', () => {
  test('hold address, process, instance, time within the month and counter in upper-case digits', () => {
    const ids = idsAt(new ManualTime(may))
    const span = may - new Date(2024, 4, 1).getTime()
    const time = span.toString(16).toUpperCase().padStart(8, '0')
    assert.equal(ids.next(), `C0000221${'2345'}${'FFFFFFF0'}${time}${'0000'}`)
    assert.equal(ids.next().slice(-4), '0001')
  })

  test('have 56 digits on a host with an IPv6 address', () => {
    const ids = idsAt(new ManualTime(may), [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    const id = ids.next()
    assert.equal(id.length, 56)
    assert.equal(decodeUniqueId(id, may + 1)?.host, '2001:db8::1')
  })

  test('tell host, process, time and counter within a month', () => {
    check(
      500,
      fc.property(
        fc.date({ min: new Date(1971, 0), max: new Date(2100, 0), noInvalidDate: true }),
        fc.nat(27 * 86_400_000),
        (date, age) => {
          const time = new ManualTime(date.getTime())
          const id = idsAt(time).next()
          const expected = { host: '192.0.2.33', pid: 0x2345, timestamp: date.getTime(), counter: 0 }
          assert.deepEqual(decodeUniqueId(id, date.getTime() + 1 + age), expected)
        },
      ),
    )
  })

  test('are not told by other texts', () => {
    for (const text of ['', 'xyz', '0'.repeat(31), '0'.repeat(33), 'G'.repeat(32), `${'0'.repeat(32)}\n`])
      assert.equal(decodeUniqueId(text, may), undefined, text)
  })

  test('differ within one millisecond, even when the counter goes round', () => {
    const ids = idsAt(new ManualTime(may))
    const made = new Set(Array.from({ length: 200_000 }, () => ids.next()))
    assert.equal(made.size, 200_000)
  })

  test('differ when the clock goes back and when another month has the same times', () => {
    const time = new ManualTime(may)
    const ids = idsAt(time)
    const made: string[] = []
    for (const wall of [may, may - 5_000, may, new Date(2024, 5, 3, 4, 5, 6, 7).getTime(), may]) {
      time.setWall(wall)
      for (let i = 0; i < 0x10000; i++) made.push(ids.next())
    }
    assert.equal(new Set(made).size, made.length)
  })

  test('of this process tell its address and its process, and differ from those of another maker', () => {
    const ids = processUniqueIds(systemClock, '203.0.113.5:10911')
    const id = ids.next()
    const parts = decodeUniqueId(id, systemClock.now() + 1)
    assert.deepEqual([parts?.host, parts?.pid], ['203.0.113.5', process.pid & 0xffff])
    assert.notEqual(processUniqueIds(systemClock, '203.0.113.5:10911').next().slice(12, 20), id.slice(12, 20))
  })

  test('need an address of 4 or 16 bytes', () => {
    assert.throws(() => idsAt(new ManualTime(), [1, 2, 3]), RangeError)
  })
})
