/** A read-only store beside a writer: what the writer adds, purges and deletes is seen, whatever it has flushed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageStore } from '../../lib/index.js'
import { freshDisk, open } from '../support/open-store.js'

/** Writes views, as the writer does by itself every now and then. */
async function flushViews(writer: MessageStore): Promise<void> {
  await writer.flush()
  await writer.purge('nothing-there')
}

async function putSome(writer: MessageStore, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await writer.put({ topic: 'a', body: `${i}`.padStart(100, '0'), keys: [`k${i % 3}`, `u${i}`] })
}

/** The numbers of the messages below `count` that their own key does not find. */
async function notFound(reader: MessageStore, count: number): Promise<number[]> {
  const missing: number[] = []
  for (let i = 0; i < count; i++) if ((await reader.query({ topic: 'a', key: `u${i}` })).length !== 1) missing.push(i)
  return missing
}

describe('a reader beside a writer', () => {
  test('it finds every key, though the writer went on filling the index file before the reader first looked', async () => {
    for (let before = 1; before < 24; before++) {
      for (const added of [1, 2, 3, 7]) {
        const disk = freshDisk()
        const first = await open(disk)
        await putSome(first, 0, before)
        await first.close()
        const reader = await open(disk, { readOnly: true })
        const writer = await open(disk)
        await putSome(writer, before, before + added)
        await flushViews(writer)
        assert.deepEqual(await notFound(reader, before), [], `${before} and ${added}`)
        await putSome(writer, before + added, before + added + 2)
        assert.deepEqual(await notFound(reader, before + added + 2), [], `${before} and ${added}, not flushed`)
        await reader.close()
        await writer.close()
      }
    }
  })
})
