/** When the flusher flushes, on a log that is three numbers and a clock that the test moves. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Flushable, Flusher } from '../../lib/log/flusher.js'
import { ManualTime, settled } from '../support/manual-time.js'

/** A log whose flushes end when the test says so. */
class FakeLog implements Flushable {
  end = 0
  writtenEnd = 0
  durableEnd = 0
  running: (() => void) | undefined
  fail: ((error: unknown) => void) | undefined
  flushes = 0

  write(bytes: number): void {
    this.end += bytes
    this.writtenEnd = this.end
  }

  flush(): Promise<void> {
    const upTo = this.writtenEnd
    this.flushes++
    return new Promise((resolve, reject) => {
      this.fail = reject
      this.running = () => {
        this.durableEnd = upTo
        this.running = undefined
        resolve()
      }
    })
  }

  /** Ends the flush that runs. */
  async finish(): Promise<void> {
    this.running?.()
    await settled()
  }
}

function make(policy: 'async' | 'sync', intervalMs = 500, maxUnflushedBytes = 1000) {
  const log = new FakeLog()
  const time = new ManualTime()
  const failures: unknown[] = []
  const onFailure = (error: unknown): void => void failures.push(error)
  const flusher = new Flusher({ log, policy, intervalMs, maxUnflushedBytes, timers: time, onDurable: () => {}, onFailure })
  const write = (bytes: number): void => {
    log.write(bytes)
    flusher.written()
  }
  return { log, time, flusher, failures, write }
}

describe('with async', () => {
  test('a flush begins intervalMs after the first byte that is not durable, however many follow', async () => {
    const { log, time, write } = make('async')
    write(1)
    time.advance(300)
    write(1)
    time.advance(199)
    assert.equal(log.flushes, 0)
    time.advance(1)
    assert.equal(log.flushes, 1)
    await log.finish()
    assert.equal(log.durableEnd, 2)
  })

  test('what is written during a flush waits no longer than that flush and one interval', async () => {
    const { log, time, write } = make('async')
    write(1)
    time.advance(500)
    write(1)
    time.advance(10_000)
    assert.equal(log.flushes, 1)
    await log.finish()
    assert.equal(log.durableEnd, 1)
    time.advance(499)
    assert.equal(log.flushes, 1)
    time.advance(1)
    await log.finish()
    assert.equal(log.durableEnd, 2)
  })

  test('half of maxUnflushedBytes begins a flush at once, and all of it keeps puts out', async () => {
    const { log, flusher, write } = make('async')
    write(499)
    assert.equal(log.flushes, 0)
    write(1)
    assert.equal(log.flushes, 1)
    write(499)
    assert.equal(flusher.isBehind, false)
    write(1)
    assert.equal(flusher.isBehind, true)
    await log.finish()
    assert.equal(flusher.isBehind, false)
  })

  test('no timer is left when everything is durable', async () => {
    const { log, time, write } = make('async')
    write(1)
    time.advance(500)
    await log.finish()
    assert.equal(time.pendingTimers, 0)
  })
})

describe('with sync', () => {
  test('a flush begins at once, and what comes meanwhile shares the next', async () => {
    const { log, flusher, write } = make('sync')
    write(1)
    for (let i = 0; i < 10; i++) write(1)
    const all = flusher.durable(11)
    assert.equal(log.flushes, 1)
    await log.finish()
    assert.equal(log.durableEnd, 1)
    assert.equal(log.flushes, 2)
    await log.finish()
    await all
    assert.equal(log.flushes, 2)
    assert.equal(flusher.flushes, 2)
  })
})

test('after a flush that failed nothing is flushed again, and everybody is told', async () => {
  const { log, time, flusher, failures, write } = make('sync')
  write(1)
  const waiting = assert.rejects(flusher.durable(1), /EIO/)
  log.fail?.(new Error('EIO'))
  await waiting
  await settled()
  assert.equal(failures.length, 1)
  write(1)
  time.advance(10_000)
  await assert.rejects(flusher.durable(2), /EIO/)
  assert.equal(log.flushes, 1)
  assert.equal(log.durableEnd, 0)
})
