/** `mqlite tail DIR TOPIC`: the messages of a topic, and on request those that come. */
import { shown } from '../base/errors.js'
import { sleep } from '../base/system.js'
import type { MessageStore } from '../store/message-store.js'
import { compileTags } from '../store/reading/tag-filter.js'
import type { StoredMessage } from '../store/stored-message.js'
import {
  type Command,
  type CommandInput,
  commonOptions,
  directoryOf,
  type ExitName,
  numberOption,
  optionalNumber,
  refuseMore,
  textOption,
  UsageError,
} from './command.js'
import {
  INDEX_SLOTS_HELP,
  indexSlotsOption,
  isConfigured,
  noSuchQueue,
  noSuchTopic,
  openToRead,
  storeLayout,
} from './store-access.js'
import { plain, timeText } from './table.js'
import { type Bounds, behindDamage, Places, passOver } from './tail-places.js'
import type { Terminal } from './terminal.js'

const DEFAULT_LINES = 10
const LOOK_EVERY_MS = 200

/** The command. */
export const tailCommand: Command = {
  summary: 'print the messages of a topic',
  help: `usage: mqlite tail DIR TOPIC [--queue N] [--from OFFSET] [--limit N] [--tags EXPR] [--follow] [--json]

Prints messages of a topic in the order in which they were stored, the last ${DEFAULT_LINES} of
them unless told otherwise. Takes no lock; another process may be writing.

  --queue N          only this queue of the topic
  --from OFFSET      begin at this queue offset; 0 or anything below the first begins at the first
  --limit N          print at most so many messages; without --from the last so many
  --tags EXPR        only messages with one of these tags: 'paid || refunded'
  -f, --follow       go on with what comes, until interrupted
${INDEX_SLOTS_HELP}
  --json             one JSON document a line; body in base64, and in bodyText where it is UTF-8`,
  options: {
    ...commonOptions,
    ...indexSlotsOption,
    queue: { type: 'string' },
    from: { type: 'string' },
    limit: { type: 'string' },
    tags: { type: 'string' },
    follow: { type: 'boolean', short: 'f' },
  },
  run: tail,
}

interface Wanted {
  readonly topic: string
  readonly queueId: number | undefined
  readonly from: number | undefined
  /** Most messages; `undefined` for all. */
  readonly limit: number | undefined
  readonly tags: string | undefined
  readonly follow: boolean
}

function wantedOf(input: CommandInput): Wanted {
  const { positionals, values } = input
  const [, topic] = positionals
  if (topic === undefined || topic === '') throw new UsageError('the topic is missing')
  refuseMore(input, 2)
  const from = optionalNumber(values, 'from')
  const limit = from === undefined ? numberOption(values, 'limit', DEFAULT_LINES) : optionalNumber(values, 'limit')
  const tags = textOption(values, 'tags')
  checkTags(tags)
  return { topic, queueId: optionalNumber(values, 'queue'), from, limit, tags, follow: values['follow'] === true }
}

function checkTags(tags: string | undefined): void {
  try {
    compileTags(tags)
  } catch (error) {
    throw new UsageError(`--tags: ${(error as Error).message}`)
  }
}

async function tail(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const wanted = wantedOf(input)
  const layout = storeLayout(directoryOf(input))
  const printer = new Printer(terminal, wanted, values['json'] === true)
  const store = await openToRead(layout.root, values, terminal)
  try {
    const queues = queuesOf(store, wanted)
    if (queues.length === 0) {
      if (isConfigured(store, wanted.topic, wanted.queueId))
        printer.note(`${placeOf(wanted)} has no messages${wanted.follow ? ' yet' : ''}`)
      else if (!wanted.follow) throw nothingThere(store, wanted)
    }
    await printStored(store, queues, wanted, printer)
    if (wanted.follow) await followStore(store, queues, wanted, printer)
  } finally {
    await store.close()
  }
  return printer.sawDamage ? 'findings' : 'ok'
}

