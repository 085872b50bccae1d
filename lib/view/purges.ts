/**
 * Which records were taken out of their queues while they still stand in the log: `ext/purged`.
 *
 * Without it a purged message would come back when queues are made anew from the log. Sealed text with a line
 * `TOPIC QUEUE_ID|* BELOW NEXT` each: records of that topic (and queue) below the address BELOW belong in no
 * queue; the queue goes on at offset NEXT.
 */
import type { Disk } from '../disk/disk.js'
import { readWhole, replaceFile } from '../disk/replace.js'
import { isTopic } from '../format/names.js'
import { decodeLines, numberIn, sealText, unsealText } from '../format/sealed-text.js'

/** One purge. */
export interface Purge {
  readonly topic: string
  /** `undefined` for all queues: the topic was deleted. */
  readonly queueId: number | undefined
  /** Records below this address of the log are meant. */
  readonly below: number
  /** The offset that the next message got. */
  readonly next: number
}

const HEAD = 'mqlite purged 1'

/** The purges of a store. */
export class Purges {
  #purges: readonly Purge[]

  constructor(purges: readonly Purge[] = []) {
    this.#purges = purges
  }

  /** Reads them; none when the file is absent or not whole. */
  static load(disk: Disk, path: string): Purges {
    return new Purges(decodePurges(readWhole(disk, path)))
  }

  /** All of them, in the order in which they happened. */
  get all(): readonly Purge[] {
    return this.#purges
  }

  /** Whether a record was purged. */
  hides(topic: string, queueId: number, commitLogOffset: number): boolean {
    if (this.#purges.length === 0) return false
    return this.#purges.some(
      (purge) => commitLogOffset < purge.below && purge.topic === topic && (purge.queueId ?? queueId) === queueId,
    )
  }

  /** Whether the topic was deleted with every record below an address. */
  deletes(topic: string, end: number): boolean {
    return this.#purges.some((purge) => purge.queueId === undefined && purge.topic === topic && end <= purge.below)
  }

  /** Notes a purge durably, and forgets those whose records are gone. */
  async add(disk: Disk, path: string, purges: readonly Purge[], logStart: number): Promise<void> {
    const isReplaced = (old: Purge): boolean =>
      purges.some(({ topic, queueId }) => topic === old.topic && (queueId ?? old.queueId) === old.queueId)
    const kept = this.#purges.filter((old) => old.below > logStart && !isReplaced(old))
    this.#purges = [...kept, ...purges]
    await replaceFile(disk, path, encodePurges(this.#purges))
  }
}

/** The file for purges. */
export function encodePurges(purges: readonly Purge[]): Buffer {
  return sealText(
    HEAD,
    purges.map(({ topic, queueId, below, next }) => `${topic} ${queueId ?? '*'} ${below} ${next}`),
  )
}

/** The purges in a file; none when it is absent or not whole. */
export function decodePurges(bytes: Buffer | undefined): Purge[] {
  return decodeLines(unsealText(HEAD, bytes), ([topic = '', queue, address, offset, ...rest]) => {
    const queueId = queue === '*' ? undefined : numberIn(queue)
    const below = numberIn(address)
    const next = numberIn(offset)
    const isSane = isTopic(topic) && rest.length === 0 && (queueId ?? 0) >= 0 && below >= 0 && next >= 0
    return isSane ? { topic, queueId, below, next } : undefined
  })
}
