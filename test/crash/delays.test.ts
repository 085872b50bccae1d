/** Delayed messages and a process that dies: the disk is copied around each change, and each copy is opened. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { arrived, openSite, pass } from '../support/delays.js'
import { ManualTime } from '../support/manual-time.js'
import { NamedOperations } from '../support/named-operations.js'
import { freshDisk, root } from '../support/open-store.js'
import { sized } from '../support/tier.js'

describe('a broker that dies', () => {
  test('loses no delayed message, between whichever two operations of the disk', { timeout: 600_000 }, async () => {
    const { moments, end } = await recordMoments()
    assert.ok(moments.length > 100, `${moments.length}`)
    const step = sized(9, 1)
    for (let i = 0; i < moments.length; i += step) {
      const { disk, acknowledged, cancelled } = moments[i]!
      const next = await openSite({}, { disk, time: new ManualTime(end + 60_000) })
      await pass(next.time, 3000)
      const got = new Set(await arrived(next))
      for (const body of acknowledged) assert.ok(got.has(body), `${body} is lost at moment ${i}`)
      for (const body of cancelled) assert.ok(!got.has(body), `${body} was cancelled; moment ${i}`)
      assert.deepEqual(next.problems, [])
      await next.broker.close()
    }
  })
})

/** A disk as it was at one moment, and what was promised by then. */
interface CrashMoment {
  readonly disk: MemoryDisk
  readonly acknowledged: readonly string[]
  readonly cancelled: readonly string[]
}

/** Sends, cancels, delivers, closes and opens again; the disk is copied around every change. */
async function recordMoments(): Promise<{ moments: CrashMoment[]; end: number }> {
  const memory = freshDisk()
  const moments: CrashMoment[] = []
  const acknowledged: string[] = []
  const cancelled: string[] = []
  const options = { delayOffsetIntervalMs: 1000, offsetIntervalMs: 1000, store: { flushIntervalMs: 1000 } }
  const disk = new NamedOperations(memory, root, () => {
    const { tree } = memory.snapshot()
    moments.push({ disk: new MemoryDisk({ tree }), acknowledged: [...acknowledged], cancelled: [...cancelled] })
  })
  const time = new ManualTime()
  for (let run = 0; run < 3; run++) {
    const site = await openSite(options, { disk, time })
    for (let i = 0; i < 4; i++) {
      const body = `${run}.${i}`
      const receipt = await site.broker.send({ topic: 't', body, delayMs: 1500 + i * 1700 })
      if (i === 2) cancelled.push((await site.broker.cancel(receipt)) ? body : '-')
      else acknowledged.push(body)
      await pass(time, 700)
    }
    await site.broker.send({ topic: 't', body: `${run}.level`, delayLevel: 2 })
    acknowledged.push(`${run}.level`)
    await site.broker.close()
  }
  return { moments, end: time.now() }
}