function placeOf({ topic, queueId }: Wanted): string {
  return `${queueId === undefined ? '' : `queue ${queueId} of `}topic ${shown(topic)}`
}

function nothingThere(store: MessageStore, { topic, queueId }: Wanted): UsageError {
  const queueIds = store.queues().filter((queue) => queue.topic === topic)
  const topics = store.queues().map((queue) => queue.topic)
  if (queueIds.length === 0 || queueId === undefined) return noSuchTopic(topic, topics)
  return noSuchQueue(
    topic,
    queueId,
    queueIds.map((queue) => queue.queueId),
  )
}

function queuesOf(store: MessageStore, wanted: Wanted): Bounds[] {
  return store.queues().filter(({ topic, queueId }) => topic === wanted.topic && (wanted.queueId ?? queueId) === queueId)
}

/** Prints what comes, in the order of the log. A store that is only read takes in what others write when it is asked. */
async function followStore(store: MessageStore, printed: readonly Bounds[], wanted: Wanted, printer: Printer): Promise<void> {
  const { topic, queueId = 0 } = wanted
  let { from = 0 } = wanted
  const next = new Map(printed.map((queue) => [queue.queueId, queue.maxOffset]))
  const places = new Places(store, topic)
  await places.note(printed)
  while (!printer.isFull) {
    await store.get({ topic, queueId, offset: next.get(queueId) ?? 0, maxMessages: 1 }).catch(passOver)
    const queues = queuesOf(store, wanted)
    const anew = await places.madeAgain(queues)
    for (const { queueId: id, minOffset } of anew) {
      printer.note(`${topic}/${id} was deleted and made again: it goes on with the first message`)
      next.set(id, minOffset)
      // What was asked for was a place in the old one.
      from = 0
    }
    const grown = queues.filter((queue) => queue.maxOffset > (next.get(queue.queueId) ?? 0))
    const readers = grown.map((queue) =>
      messagesOf(store, queue, Math.max(next.get(queue.queueId) ?? queue.minOffset, from), wanted, printer),
    )
    for await (const message of merged(readers)) {
      if (printer.isFull) return
      await printer.print(message)
    }
    for (const queue of grown) next.set(queue.queueId, queue.maxOffset)
    await places.note(grown)
    if (grown.length === 0) await sleep(LOOK_EVERY_MS, printer.signal)
  }
}

/** What the store holds: from an offset on, or the last ones. */
async function printStored(store: MessageStore, queues: readonly Bounds[], wanted: Wanted, printer: Printer): Promise<void> {
  if (wanted.from === undefined) {
    const last: StoredMessage[] = []
    for (const queue of queues) last.push(...(await lastOf(store, queue, wanted, printer)))
    last.sort((a, b) => a.commitLogOffset - b.commitLogOffset)
    // With a limit of 0 nothing is printed, where slice(-0) would be everything.
    for (const message of last.slice(-(wanted.limit ?? DEFAULT_LINES) || last.length)) await printer.print(message)
    return
  }
  const readers = queues.map((queue) => messagesOf(store, queue, Math.max(wanted.from ?? 0, queue.minOffset), wanted, printer))
  for await (const message of merged(readers)) {
    if (printer.isFull) return
    await printer.print(message)
  }
}

/** The last messages of a queue that are wanted, at most as many as asked for. */
async function lastOf(store: MessageStore, queue: Bounds, wanted: Wanted, printer: Printer): Promise<StoredMessage[]> {
  const most = wanted.limit ?? DEFAULT_LINES
  let found: StoredMessage[] = []
  // Where few messages have the tags it takes several steps back, each twice as far.
  let step = most
  for (let to = queue.maxOffset; to > queue.minOffset && found.length < most; step *= 2) {
    const from = Math.max(queue.minOffset, to - step)
    const part: StoredMessage[] = []
    for await (const message of messagesOf(store, { ...queue, maxOffset: to }, from, wanted, printer)) part.push(message)
    found = [...part, ...found]
    to = from
  }
  return most === 0 ? [] : found.slice(-most)
}

