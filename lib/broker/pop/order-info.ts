/**
 * What is out of queues that a group pops in order: `config/consumerOrderInfo.json`, in memory, and written now and
 * then. A queue is blocked until everything that is out of it is acknowledged, or its time is over. There are no check
 * points: the group's offset stays at the first message that is not acknowledged. (`ConsumerOrderInfoManager`.)
 *
 * ```
 *  "table":{ "orders@g":{0:{ popTime, i: invisible time, o: [first offset, distances...], cm: bits acknowledged,
 *                            ot: {offset: when it may come again}, oc: {offset: earlier attempts}, l: last change, a: attempt }}}
 * ```
 *
 * Like the offsets it is written a little late: after a crash a queue may be free too early, and is popped again.
 */
import type { Clock } from '../../base/system.js'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { fieldsOf, integerEntriesOf, numberOf } from '../config/config-object.js'
import type { ConfigPort } from '../store-port.js'

const FILE = 'consumerOrderInfo'
/** A queue that was not popped for so long is forgotten. */
const FORGET_MS = 24 * 3600 * 1000

interface OrderInfo {
  readonly attemptId: string | undefined
  readonly popTime: number
  readonly invisibleMs: number
  readonly offsets: readonly number[]
  /** Earlier attempts, of those that had any. */
  readonly attempts: ReadonlyMap<number, number>
  readonly nextVisible: Map<number, number>
  readonly acked: Set<number>
  lastChange: number
}

/** A queue that a group pops in order. */
export interface OrderedQueue {
  readonly group: string
  readonly topic: string
  readonly queueId: number
}

/** See the head of this file. */
export class OrderInfos {
  readonly #config: ConfigPort
  readonly #clock: Pick<Clock, 'now'>
  /** By `topic@group`. */
  readonly #table = new Map<string, Map<number, OrderInfo>>()
  #isChanged = false

  constructor(config: ConfigPort, clock: Pick<Clock, 'now'>) {
    this.#config = config
    this.#clock = clock
    for (const [key, value] of Object.entries(fieldsOf(fieldsOf(config.read(FILE))['table']))) {
      const queues = new Map<number, OrderInfo>()
      for (const [queueId, info] of Object.entries(fieldsOf(value))) {
        const read = readInfo(info)
        if (read !== undefined) queues.set(Number(queueId), read)
      }
      this.#table.set(key, queues)
    }
  }

  /** Whether something is out of a queue whose time is not over. The same attempt again is not kept out. */
  isBlocked(queue: OrderedQueue, attemptId: string | undefined): boolean {
    const info = this.#find(queue)
    if (info === undefined || (attemptId !== undefined && info.attemptId === attemptId)) return false
    const now = this.#clock.now()
    return info.offsets.some((offset) => !info.acked.has(offset) && now < visibleAt(info, offset))
  }

  /** How many messages are out of a queue, until they are acknowledged or their time is over. */
  out(queue: OrderedQueue): number {
    const info = this.#find(queue)
    if (info === undefined) return 0
    const now = this.#clock.now()
    return info.offsets.filter((offset) => !info.acked.has(offset) && now < visibleAt(info, offset)).length
  }

  /** How often a message that was popped last had been popped before. */
  attempts(queue: OrderedQueue, offset: number): number {
    return this.#find(queue)?.attempts.get(offset) ?? 0
  }

  /** Notes what was popped. @returns for each message, how often it was popped before */
  popped(
    queue: OrderedQueue,
    pop: { popTime: number; invisibleMs: number; attemptId: string | undefined },
    offsets: readonly number[],
  ): number[] {
    const before = this.#find(queue)
    const isSame = before?.attemptId !== undefined && before.attemptId === pop.attemptId
    const attempts = new Map<number, number>()
    for (const offset of offsets) {
      const earlier = before?.attempts.get(offset) ?? 0
      if (isSame && earlier > 0) attempts.set(offset, earlier)
      else if (!isSame && before?.offsets.includes(offset)) attempts.set(offset, earlier + 1)
    }
    const key = keyOf(queue)
    let queues = this.#table.get(key)
    if (queues === undefined) this.#table.set(key, (queues = new Map()))
    const lastChange = this.#clock.now()
    queues.set(queue.queueId, { ...pop, offsets, attempts, nextVisible: new Map(), acked: new Set(), lastChange })
    this.#isChanged = true
    return offsets.map((offset) => attempts.get(offset) ?? 0)
  }

