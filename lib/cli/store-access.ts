/** How commands get at a store: read-only, with the sizes that its files have. */
import { MessageStoreError, shown } from '../base/errors.js'
import { fieldsOf } from '../broker/config/config-object.js'
import { readTopicConfig } from '../broker/config/topic-config.js'
import { nodeDisk } from '../disk/node-disk.js'
import { indexFileBytes } from '../format/index-layout.js'
import { isIndexFileName } from '../format/names.js'
import { checkIsStore, layoutOf, type StoreLayout } from '../store/layout.js'
import { MessageStore } from '../store/message-store.js'
import { defaultSizes, type IndexOptions } from '../store/options.js'
import { type IndexSizes, indexSizesOf, inferIndexSizes } from '../view/index-sizes.js'
import { type OptionValues, optionalNumber, UsageError } from './command.js'
import type { Terminal } from './terminal.js'

/** Topics or queues that a message names. */
const MOST_NAMED = 10

/** The option that tells what the index files do not. */
export const indexSlotsOption = { 'index-slots': { type: 'string' } } as const

/** Its line of help. */
export const INDEX_SLOTS_HELP = '  --index-slots N    slots of the index files, where their content does not tell'

/** Where things are. @throws {MessageStoreError} `STORE_INCOMPATIBLE` when it is not a store */
export function storeLayout(directory: string): StoreLayout {
  const layout = layoutOf(directory.replace(/(?<=.)\/+$/, ''))
  checkIsStore(nodeDisk, layout.root, false)
  return layout
}

/** The newest index files first: paths and lengths. */
export function indexFiles(layout: StoreLayout): { path: string; name: string; bytes: number }[] {
  return nodeDisk
    .list(layout.index)
    .filter(({ name, kind }) => kind === 'file' && isIndexFileName(name))
    .map(({ name }) => ({ name, path: `${layout.index}/${name}`, bytes: nodeDisk.stat(`${layout.index}/${name}`)?.bytes ?? 0 }))
    .filter(({ bytes }) => bytes > 0)
    .reverse()
}

/**
 * How the index files are divided: as `--index-slots` says, else by RocketMQ's sizes, else as their content
 * tells; `undefined` when nothing tells, or there are none.
 */
export function indexSizes(layout: StoreLayout, values: OptionValues): IndexSizes | undefined {
  const files = indexFiles(layout)
  const [newest] = files
  const slots = optionalNumber(values, 'index-slots', 1, 500_000_000)
  if (newest === undefined) return undefined
  if (slots !== undefined) {
    const sizes = indexSizesOf(newest.bytes, slots)
    if (sizes !== undefined) return sizes
    throw new UsageError(`--index-slots ${slots} does not fit index files of ${newest.bytes} bytes`)
  }
  const { indexSlots, indexEntries } = defaultSizes
  if (newest.bytes === indexFileBytes(indexSlots, indexEntries)) return { slots: indexSlots, entries: indexEntries }
  for (const { path } of files) {
    const sizes = inferIndexSizes(nodeDisk, path)
    if (sizes !== undefined) return sizes
  }
  return undefined
}

/** The index option for opening a store; without known sizes the index stays out. */
export function indexOption(layout: StoreLayout, values: OptionValues): IndexOptions {
  const sizes = indexSizes(layout, values)
  if (sizes !== undefined) return { ...sizes }
  return indexFiles(layout).length === 0 ? {} : { enabled: false }
}

/** Opens a store to be read, with progress of its recovery. */
export async function openToRead(directory: string, values: OptionValues, terminal: Terminal): Promise<MessageStore> {
  const layout = storeLayout(directory)
  const progress = terminal.progress()
  try {
    return await MessageStore.open(layout.root, {
      readOnly: true,
      index: indexOption(layout, values),
      onProgress: ({ doneBytes, totalBytes }) => progress.show('opening', doneBytes, totalBytes),
    })
  } finally {
    progress.end()
  }
}

/** Whether a broker was told of a topic, and of a queue of it: it may have no messages yet. */
export function isConfigured({ config }: MessageStore, topic: string, queueId = 0): boolean {
  try {
    const table = fieldsOf(fieldsOf(config.read('topics'))['topicConfigTable'])
    return Object.hasOwn(table, topic) && queueId < readTopicConfig(topic, table[topic]).readQueues
  } catch (error) {
    // What cannot be read tells of no topic.
    if (error instanceof MessageStoreError) return false
    throw error
  }
}

/** The error for a topic that is not there, naming those that are. */
export function noSuchTopic(topic: string, topics: readonly string[]): UsageError {
  return new UsageError(`no topic ${shown(topic)}; ${thereAre([...new Set(topics)].sort(), 'the store has none')}`)
}

/** The error for a queue that is not there, naming those that its topic has. */
export function noSuchQueue(topic: string, queueId: number, queueIds: readonly number[]): UsageError {
  const known = thereAre(
    [...queueIds].sort((a, b) => a - b),
    'it has none',
  )
  return new UsageError(`no queue ${queueId} of topic ${shown(topic)}; ${known}`)
}

function thereAre(names: readonly (string | number)[], none: string): string {
  const more = names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : ''
  return names.length === 0 ? none : `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, MOST_NAMED).join(', ')}${more}`
}
