/** The flusher: one flush at a time, shared by all who wait; a failure is final. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Flusher, type FlusherOptions } from '../../lib/log/flusher.js'
import { ManualTime, settled } from '../support/manual-time.js'

/** A log whose flushes the test ends by hand. */
class HandLog {
  end = 0
  writtenEnd = 0
  durableEnd = 0
  running = 0
  mostRunning = 0
  flushes = 0
  #end: { resolve: () => void; reject: (error: unknown) => void } | undefined

  write(bytes: number): void {
    this.end += bytes
    this.writtenEnd = this.end
  }

  async flush(): Promise<void> {
    const target = this.writtenEnd
    this.running++
    this.mostRunning = Math.max(this.mostRunning, this.running)
    this.flushes++
    try {
      await new Promise<void>((resolve, reject) => (this.#end = { resolve, reject }))
      this.durableEnd = target
    } finally {
      this.running--
    }
  }

  async finish(error?: unknown): Promise<void> {
    if (error === undefined) this.#end!.resolve()
    else this.#end!.reject(error)
    await settled()
  }
}

function build(options: Partial<FlusherOptions> = {}) {
  const log = new HandLog()
  const time = new ManualTime()
  const failures: unknown[] = []
  let durable = 0
  const flusher = new Flusher({
    log,
    policy: 'sync',
    intervalMs: 500,
    maxUnflushedBytes: 1000,
    timers: time,
    onDurable: () => durable++,
    onFailure: (error) => failures.push(error),
    ...options,
  })
  return { log, time, flusher, failures, durableCount: () => durable }
}

describe('sync', () => {
  test('what is written while a flush runs shares the next one', async () => {
    const { log, flusher } = build()
    const done: number[] = []
    for (let i = 1; i <= 50; i++) {
      log.write(10)
      flusher.written()
      const end = log.end
      void flusher.durable(end).then(() => done.push(end))
    }
    await settled()
    assert.equal(log.flushes, 1)
    // All was written before the flush looked, or comes with the second.
    await log.finish()
    if (done.length < 50) await log.finish()
    assert.equal(done.length, 50)
    assert.ok(log.flushes <= 2)
    assert.equal(log.mostRunning, 1)
  })

  test('who waits is told after onDurable and only for what is durable', async () => {
    const { log, flusher, durableCount } = build()
    log.write(10)
    flusher.written()
    await settled()
    log.write(10)
    let first = -1
    let second = -1
    void flusher.durable(10).then(() => (first = durableCount()))
    void flusher.durable(20).then(() => (second = durableCount()))
    await log.finish()
    assert.deepEqual([first, second], [1, -1])
    await log.finish()
    assert.deepEqual([first, second], [1, 2])
    assert.equal(flusher.flushes, 2)
  })

  test('what is durable already needs no flush', async () => {
    const { log, flusher } = build()
    await flusher.durable(0)
    assert.equal(log.flushes, 0)
  })
})

describe('async', () => {
  test('a flush starts intervalMs after the first byte, whatever else is written', async () => {
    const { log, time, flusher } = build({ policy: 'async' })
    log.write(10)
    flusher.written()
    for (let ms = 0; ms < 499; ms += 100) {
      time.advance(99)
      log.write(1)
      flusher.written()
    }
    assert.equal(log.flushes, 0)
    time.advance(5)
    assert.equal(log.flushes, 1)
    log.write(7)
    flusher.written()
    await log.finish()
    assert.equal(log.durableEnd, 15)
    assert.equal(time.pendingTimers, 1, 'what came meanwhile waits for its own interval')
    time.advance(500)
    await log.finish()
    assert.equal(log.durableEnd, 22)
    assert.equal(time.pendingTimers, 0)
  })

  test('half of maxUnflushedBytes starts a flush at once, all of it says that nothing more should be appended', async () => {
    const { log, flusher } = build({ policy: 'async' })
    log.write(499)
    flusher.written()
    assert.deepEqual([log.flushes, flusher.isBehind], [0, false])
    log.write(1)
    flusher.written()
    assert.deepEqual([log.flushes, flusher.isBehind], [1, false])
    log.write(500)
    assert.equal(flusher.isBehind, true)
    await log.finish()
    assert.equal(flusher.isBehind, false)
  })

  test('close stops the timer', () => {
    const { log, time, flusher } = build({ policy: 'async' })
    log.write(1)
    flusher.written()
    flusher.close()
    time.advance(10_000)
    assert.equal(log.flushes, 0)
  })
})

describe('failure', () => {
  test('a failed flush rejects all who wait and all who come, is told once, and is never tried again', async () => {
    const { log, flusher, failures } = build()
    const error = new Error('EIO')
    log.write(10)
    flusher.written()
    const waits = [flusher.durable(10), flusher.durable(10)]
    const checks = waits.map((wait) => assert.rejects(wait, error))
    await settled()
    await log.finish(error)
    await Promise.all(checks)
    await assert.rejects(flusher.durable(10), error)
    log.write(10)
    flusher.written()
    await settled()
    assert.deepEqual([log.flushes, failures], [1, [error]])
  })

  test('a failure found elsewhere ends flushing too: one that runs then says nothing, and none begins', async () => {
    const { log, flusher, failures, durableCount } = build()
    log.write(100)
    const waiting = flusher.durable(100)
    const error = new Error('what was written cannot be known')
    flusher.fail(error)
    await assert.rejects(waiting, error)
    await log.finish()
    assert.equal(durableCount(), 0)
    log.write(100)
    flusher.written()
    await assert.rejects(flusher.durable(200), error)
    assert.deepEqual([log.flushes, flusher.flushes, failures.length], [1, 0, 0])
  })

  test('an error of those who are told counts as a failure, so that nobody waits for ever', async () => {
    const error = new Error('mark')
    const { log, flusher, failures } = build({
      onDurable: () => {
        throw error
      },
    })
    log.write(10)
    const wait = assert.rejects(flusher.durable(10), error)
    await settled()
    await log.finish()
    await wait
    assert.deepEqual(failures, [error])
  })
})
