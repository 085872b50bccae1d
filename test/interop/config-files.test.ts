/**
 * The files below `config`: what RocketMQ's own classes write is read with the same values, and what is written here
 * RocketMQ reads with the same values, the spare copy included. All values are compared as text, since a `long` does
 * not fit a number.
 */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { NodeDisk } from '../../lib/disk/node-disk.js'
import { type ConfigObject, type ConfigValue, parseConfig, printConfig } from '../../lib/format/config-json.js'
import { readConfig, writeConfig } from '../../lib/store/keeping/config-file.js'
import { type Generation, generations } from './java-build.js'
import { temporary } from './ours.js'
import { Shell } from './shell.js'

const MAX_LONG = 2n ** 63n - 1n
const disk = new NodeDisk()

/** Values as text, fields that are null left out. */
type Plain = string | Plain[] | { [name: string]: Plain }

interface Files {
  readonly name: string
  readonly generation: Generation
  readonly lmq: boolean
  /** Names of the files by what they hold. */
  readonly paths: Readonly<Record<string, string>>
}

const common = { topics: 'topics', groups: 'subscriptionGroup', delays: 'delayOffset' }
const kinds: readonly Files[] = [
  ...generations.map((generation) => {
    const paths = { ...common, offsets: 'consumerOffset' }
    return { name: `RocketMQ ${generation}`, generation, lmq: false, paths }
  }),
  { name: 'RocketMQ 5.3.3 with LMQ', generation: '5.3.3', lmq: true, paths: { ...common, offsets: 'lmqConsumerOffset' } },
]

for (const files of kinds) {
  describe(`configuration files of ${files.name}`, () => {
    test('that RocketMQ writes are read with the values that it has in memory, the spare copies too', async (t) => {
      const directory = temporary(t)
      const java = await Shell.java(t, files.generation)
      const first = await java.saveConfig(directory, changes(1), files.lmq)
      assertSame(files, ours(files, directory), first)
      assertWritesTheSameLines(files, directory)
      const second = await java.saveConfig(directory, changes(2), files.lmq)
      assertSame(files, ours(files, directory), second)
      assert.notDeepEqual(first, second)
      tear(files, directory)
      const spare = ours(files, directory)
      assertSame(files, spare, await loaded(java, files, directory))
      // 5.x writes topics and groups at each change, so that their spare copies are not that old.
      const { offsets, delays } = files.paths as { offsets: string; delays: string }
      assertSame({ ...files, paths: { offsets, delays } }, spare, first)
    })

    test('that mqlite writes are read by RocketMQ with the same values, the spare copies too', async (t) => {
      const { java, directory } = await filled(t, files)
      const values = ours(files, directory)
      const first = await write(files, directory, values, 1)
      assertSame(files, await loaded(java, files, directory), first)
      const second = await write(files, directory, values, 2)
      assertSame(files, await loaded(java, files, directory), second)
      tear(files, directory)
      assertSame(files, await loaded(java, files, directory), first)
      for (const name of Object.values(files.paths)) rmSync(pathOf(directory, name))
      assertSame(files, await loaded(java, files, directory), first)
      assertSame(files, ours(files, directory), first)
      // RocketMQ goes on with the files.
      const third = await java.saveConfig(directory, changes(3), files.lmq)
      assertSame(files, ours(files, directory), third)
    })
  })
}

/** What a broker is told by its administrators and consumers, different in each round. */
function changes(round: number): object {
  const attributes = { '+queue.type': 'BatchCQ', '+message.type': 'NORMAL' }
  const topics = [
    { topicName: 'orders', readQueueNums: 8, writeQueueNums: 4 + round, perm: 6, order: true, topicSysFlag: 3 },
    { topicName: `%RETRY%group-${round}`, readQueueNums: 1, writeQueueNums: 1, perm: 2, topicFilterType: 'MULTI_TAG' },
    { topicName: `batches-${round}`, readQueueNums: 1, writeQueueNums: 1, perm: 6, attributes },
    { topicName: '12345', readQueueNums: 16, writeQueueNums: 16, perm: 4 },
  ]
  const offsets = [
    ...Array.from({ length: 12 }, (_, queueId) => ({
      topic: 'orders',
      group: 'billing',
      queueId,
      offset: round * 100 + queueId,
    })),
    { topic: '%RETRY%billing', group: 'größe', queueId: 0, offset: Number.MAX_SAFE_INTEGER },
    { topic: 'orders', group: 'a"b\\c\td', queueId: 2147483647, offset: -1 },
    { topic: '%LMQ%device', group: '%LMQ%device', queueId: 0, offset: round },
  ]
  const groups = [
    { groupName: 'billing', retryMaxTimes: 16 + round, consumeBroadcastEnable: false, brokerId: 1_234_567_890_123 },
    { groupName: `group-${round}`, consumeEnable: false, whichBrokerWhenConsumeSlowly: round, groupSysFlag: 7 },
  ]
  return { topics, offsets, groups, delays: { 1: round, 3: 5, 18: 4_611_686_018_427 } }
}

