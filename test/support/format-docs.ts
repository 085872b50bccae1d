/**
 * The generated parts of `docs/format.md`: the tables, and the bytes of a small store.
 *
 * A part stands between `<!-- NAME -->` and `<!-- end -->`. The store is made on a disk in memory by a clock
 * that the example moves, so its bytes are the same everywhere.
 */
import type { Clock, Timers } from '../../lib/base/system.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { blockOf } from '../../lib/format/block.js'
import { bodyAt, propertiesRange, topicRange } from '../../lib/format/record.js'
import type { Fields, Struct } from '../../lib/format/struct.js'
import * as tables from '../../lib/format/tables.js'
import { MessageStore } from '../../lib/index.js'

const ROOT = '/data'
const START_MS = Date.UTC(2024, 0, 2, 3, 4, 5)
const PART = /(<!-- ([^>]+) -->\n)[\s\S]*?(<!-- end -->)/g

/** The document with every generated part made anew. @throws {RangeError} for a part that nobody generates */
export async function fillDocument(text: string): Promise<string> {
  const parts = await generatedParts()
  return text.replace(PART, (_, begin: string, name: string, end: string) => {
    const part = parts.get(name)
    if (part === undefined) throw new RangeError(`nobody generates ${name}; there are ${[...parts.keys()].join(', ')}`)
    return `${begin}\n${part}\n\n${end}`
  })
}

/** All generated parts by name. */
export async function generatedParts(): Promise<Map<string, string>> {
  const parts = new Map<string, string>()
  for (const table of Object.values(tables)) parts.set(table.name, table.describe())
  const disk = await exampleStore()
  const files = filesOf(disk, ROOT)
  const listing = files.map((path) => `${String(disk.stat(path)!.bytes).padStart(5)}  ${path.slice(ROOT.length + 1)}`)
  parts.set('example', fenced(listing))
  for (const path of files) parts.set(path.slice(ROOT.length + 1), fenced(contentOf(disk.bytesOf(path))))
  const log = files.find((path) => path.includes('/commitlog/'))!
  parts.set('first record', fenced(recordFields(disk.bytesOf(log))))
  return parts
}

/** A store with three messages, closed. Times are in UTC, so the caller sets `TZ`. */
export async function exampleStore(): Promise<MemoryDisk> {
  let now = START_MS
  const clock: Clock = { now: () => now, monotonic: () => now - START_MS }
  const timers: Timers = {
    after: () => ({ cancel: () => undefined }),
    endOfTurn: (action) => void setImmediate(action),
  }
  const disk = new MemoryDisk({ clock })
  const sizes = { segmentBytes: 1024, queueSegmentEntries: 4, index: { slots: 4, entries: 8 } }
  const store = await MessageStore.open(ROOT, { ...sizes, storeHost: '192.168.0.9:10911' }, { disk, clock, timers })
  await store.put({ topic: 'orders', body: 'hello', tags: 'paid', keys: ['o-17'] })
  now += 1000
  await store.put({ topic: 'orders', body: 'world', tags: 'open', properties: { region: 'eu' } })
  now += 1000
  await store.put({ topic: 'orders', queueId: 1, body: '', keys: ['o-17'], bornHost: '[2001:db8::1]:54321' })
  await store.close()
  return disk
}

function filesOf(disk: MemoryDisk, directory: string): string[] {
  return disk.list(directory).flatMap(({ name, kind }) => {
    const path = `${directory}/${name}`
    return kind === 'directory' ? filesOf(disk, path) : [path]
  })
}

/** Text as it is, everything else in hexadecimal. */
function contentOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('latin1')
  return /^[\n\x20-\x7e]*$/.test(text) ? text.trimEnd().split('\n') : hexDump(bytes)
}

/** Rows of 16 bytes; rows of zeros are left out and marked by `*`, as `hexdump -C` does with repeated ones. */
function hexDump(bytes: Uint8Array): string[] {
  const rows: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const isLast = at + 16 >= bytes.length
    if (row.every((byte) => byte === 0) && !isLast) {
      if (rows.at(-1) !== '*') rows.push('*')
      continue
    }
    const pairs = [...row].map((byte) => byte.toString(16).padStart(2, '0'))
    const hex = `${pairs.slice(0, 8).join(' ').padEnd(23)}  ${pairs.slice(8).join(' ').padEnd(23)}`
    const text = [...row].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    rows.push(`${at.toString(16).padStart(8, '0')}  ${hex}  |${text}|`)
  }
  return rows
}

/** The first record, field by field: where it stands, its bytes, its name, its value. */
function recordFields(bytes: Uint8Array): string[] {
  const block = blockOf(bytes)
  const { view } = block
  const rows: string[] = []
  const add = (at: number, end: number, name: string, value: unknown): void => {
    const hex = block.bytes.toString('hex', at, end)
    rows.push(`${at.toString().padStart(4)}  ${hex.padEnd(18)}  ${name.padEnd(26)}${value}`)
  }
  const addStruct = <F extends Fields>(struct: Struct<F>, at: number): number => {
    const values = struct.decode(view, at) as Record<string, unknown>
    for (const [name, [offset]] of Object.entries(struct.fields)) {
      const value = values[name]
      const next = Object.values(struct.fields).find(([other]) => other > offset)?.[0] ?? struct.bytes
      add(at + offset, at + next, name, value instanceof Uint8Array ? value.join('.') : value)
    }
    return at + struct.bytes
  }
  let at = addStruct(tables.RecordHead, 0)
  at = addStruct(tables.HostV4, at)
  at = addStruct(tables.RecordStored, at)
  at = addStruct(tables.HostV4, at)
  addStruct(tables.RecordBodyHead, at)
  const body = bodyAt(view, 0)
  const topic = topicRange(view, 0)
  const properties = propertiesRange(view, 0)
  const text = (from: number, to: number): string => JSON.stringify(block.bytes.toString('utf8', from, to))
  add(body, topic.start - 1, 'body', text(body, topic.start - 1))
  add(topic.start - 1, topic.start, 'topicLength', view.getInt8(topic.start - 1))
  add(topic.start, topic.end, 'topic', text(topic.start, topic.end))
  add(topic.end, properties.start, 'propertiesLength', view.getInt16(topic.end))
  let from = properties.start
  for (let end = from; from < properties.end; from = end) {
    end = block.bytes.indexOf(2, from) + 1
    rows.push(`${from.toString().padStart(4)}  ${' '.repeat(18)}  ${'property'.padEnd(26)}${text(from, end)}`)
  }
  return rows
}

function fenced(lines: readonly string[]): string {
  return ['```', ...lines, '```'].join('\n')
}
