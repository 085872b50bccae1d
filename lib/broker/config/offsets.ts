/**
 * How far each group has come in each queue: `config/consumerOffset.json`, in memory, and written when somebody asks.
 *
 * ```
 *  "offsetTable":{ "orders@billing":{0:12,1:7} }      the next offset to consume
 * ```
 *
 * Beside it stands a table of ours, `aheadTable`: ranges that are settled beyond the offset. RocketMQ does not read it, and
 * drops it when it writes the file, as it must.
 *
 * The last word wins, also when it goes back; nothing is checked against the queue, as in RocketMQ
 * (`ConsumerOffsetManager`).
 */
import type { Clock } from '../../base/system.js'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import type { ConfigPort } from '../store-port.js'
import { fieldsOf, integerEntriesOf } from './config-object.js'
import { type DataVersion, nextDataVersion, printDataVersion, readDataVersion } from './data-version.js'

/** An offset that stood beyond the end of its queue, as after power loss without flushes. */
export interface ClampedOffset {
  /** Topic of the queue. */
  readonly topic: string
  /** The group whose offset it is. */
  readonly group: string
  /** Queue of the topic. */
  readonly queueId: number
  /** What was written. */
  readonly offset: number
  /** What counts now. */
  readonly maxOffset: number
}

/** One queue of a topic, as the topic is now. */
export interface QueuePlace {
  /** {@link ConsumerOffsets.commit}. @returns whether it counts: not once the topic was forgotten */
  readonly commit: (offset: number) => boolean
  /** {@link ConsumerOffsets.keepAhead}, which does nothing once the topic was forgotten. */
  readonly keepAhead: (bounds: readonly number[]) => void
}

/** Where a group is in a queue. */
export interface GroupPlace {
  readonly topic: string
  readonly group: string
  readonly queueId: number
  /** The next offset that it consumes. */
  readonly offset: number
}

/** See the head of this file. */
export class ConsumerOffsets {
  readonly #config: ConfigPort
  readonly #clock: Pick<Clock, 'now'>
  readonly #file: string
  readonly #others: ConfigObject
  /** By `topic@group`. */
  readonly #table = new Map<string, Map<number, number>>()
  /** Where a group came further last, which mostly is where one does next, too. */
  #last: { readonly key: string; readonly queues: Map<number, number> } | undefined
  /** Ranges that are settled beyond the offset, by `topic@group` and queue. */
  readonly #ahead = new Map<string, Map<number, readonly number[]>>()
  /** How far clients elsewhere have fetched messages, by `topic@group` and queue; not written. */
  readonly #pulled = new Map<string, Map<number, number>>()
  /** Topics that somebody has places in: what they say counts until the topic is forgotten. */
  readonly #lives = new Map<string, { isOver: boolean }>()
  readonly #moveListeners = new Set<(place: GroupPlace) => void>()
  #version: DataVersion
  #isChanged = false
  #writing: Promise<void> | undefined
  #within: (write: () => Promise<void>) => Promise<void> = (write) => write()

  /** @param file - its name without `.json`: offsets of broadcasting consumers have a file of their own */
  constructor(config: ConfigPort, clock: Pick<Clock, 'now'>, file = 'consumerOffset') {
    this.#config = config
    this.#clock = clock
    this.#file = file
    const content = fieldsOf(config.read(file))
    this.#others = content
    this.#version = readDataVersion(content['dataVersion'], clock.now())
    for (const [key, value] of Object.entries(fieldsOf(content['offsetTable']))) {
      this.#table.set(key, new Map(integerEntriesOf(value)))
    }
    for (const [key, value] of Object.entries(fieldsOf(content['aheadTable']))) {
      if (value instanceof Map) this.#ahead.set(key, new Map(value as ReadonlyMap<number, readonly number[]>))
    }
  }

  /** The next offset that a group consumes, or `undefined` when it never has. */
  find(topic: string, group: string, queueId: number): number | undefined {
    return this.#table.get(`${topic}@${group}`)?.get(queueId)
  }

  /** The offsets of a group in a topic, by queue. */
  ofTopic(topic: string, group: string): ReadonlyMap<number, number> {
    return this.#table.get(`${topic}@${group}`) ?? new Map()
  }

  /** Notes how far a group has come. It is written by {@link flush}. */
  commit(topic: string, group: string, queueId: number, offset: number): void {
    this.#commit(`${topic}@${group}`, queueId, offset)
  }

  /** Moves a group to another place: whoever consumes for it goes on there, and sees again what it had settled ahead. */
  move(topic: string, group: string, queueId: number, offset: number): void {
    this.commit(topic, group, queueId, offset)
    this.keepAhead(topic, group, queueId, [])
    this.#pulled.get(`${topic}@${group}`)?.delete(queueId)
    for (const listener of this.#moveListeners) listener({ topic, group, queueId, offset })
  }

  /** Calls a listener at each {@link move}. @returns a function that ends it */
  onMove(listener: (place: GroupPlace) => void): () => void {
    this.#moveListeners.add(listener)
    return () => this.#moveListeners.delete(listener)
  }

  /**
   * A group's place in a queue, for those who hold it, and commit for every message. A topic of the same name that is made
   * after this one was forgotten is another: what they say late does not touch it.
   */
  place(topic: string, group: string, queueId: number): QueuePlace {
    const key = `${topic}@${group}`
    const life = this.#lives.get(topic) ?? { isOver: false }
    this.#lives.set(topic, life)
    return {
      commit: (offset) => {
        if (life.isOver) return false
        this.#commit(key, queueId, offset)
        return true
      },
      keepAhead: (bounds) => {
        if (!life.isOver) this.keepAhead(topic, group, queueId, bounds)
      },
    }
  }

  #commit(key: string, queueId: number, offset: number): void {
    const queues = this.#last?.key === key ? this.#last.queues : this.#queuesOf(key)
    if (queues.get(queueId) === offset) return
    queues.set(queueId, offset)
    this.#isChanged = true
  }