/** Files that RocketMQ wrote, in a new directory. */
async function filled(t: TestContext, { generation, lmq }: Files): Promise<{ java: Shell; directory: string }> {
  const directory = temporary(t)
  const java = await Shell.java(t, generation)
  await java.saveConfig(directory, changes(1), lmq)
  return { java, directory }
}

/** What mqlite reads. */
function ours({ paths }: Files, directory: string): Record<string, ConfigObject> {
  const read = Object.entries(paths).map(([what, name]) => {
    const value = readConfig(disk, pathOf(directory, name))
    assert.ok(typeof value === 'object' && value !== null, name)
    return [what, value as ConfigObject]
  })
  return Object.fromEntries(read)
}

async function loaded(java: Shell, { lmq }: Files, directory: string): Promise<Record<string, unknown>> {
  return java.loadConfig(directory, lmq)
}

/** Changes every file as a broker of ours would, and writes it. */
async function write(files: Files, directory: string, values: Record<string, ConfigObject>, round: number) {
  const changed: Record<string, ConfigObject> = {}
  for (const [what, value] of Object.entries(values)) {
    changed[what] = changedBy(what, value, round)
    await writeConfig(disk, pathOf(directory, files.paths[what]!), changed[what])
  }
  return changed
}

function changedBy(what: string, value: ConfigObject, round: number): ConfigObject {
  const table = (name: string): ConfigObject => value[name] as ConfigObject
  if (what === 'topics') {
    const orders = { ...(table('topicConfigTable')['orders'] as ConfigObject), perm: round }
    return { ...value, topicConfigTable: { ...table('topicConfigTable'), orders, ours: { ...orders, topicName: 'ours' } } }
  }
  if (what === 'groups') {
    const billing = { ...(table('subscriptionGroupTable')['billing'] as ConfigObject), retryQueueNums: round }
    return { ...value, subscriptionGroupTable: { ...table('subscriptionGroupTable'), billing } }
  }
  if (what === 'delays') {
    const levels = value['offsetTable'] as ReadonlyMap<number, ConfigValue>
    return { ...value, offsetTable: new Map([...levels, [7, BigInt(round)], [2, MAX_LONG]]) }
  }
  const offsets = new Map<number, ConfigValue>([
    [0, MAX_LONG - BigInt(round)],
    [7, -1],
    [10, 2 ** 31],
  ])
  return { ...value, offsetTable: { ...table('offsetTable'), 'öffers@"new"\u2028group': offsets, 'none@none': {} } }
}

/** Leaves half of every file, as a crash in the middle of writing it does. */
function tear({ paths }: Files, directory: string): void {
  for (const name of Object.values(paths)) {
    const path = pathOf(directory, name)
    truncateSync(path, Math.floor(readFileSync(path).length / 2))
  }
}

function pathOf(directory: string, name: string): string {
  return join(directory, 'config', `${name}.json`)
}

/** Every table that either side knows is the same. RocketMQ writes some that it makes anew when it loads. */
function assertSame({ paths, lmq }: Files, seen: Record<string, unknown>, expected: Record<string, unknown>): void {
  for (const what of Object.keys(paths)) {
    const a = plain(seen[what]) as Record<string, Plain>
    const b = plain(expected[what]) as Record<string, Plain>
    const names = new Set([...Object.keys(a), ...Object.keys(b)])
    names.delete('groupTopicMap')
    if (lmq && what === 'offsets') names.delete('dataVersion')
    assert.ok(names.size > 0)
    for (const name of names) assert.deepEqual(a[name], b[name], `${name} of ${what}`)
  }
}

/** What mqlite prints of a file that RocketMQ wrote are the lines of that file, but for the order of its maps. */
function assertWritesTheSameLines({ paths }: Files, directory: string): void {
  for (const name of Object.values(paths)) {
    const text = readFileSync(pathOf(directory, name), 'utf8')
    assert.deepEqual(linesOf(printConfig(parseConfig(text))), linesOf(text), name)
  }
}

function linesOf(text: string): string[] {
  // Integer maps and lists are compared by their values alone.
  const lines = text.split('\n').filter((line) => !/[{,]-?[0-9]+:/.test(line) && !/^\t*("[^"]*",?|.*\[.*|.*\],?)$/.test(line))
  return lines.map((line) => line.replace(/,$/, '')).sort()
}

function plain(value: unknown): Plain {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return String(value)
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value)
  const named = entries.filter(([, entry]) => entry !== null && entry !== undefined)
  return Object.fromEntries(named.map(([name, entry]) => [String(name), plain(entry)]))
}
