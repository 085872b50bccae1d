/** What the timer leaves in its files, and what it makes of those that RocketMQ or a crash left. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { systemTimers } from '../../lib/base/system.js'
import { TimerFiles } from '../../lib/broker/delay/timer-files.js'
import { TimerLogWriter } from '../../lib/broker/delay/timer-log.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { readTimerUnit, TimerKind, unitsPerFile } from '../../lib/format/timer-files.js'
import type { StoredMessage } from '../../lib/store/stored-message.js'

const FILE = 1024
const NOW = 1_700_000_000
const messages = Array.from({ length: 50 }, (_, i) => ({ commitLogOffset: i * 300, size: 300, property: () => 't' }))
const state = { second: NOW - 5, queueOffset: 60, firstOffset: 3 }
let disk: MemoryDisk

/** Leaves a log with a unit for each message, five of which are in each second, and a check that says so. */
async function close(): Promise<void> {
  disk = new MemoryDisk()
  disk.makeDirectory('/s/config')
  const writer = new TimerLogWriter({ disk, directory: '/s/timerlog', fileBytes: FILE, nowSecond: NOW })
  for (const [i, message] of messages.entries())
    await writer.add(message as unknown as StoredMessage, NOW + Math.floor(i / 5), false)
  await writer.mark({ ...messages[0]!, commitLogOffset: 99_999 } as unknown as StoredMessage, state.second)
  await writer.finish()
  await new TimerFiles(disk, '/s').writeClosed(state, writer.units)
}

const load = () => new TimerFiles(disk, '/s').load(systemTimers)
const logNames = () => disk.list('/s/timerlog').map(({ name }) => name)
const addresses = messages.map(({ commitLogOffset }) => commitLogOffset)

/** Changes eight bytes of RocketMQ's part of `timercheck`, as RocketMQ does. */
function setCheck(at: number, value: number): void {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  disk.overwrite('/s/config/timercheck', at, bytes)
}

describe('the files of the timer', () => {
  beforeEach(close)

  test('name all that waits over several files, each second chained backwards', async () => {
    const { waiting, ...rest } = await load()
    assert.deepEqual(rest, state)
    assert.deepEqual([...waiting!], addresses)
    assert.equal(logNames().length, Math.ceil(51 / unitsPerFile(FILE)))
    const unit = (i: number) => {
      const file = Math.floor(i / unitsPerFile(FILE))
      const bytes = Buffer.from(disk.bytesOf(`/s/timerlog/${logNames()[file]}`))
      return readTimerUnit(bytes, (i % unitsPerFile(FILE)) * 52)!
    }
    const placeOf = (i: number): number => Math.floor(i / unitsPerFile(FILE)) * FILE + (i % unitsPerFile(FILE)) * 52
    for (let i = 0; i < 50; i++) {
      assert.equal(unit(i).previous, i % 5 === 0 ? -1 : placeOf(i - 1))
      assert.equal(unit(i).slotMs, (NOW + Math.floor(i / 5) - 1) * 1000)
      assert.equal(unit(i).kind, TimerKind.message)
    }
    assert.ok(unit(50).slotMs < (state.second - 1) * 1000)
  })

  test('written by RocketMQ since: its read time and its units tell what waits', async () => {
    setCheck(0, (NOW + 3) * 1000)
    setCheck(16, 70)
    setCheck(24, 70)
    const { waiting, second, queueOffset, firstOffset } = await load()
    assert.deepEqual({ second, queueOffset, firstOffset }, { second: NOW + 4, queueOffset: 70, firstOffset: 0 })
    assert.deepEqual([...waiting!], addresses.slice(20))
  })

  test('that lack units leave it to the topic to tell what waits', async () => {
    disk.remove(`/s/timerlog/${logNames()[1]}`)
    assert.equal((await load()).waiting, undefined)
    assert.equal((await load()).firstOffset, state.firstOffset)
    setCheck(8, 2000)
    assert.equal((await load()).waiting, undefined)
    assert.equal((await load()).firstOffset, 0)
  })

  test('are not believed without a check, nor with one that is cut', async () => {
    const everything = { second: 0, queueOffset: 0, firstOffset: 0, waiting: undefined }
    disk.open('/s/config/timercheck', { write: true }).resize(60)
    assert.deepEqual(await load(), everything)
    disk.remove('/s/config/timercheck')
    assert.deepEqual(await load(), everything)
  })

  test('go when messages are delivered again, and RocketMQ is sent to the first that waits', async () => {
    const files = new TimerFiles(disk, '/s')
    await files.load(systemTimers)
    await files.begin(state)
    assert.deepEqual(logNames(), [])
    const check = Buffer.from(disk.bytesOf('/s/config/timercheck'))
    assert.deepEqual(
      [16, 24].map((at) => Number(check.readBigInt64BE(at))),
      [state.firstOffset, state.firstOffset],
    )
    assert.deepEqual(await load(), { ...state, waiting: undefined })
    assert.equal(new TimerFiles(disk, '/s').logFileBytes > FILE, true)
    await files.load(systemTimers)
    assert.equal(files.logFileBytes, FILE)
  })

  test('have RocketMQ put again what is due in more than two days', async () => {
    const writer = new TimerLogWriter({ disk, directory: '/s/far', fileBytes: FILE, nowSecond: NOW })
    const day = 86_400
    for (const days of [1, 2, 2.5, 3, 10])
      await writer.add(messages[0] as unknown as StoredMessage, NOW + days * day, days === 10)
    await writer.finish()
    const bytes = Buffer.from(disk.bytesOf(`/s/far/${'0'.repeat(20)}`))
    const units = [0, 1, 2, 3, 4].map((i) => readTimerUnit(bytes, i * 52)!)
    assert.deepEqual(
      units.map(({ kind, slotMs }) => [kind, (slotMs / 1000 + 1 - NOW) / day]),
      [
        [1, 1],
        [3, 1],
        [3, 1],
        [3, 2],
        [7, 2],
      ],
    )
  })
})
