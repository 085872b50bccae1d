/** A read-only store beside a writer that deletes topics: it answers as for a queue that is not there, or with what is there. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageStore } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { freshDisk, open } from '../support/open-store.js'

/** Answers that a queue which comes and goes may give to a get from offset 0. */
const HONEST = ['FOUND', 'NO_MATCHED_LOGIC_QUEUE', 'NO_MESSAGE_IN_QUEUE', 'OFFSET_TOO_SMALL']

async function fill(store: MessageStore, round: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await store.put({ topic: 'a', queueId: i % 2, body: `${round}/${i}`.padEnd(100), keys: `k${i}` })
    await store.put({ topic: 'b', body: 'stays', keys: 'b' })
  }
}

/** Writes views, as the writer does by itself every now and then. */
async function flushViews(writer: MessageStore): Promise<void> {
  await writer.flush()
  await writer.purge('nothing-there')
}

/** What the writer does to the topic; the last state is told by how many messages are left in it. */
const lives: Record<string, (writer: MessageStore, round: number) => Promise<number>> = {
  'deletes it': async (writer) => {
    await writer.deleteTopic('a')
    return 0
  },
  'deletes it and puts to it again': async (writer, round) => {
    await writer.deleteTopic('a')
    await fill(writer, round, 6)
    return 6
  },
  'deletes it, puts to it again and writes its views': async (writer, round) => {
    await writer.deleteTopic('a')
    await fill(writer, round, 24)
    await flushViews(writer)
    return 24
  },
}

describe('beside a writer that', () => {
  for (const [name, live] of Object.entries(lives)) {
    for (const known of ['everything', 'one queue', 'nothing']) {
      test(`${name}, a reader that had read ${known} gives no false error`, async () => {
        const disk = freshDisk()
        const writer = await open(disk)
        await fill(writer, 0, 400)
        await flushViews(writer)
        const time = new ManualTime()
        const reader = await open(disk, { readOnly: true, openFiles: 16 }, { clock: time })
        for (let round = 1; round < 4; round++) {
          const queues = known === 'everything' ? [0, 1] : known === 'one queue' ? [1] : []
          for (const queueId of queues) await reader.get({ topic: 'a', queueId, offset: 0 })
          let isOver = false
          const changing = live(writer, round).finally(() => {
            isOver = true
          })
          for (let turn = 0; !isOver; turn++) {
            const { status, messages } = await reader.get({ topic: 'a', queueId: turn % 2, offset: 0 })
            assert.ok(HONEST.includes(status), status)
            for (const { topic, queueId, queueOffset } of messages)
              assert.deepEqual([topic, queueId], ['a', turn % 2], `${queueOffset}`)
            await reader.query({ topic: 'a', key: 'k1' })
            await settled(1)
          }
          const left = await changing
          // One who only gets sees within a second what was deleted.
          time.advance(1000)
          assert.deepEqual((await reader.verify()).findings, [])
          assert.equal((await reader.query({ topic: 'b', key: 'b', maxMessages: 1 })).length, 1)
          const { messages } = await reader.get({ topic: 'a', queueId: 0, offset: 0 })
          assert.deepEqual(
            messages.map(({ body }) => `${body}`.trimEnd()),
            Array.from({ length: left / 2 }, (_, i) => `${round}/${i * 2}`),
          )
          await fill(writer, round, 20)
          await flushViews(writer)
        }
        await reader.close()
        await writer.close()
      })
    }
  }

  test('deletes a topic at any step of a check, the check of a reader finds nothing', async () => {
    // The first steps read the marks and the names; of those that read the log a sample does.
    for (let step = 1, isDone = false; !isDone; step += step < 40 ? 1 : 7) {
      assert.ok(step < 300)
      const disk = freshDisk()
      const writer = await open(disk)
      await fill(writer, 0, 400)
      await flushViews(writer)
      let left = step
      let changed: Promise<void> | undefined
      const timers = {
        after: () => ({ cancel: () => {} }),
        endOfTurn: (run: () => void) => {
          if (--left === 0) changed = writer.deleteTopic('a')
          setImmediate(run)
        },
      }
      const reader = await open(disk, { readOnly: true, openFiles: 16 }, { timers })
      left = step
      const { findings } = await reader.verify()
      isDone = changed === undefined
      assert.deepEqual(findings, [], `step ${step}`)
      await changed
      assert.deepEqual((await reader.verify()).findings, [], `step ${step}, after it`)
      await reader.close()
      await writer.close()
    }
  })

  test('lives, a reader still tells a queue that is damaged', async () => {
    const disk = freshDisk()
    const writer = await open(disk)
    await fill(writer, 0, 40)
    await flushViews(writer)
    const reader = await open(disk, { readOnly: true })
    disk.overwrite('/s/consumequeue/a/0/00000000000000000000', 3, Buffer.of(7))
    await assert.rejects(reader.get({ topic: 'a', offset: 0 }), { code: 'STORE_CORRUPT' })
    assert.ok((await reader.verify()).findings.length > 0)
    await reader.close()
    await writer.close()
  })
})
