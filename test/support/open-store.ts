/** Opens stores with tiny sizes for tests, closes them at the end and checks what they leave. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Disk } from '../../lib/disk/disk.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { MessageStore, MessageStoreError, type StoredMessage, type StoreOptions } from '../../lib/index.js'
import type { StorePorts } from '../../lib/store/options.js'

/** Sizes at which everything rolls over after a few messages. */
export const tiny = {
  segmentBytes: 4096,
  queueSegmentEntries: 8,
  index: { slots: 7, entries: 12 },
} as const satisfies StoreOptions

/** Where stores are on a disk in memory. */
export const root = '/s'

/** A disk in memory with a directory to put a store into. */
export function freshDisk(options: ConstructorParameters<typeof MemoryDisk>[0] = {}): MemoryDisk {
  return new MemoryDisk(options)
}

/** Opens a store that the test closes itself. */
export function open(disk: Disk, options: StoreOptions = {}, ports: Partial<StorePorts> = {}): Promise<MessageStore> {
  return MessageStore.open(root, { ...tiny, ...options }, { disk, ...ports })
}

/** Opens a store that is closed and looked over when the test ends. */
export async function openStore(
  t: TestContext,
  { disk = freshDisk(), options = {}, ports = {} }: { disk?: Disk; options?: StoreOptions; ports?: Partial<StorePorts> } = {},
): Promise<MessageStore> {
  const store = await open(disk, options, ports)
  t.after(async () => {
    const wasSound = store.status === 'open'
    await store.close()
    assert.equal(store.status, 'closed')
    if (wasSound) await checkCleanlyClosed(disk, options)
  })
  return store
}

/** Asserts that what a clean close left opens without any repair. */
export async function checkCleanlyClosed(disk: Disk, options: StoreOptions = {}): Promise<void> {
  const store = await open(disk, { ...options, readOnly: true })
  assert.ok(['clean', 'new'].includes(store.recovery.origin), store.recovery.origin)
  assert.deepEqual(store.recovery.corruption, [])
  assert.equal(store.recovery.cut, undefined)
  await store.close()
}

/** All messages of a queue from its minimum offset on. */
export async function readQueue(store: MessageStore, topic: string, queueId = 0, maxMessages = 7): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = []
  let offset = store.bounds(topic, queueId).minOffset
  for (;;) {
    const result = await store.get({ topic, queueId, offset, maxMessages })
    messages.push(...result.messages)
    if (result.nextOffset === offset) return messages
    offset = result.nextOffset
  }
}

/** The bodies as text. */
export function bodies(messages: readonly StoredMessage[]): string[] {
  return messages.map((message) => message.body.toString('utf8'))
}

/** A check for `assert.rejects` and `assert.throws`: the code, and words that the message must hold. */
export function code(expected: string, ...words: (string | RegExp)[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof MessageStoreError, `expected a MessageStoreError, got ${String(error)}`)
    assert.equal(error.code, expected, error.message)
    assert.ok(error.message.startsWith(`${expected}: `), error.message)
    for (const word of words) assert.match(error.message, typeof word === 'string' ? new RegExp(escaped(word)) : word)
    return true
  }
}

/** The same for a bad argument: the kind, and words that the message must hold. */
export function bad(kind: typeof TypeError | typeof RangeError, ...words: string[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof kind, `expected a ${kind.name}, got ${String(error)}`)
    for (const word of words) assert.match(error.message, new RegExp(escaped(word)))
    return true
  }
}

/** What a value is refused with where one of a type belongs: a RangeError when it has that type, else a TypeError. */
export function refusalOf(sort: 'string' | 'number', value: unknown): typeof TypeError | typeof RangeError {
  return typeof value === sort ? RangeError : TypeError
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** A hash over all names and bytes below a directory of a disk in memory. */
export function hashOf(disk: MemoryDisk, under = root): string {
  const hash = createHash('sha256')
  const walk = (path: string): void => {
    for (const { name, kind } of disk.list(path)) {
      hash.update(`${path}/${name} ${kind} ${disk.stat(`${path}/${name}`)?.modifiedMs}\n`)
      if (kind === 'directory') walk(`${path}/${name}`)
      else if (kind === 'file') hash.update(disk.bytesOf(`${path}/${name}`))
    }
  }
  if (disk.stat(under) === undefined) return 'absent'
  walk(under)
  return hash.digest('hex')
}

/** Flips bits of one byte of the log under a store that is closed. */
export function flipLog(disk: MemoryDisk, address: number, mask = 0x10): void {
  const start = address - (address % tiny.segmentBytes)
  const path = `${root}/commitlog/${String(start).padStart(20, '0')}`
  const [byte = 0] = disk.bytesOf(path, address - start, address - start + 1)
  disk.overwrite(path, address - start, Uint8Array.of(byte ^ mask))
}
