/**
 * How much counts have grown over the last hour and the last day, as RocketMQ tells it of topics and groups.
 *
 * ```
 *  hour   a sample each ten minutes, seven of them
 *  day    a sample each hour, twenty-five of them
 * ```
 *
 * A sample is kept only of what has been counted at all; what came after a sample began at 0 then.
 */
import type { Clock } from '../../base/system.js'
import type { Counters, GroupCounter, TopicCounter } from './counters.js'
import { sum } from './sum.js'

/** How much a count grew, over how many seconds. */
export interface Growth {
  readonly sum: number
  readonly seconds: number
}

/** What grew: how many, and, where that is not the same, how much together. */
export type CountName =
  | 'TOPIC_PUT_NUMS'
  | 'TOPIC_PUT_SIZE'
  | 'GROUP_GET_NUMS'
  | 'GROUP_GET_SIZE'
  | 'SNDBCK_PUT_NUMS'
  | 'BROKER_PUT_NUMS'
  | 'BROKER_GET_NUMS'

interface Sample {
  readonly at: number
  readonly counts: ReadonlyMap<string, number>
}

/** A span of time with its samples, oldest first. */
interface Span {
  readonly everyMs: number
  readonly most: number
  readonly samples: Sample[]
}

/** See the head of this file. */
export class History {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #counters: Counters
  readonly #spans: Readonly<Record<'minute' | 'hour' | 'day', Span>> = {
    minute: { everyMs: 10_000, most: 7, samples: [] },
    hour: { everyMs: 600_000, most: 7, samples: [] },
    day: { everyMs: 3_600_000, most: 25, samples: [] },
  }

  constructor(clock: Pick<Clock, 'monotonic'>, counters: Counters) {
    this.#clock = clock
    this.#counters = counters
    for (const { samples } of Object.values(this.#spans)) samples.push({ at: clock.monotonic(), counts: new Map() })
  }

  /** Takes those samples for which it is time. Called every ten seconds. */
  sample(): void {
    const at = this.#clock.monotonic()
    // A call may come a little early.
    const due = Object.values(this.#spans).filter(({ everyMs, samples }) => at - samples.at(-1)!.at >= everyMs * 0.95)
    if (due.length === 0) return
    const counts = this.#all()
    for (const { samples, most } of due) {
      samples.push({ at, counts })
      if (samples.length > most) samples.shift()
    }
  }

  /**
   * How a count grew.
   *
   * @param key - a topic, `topic@group`, or for the whole broker an empty text
   * @returns `undefined` for what was never counted
   */
  growth(name: CountName, key: string): Readonly<Record<'minute' | 'hour' | 'day', Growth>> | undefined {
    const full = `${name} ${key}`
    const count = this.#countOf(name, key)
    if (count === 0) return undefined
    const now = this.#clock.monotonic()
    const over = ({ samples }: Span): Growth => {
      const { at, counts } = samples[0]!
      return { sum: Math.max(0, count - (counts.get(full) ?? 0)), seconds: (now - at) / 1000 }
    }
    const { minute, hour, day } = this.#spans
    return { minute: over(minute), hour: over(hour), day: over(day) }
  }

  /** The count of this moment, 0 when there is none. */
  #countOf(name: CountName, key: string): number {
    if (key === '') return this.#all().get(`${name} `) ?? 0
    const [topic, group] = key.split('@') as [string, string | undefined]
    const topicCounter = group === undefined ? this.#counters.findTopic(topic) : undefined
    const groupCounter = group === undefined ? undefined : this.#counters.find(topic, group)
    const counts: Counts = { ...(topicCounter && topicCounts(topicCounter)), ...(groupCounter && groupCounts(groupCounter)) }
    return counts[name] ?? 0
  }

  #all(): Map<string, number> {
    const all = new Map<string, number>()
    const add = (name: string, key: string, count: number): void => {
      const full = `${name} ${key}`
      if (count > 0) all.set(full, (all.get(full) ?? 0) + count)
    }
    for (const [topic, counter] of this.#counters.topics) {
      const counts = topicCounts(counter)
      for (const [name, count] of Object.entries(counts)) add(name, topic, count)
      add('BROKER_PUT_NUMS', '', counts.TOPIC_PUT_NUMS)
    }
    for (const counter of this.#counters.groups) {
      const counts = groupCounts(counter)
      for (const [name, count] of Object.entries(counts)) add(name, `${counter.topic}@${counter.group}`, count)
      add('BROKER_GET_NUMS', '', counts.GROUP_GET_NUMS)
    }
    return all
  }
}

type Counts = { readonly [Name in CountName]?: number }

function topicCounts({ kinds }: TopicCounter) {
  const ins = [...kinds.values()]
  const messages = sum(ins, (one) => one.messages.count)
  return { TOPIC_PUT_NUMS: messages, TOPIC_PUT_SIZE: sum(ins, (one) => one.bytes.count) } satisfies Counts
}

function groupCounts({ queues, retries }: GroupCounter) {
  const outs = [...queues.values()]
  const messages = sum(outs, (one) => one.messages.count)
  const bytes = sum(outs, (one) => one.bytes.count)
  return { GROUP_GET_NUMS: messages, GROUP_GET_SIZE: bytes, SNDBCK_PUT_NUMS: retries.count } satisfies Counts
}
