/** Who produces for which group: the broker asks one of a group's producers how a transaction ended. */
import type { Member } from './members.js'

interface ProducerGroup<Producer> {
  readonly seen: Map<Producer, number>
  /** The same producers as a list, until they change. */
  list: readonly Producer[] | undefined
}

/** See the head of this file. */
export class Producers<Producer extends Member> {
  readonly #groups = new Map<string, ProducerGroup<Producer>>()
  #turn = 0

  /** Takes a producer in, or notes at what time it was still there. @returns whether it is new */
  heartbeat(name: string, producer: Producer, now: number): boolean {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, (group = { seen: new Map(), list: undefined }))
    const isNew = !group.seen.has(producer)
    group.seen.set(producer, now)
    if (isNew) group.list = undefined
    return isNew
  }

  /** Lets a producer go. @returns whether it was there */
  leave(name: string, producer: Producer): boolean {
    const group = this.#groups.get(name)
    if (!group?.seen.delete(producer)) return false
    group.list = undefined
    if (group.seen.size === 0) this.#groups.delete(name)
    return true
  }

  /** Names of the groups that have producers. */
  get names(): readonly string[] {
    return [...this.#groups.keys()]
  }

  /** The producers of a group, in the order in which they came. */
  of(name: string): readonly Producer[] {
    const group = this.#groups.get(name)
    if (group === undefined) return []
    return (group.list ??= [...group.seen.keys()])
  }

  /** The producer whose turn it is to be asked, one that is ready if there is any; `undefined` for a group without. */
  next(name: string): Producer | undefined {
    const all = this.of(name)
    if (all.length === 0) return undefined
    this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER
    for (let i = 0; i < all.length; i++) {
      const producer = all[(this.#turn + i) % all.length]!
      if (producer.isReady()) return producer
    }
    return all[this.#turn % all.length]
  }

  /** The producers elsewhere that were not heard of since `time`, with their groups. */
  silentSince(time: number): [name: string, producer: Producer][] {
    const silent: [string, Producer][] = []
    for (const [name, { seen }] of this.#groups)
      for (const [producer, at] of seen) if (at < time && !producer.isLocal) silent.push([name, producer])
    return silent
  }
}