/** The messages of a queue from an offset on that are wanted; damaged ones are told and stepped over. */
async function* messagesOf(
  store: MessageStore,
  { queueId, maxOffset }: Bounds,
  from: number,
  { topic, tags }: Wanted,
  printer: Printer,
): AsyncGenerator<StoredMessage> {
  for (let offset = from; offset < maxOffset && !printer.isStopped; ) {
    try {
      const { messages, nextOffset } = await store.get({ topic, queueId, offset, ...(tags === undefined ? {} : { tags }) })
      for (const message of messages) if (message.queueOffset < maxOffset) yield message
      if (nextOffset <= offset) return
      offset = nextOffset
    } catch (error) {
      const next = behindDamage(error)
      if (next === undefined) throw error
      printer.damaged(`${topic}/${queueId} offset ${offset}: ${(error as Error).message}`)
      offset = next
    }
  }
}

/** Several queues as one, in the order of the log. */
async function* merged(readers: AsyncGenerator<StoredMessage>[]): AsyncGenerator<StoredMessage> {
  const heads: { reader: AsyncGenerator<StoredMessage>; message: StoredMessage }[] = []
  const advance = async (reader: AsyncGenerator<StoredMessage>): Promise<void> => {
    const { value, done } = await reader.next()
    if (done !== true) heads.push({ reader, message: value })
  }
  for (const reader of readers) await advance(reader)
  while (heads.length > 0) {
    let first = 0
    for (let i = 1; i < heads.length; i++) {
      if (heads[i]!.message.commitLogOffset < heads[first]!.message.commitLogOffset) first = i
    }
    const [head] = heads.splice(first, 1)
    yield head!.message
    await advance(head!.reader)
  }
}

/** Prints messages, and counts them. */
class Printer {
  readonly #terminal: Terminal
  readonly #limit: number
  readonly #json: boolean
  #count = 0
  sawDamage = false

  constructor(terminal: Terminal, { from, limit, follow }: Wanted, json: boolean) {
    this.#terminal = terminal
    this.#json = json
    // The last ten are how many to begin with; what follows is not counted.
    this.#limit = limit === undefined || (follow && from === undefined) ? Number.POSITIVE_INFINITY : limit
  }

  get isFull(): boolean {
    return this.#count >= this.#limit || this.isStopped
  }

  get isStopped(): boolean {
    return this.signal.aborted
  }

  /** Fires when the user interrupts. */
  get signal(): AbortSignal {
    return this.#terminal.signal
  }

  /** Says something that is no message. */
  note(what: string): void {
    this.#terminal.problem(what)
  }

  damaged(what: string): void {
    this.sawDamage = true
    this.#terminal.problem(what)
  }

  async print(message: StoredMessage): Promise<void> {
    this.#count++
    await this.#terminal.line(this.#json ? JSON.stringify(documentOf(message)) : lineOf(this.#terminal, message))
  }
}

/** A message for programs. */
export function documentOf(message: StoredMessage): Record<string, unknown> {
  const text = utf8Text(message.body)
  return { ...message.toJSON(), ...(text === undefined ? {} : { bodyText: text }) }
}

function lineOf(terminal: Terminal, message: StoredMessage): string {
  const { topic, queueId, queueOffset, storeTimestamp, tags, keys, body } = message
  const text = utf8Text(body)
  const parts = [
    timeText(storeTimestamp),
    `${plain(topic)}/${queueId}@${queueOffset}`,
    ...(tags === undefined ? [] : [`tags=${plain(tags)}`]),
    ...(keys.length === 0 ? [] : [`keys=${plain(keys.join(','))}`]),
    text === undefined ? `${body.length} bytes: ${body.subarray(0, 32).toString('hex')}` : plain(text),
  ]
  const line = parts.join('  ')
  return line.length > terminal.columns ? `${line.slice(0, terminal.columns - 1)}…` : line
}

/** The text of a body, or `undefined` when it is not UTF-8. */
function utf8Text(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}
