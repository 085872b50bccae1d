/** Our side of the comparison: opening a directory with given sizes and reading all of it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageStore, type StoreOptions } from '../../lib/index.js'
import { cleanUp, type Scope } from './clean-up.js'
import { type Described, describeOurs } from './data.js'
import type { QueueState, Sizes } from './shell.js'

/** Small files, so that every scenario rolls over from one to the next. */
export const small: Sizes = { segmentBytes: 65_536, queueSegmentEntries: 50, indexSlots: 97, indexEntries: 200 }

/** Our options for sizes. Without `recordCrc` the bytes are those of RocketMQ's defaults. */
export function openOptions(sizes: Sizes): StoreOptions {
  const { segmentBytes, queueSegmentEntries, indexSlots, indexEntries, flush, recordCrc } = sizes
  return {
    checksum: recordCrc === true ? 'record' : 'body',
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(queueSegmentEntries === undefined ? {} : { queueSegmentEntries }),
    ...(indexSlots === undefined || indexEntries === undefined ? {} : { index: { slots: indexSlots, entries: indexEntries } }),
    ...(flush === undefined ? {} : { flush }),
  }
}

/** An empty directory that goes away with the test, after everything else of the test. */
export function temporary(t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-interop-'))
  cleanUp(t, () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Opens a directory in which nothing may be damaged, as far as `verify` sees. It is closed with the test at the latest. */
export async function openOurs(t: Scope, directory: string, sizes: Sizes): Promise<MessageStore> {
  const store = await MessageStore.open(directory, openOptions(sizes))
  cleanUp(t, () => store.close())
  assert.equal(store.status, 'open', `recovery: ${JSON.stringify(store.recovery)}`)
  assert.deepEqual(store.recovery.corruption, [])
  const { findings } = await store.verify()
  assert.deepEqual(
    findings.filter(({ severity }) => severity !== 'note'),
    [],
  )
  return store
}

/** All messages of the queues that Java lists, read through `get`, and the bounds of these queues. */
export async function readOurs(store: MessageStore, queues: readonly QueueState[]) {
  const messages: Described[] = []
  const bounds: QueueState[] = []
  for (const { topic, queueId } of queues) {
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    bounds.push({ topic, queueId, minOffset, maxOffset })
    for (let offset = minOffset; offset < maxOffset; ) {
      const result = await store.get({ topic, queueId, offset })
      assert.equal(result.status, 'FOUND', `${topic}/${queueId} at ${offset}`)
      messages.push(...result.messages.map(describeOurs))
      offset = result.nextOffset
    }
  }
  return { messages, queues: bounds }
}