  /**
   * Notes that a message is handled.
   *
   * @returns the group's next offset; `undefined` when the message is not out, or was acknowledged before
   */
  acknowledge(queue: OrderedQueue, offset: number, popTime: number): number | undefined {
    const info = this.#out(queue, offset, popTime)
    if (info === undefined) return undefined
    info.acked.add(offset)
    this.#isChanged = true
    return info.offsets.find((one) => !info.acked.has(one)) ?? info.offsets[info.offsets.length - 1]! + 1
  }

  /** Notes when a message may come again. @returns whether it is out */
  changeVisible(queue: OrderedQueue, offset: number, popTime: number, at: number): boolean {
    const info = this.#out(queue, offset, popTime)
    if (info === undefined) return false
    info.nextVisible.set(offset, at)
    this.#isChanged = true
    return true
  }

  /** Forgets what is out of a queue: it is popped again from wherever its group is now. @returns whether something was */
  release({ group, topic, queueId }: OrderedQueue): boolean {
    const isKnown = this.#table.get(keyOf({ group, topic, queueId }))?.delete(queueId) ?? false
    if (isKnown) this.#isChanged = true
    return isKnown
  }

  /** Forgets what is out of all queues of a topic that was deleted. */
  forgetTopic(topic: string): void {
    for (const key of this.#table.keys()) {
      if (key.startsWith(`${topic}@`) && this.#table.delete(key)) this.#isChanged = true
    }
  }

  /** Writes the table if it has changed. */
  async flush(): Promise<void> {
    if (!this.#isChanged) return
    this.#isChanged = false
    const table: Record<string, ConfigValue> = {}
    const oldest = this.#clock.now() - FORGET_MS
    for (const [key, queues] of this.#table) {
      for (const [queueId, info] of queues) if (info.lastChange < oldest) queues.delete(queueId)
      if (queues.size === 0) this.#table.delete(key)
      else table[key] = new Map([...queues].map(([queueId, info]) => [queueId, printInfo(info)]))
    }
    try {
      await this.#config.write(FILE, { table })
    } catch (error) {
      this.#isChanged = true
      throw error
    }
  }

  #find(queue: OrderedQueue): OrderInfo | undefined {
    return this.#table.get(keyOf(queue))?.get(queue.queueId)
  }

  /** What a queue's message belongs to, while it is out. */
  #out(queue: OrderedQueue, offset: number, popTime: number): OrderInfo | undefined {
    const info = this.#find(queue)
    if (info === undefined || info.popTime !== popTime) return undefined
    if (!info.offsets.includes(offset) || info.acked.has(offset)) return undefined
    const now = this.#clock.now()
    if (now >= visibleAt(info, offset)) return undefined
    info.lastChange = now
    return info
  }
}

function keyOf({ topic, group }: OrderedQueue): string {
  return `${topic}@${group}`
}

function visibleAt(info: OrderInfo, offset: number): number {
  return info.nextVisible.get(offset) ?? info.popTime + info.invisibleMs
}

function readInfo(value: ConfigValue | undefined): OrderInfo | undefined {
  const fields = fieldsOf(value)
  const list = fields['o']
  if (!Array.isArray(list) || list.length === 0) return undefined
  const [first, ...distances] = (list as ConfigValue[]).map((one) => numberOf(one, 0))
  const offsets = [first!, ...distances.map((distance) => first! + distance)]
  const bits = BigInt(numberOf(fields['cm'], 0))
  return {
    attemptId: typeof fields['a'] === 'string' ? fields['a'] : undefined,
    popTime: numberOf(fields['popTime'], 0),
    invisibleMs: numberOf(fields['i'], 0),
    offsets,
    attempts: new Map(integerEntriesOf(fields['oc'])),
    nextVisible: new Map(integerEntriesOf(fields['ot'])),
    acked: new Set(offsets.filter((_, i) => ((bits >> BigInt(i)) & 1n) === 1n)),
    lastChange: numberOf(fields['l'], 0),
  }
}

function printInfo({
  attemptId,
  acked,
  invisibleMs,
  lastChange,
  offsets,
  attempts,
  nextVisible,
  popTime,
}: OrderInfo): ConfigObject {
  const first = offsets[0]!
  return {
    ...(attemptId === undefined ? {} : { a: attemptId }),
    cm: offsets.reduce((bits, offset, i) => (acked.has(offset) ? bits + 2 ** i : bits), 0),
    i: invisibleMs,
    l: lastChange,
    o: offsets.map((offset, i) => (i === 0 ? offset : offset - first)),
    ...(attempts.size === 0 ? {} : { oc: attempts }),
    ...(nextVisible.size === 0 ? {} : { ot: nextVisible }),
    popTime,
  }
}