  #queuesOf(key: string): Map<number, number> {
    let queues = this.#table.get(key)
    if (queues === undefined) this.#table.set(key, (queues = new Map()))
    this.#last = { key, queues }
    return queues
  }

  /** The groups that have offsets in a topic. */
  groupsOf(topic: string): string[] {
    return [...this.entries()].filter((entry) => entry.topic === topic).map(({ group }) => group)
  }

  /** What is settled beyond a group's offset in a queue, as bounds: from, to, from, to ... */
  ahead(topic: string, group: string, queueId: number): readonly number[] {
    const bounds = this.#ahead.get(`${topic}@${group}`)?.get(queueId)
    return Array.isArray(bounds) ? bounds : []
  }

  /** Notes what is settled beyond a group's offset, when nobody holds the queue. Written with the offsets. */
  keepAhead(topic: string, group: string, queueId: number, bounds: readonly number[]): void {
    const key = `${topic}@${group}`
    const queues = this.#ahead.get(key) ?? new Map<number, readonly number[]>()
    if (bounds.length === 0 && !queues.has(queueId)) return
    if (bounds.length > 0) queues.set(queueId, bounds)
    else queues.delete(queueId)
    if (queues.size > 0) this.#ahead.set(key, queues)
    else this.#ahead.delete(key)
    this.#isChanged = true
  }

  /** The offset behind what clients elsewhere last fetched for a group: `undefined` when they did not since the start. */
  pulled(topic: string, group: string, queueId: number): number | undefined {
    return this.#pulled.get(`${topic}@${group}`)?.get(queueId)
  }

  /** Notes how far clients elsewhere have fetched. */
  notePulled(topic: string, group: string, queueId: number, offset: number): void {
    const key = `${topic}@${group}`
    const queues = this.#pulled.get(key)
    if (queues === undefined) this.#pulled.set(key, new Map([[queueId, offset]]))
    else queues.set(queueId, offset)
  }

  /** Every topic and group with offsets. */
  *entries(): IterableIterator<{ topic: string; group: string; offsets: ReadonlyMap<number, number> }> {
    for (const [key, offsets] of this.#table) {
      const at = key.indexOf('@')
      if (at > 0) yield { topic: key.slice(0, at), group: key.slice(at + 1), offsets }
    }
  }

  /** Forgets what fits: the offsets of a group and of its members, of a topic, or of a group in a topic. */
  forget({ topic, group }: { topic?: string; group?: string }): void {
    this.#last = undefined
    if (topic !== undefined && group === undefined) this.#endLife(topic)
    for (const key of new Set([...this.#table.keys(), ...this.#pulled.keys()])) {
      const at = key.indexOf('@')
      if (topic !== undefined && key.slice(0, at) !== topic) continue
      // A member that has its own keeps them under `group@name`.
      if (group !== undefined && key.slice(at + 1).split('@', 1)[0] !== group) continue
      this.#pulled.delete(key)
      this.#ahead.delete(key)
      if (this.#table.delete(key)) this.#isChanged = true
    }
  }

  /** Takes back offsets beyond the end of their queue, which power loss may leave, and says which. */
  clamp(maxOffsetOf: (topic: string, queueId: number) => number): ClampedOffset[] {
    const clamped: ClampedOffset[] = []
    for (const { topic, group, offsets } of this.entries()) {
      for (const [queueId, offset] of offsets) {
        const maxOffset = maxOffsetOf(topic, queueId)
        if (offset <= maxOffset) continue
        clamped.push({ topic, group, queueId, offset, maxOffset })
        this.commit(topic, group, queueId, maxOffset)
      }
    }
    return clamped
  }

  /** Writes the offsets if they have changed. Calls that come while it writes share the next one. */
  flush(): Promise<void> {
    return this.#within(() => this.#flush())
  }

  /** From now on every write happens within a function: it may do something before, and keep others still meanwhile. */
  writeWithin(within: (write: () => Promise<void>) => Promise<void>): void {
    this.#within = within
  }

  #endLife(topic: string): void {
    const life = this.#lives.get(topic)
    if (life !== undefined) life.isOver = true
    this.#lives.delete(topic)
  }

  async #flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    if (!this.#isChanged) return
    this.#writing = this.#write()
    try {
      await this.#writing
    } finally {
      this.#writing = undefined
    }
  }

  async #write(): Promise<void> {
    this.#isChanged = false
    const version = nextDataVersion(this.#version, this.#clock.now())
    const offsetTable: Record<string, ConfigValue> = {}
    for (const [key, offsets] of this.#table) offsetTable[key] = offsets
    try {
      const { aheadTable: _, ...others } = this.#others
      const ahead = this.#ahead.size === 0 ? {} : { aheadTable: Object.fromEntries(this.#ahead) }
      await this.#config.write(this.#file, { ...others, ...ahead, dataVersion: printDataVersion(version), offsetTable })
      this.#version = version
    } catch (error) {
      this.#isChanged = true
      throw error
    }
  }
}
