/**
 * The same scenarios through RocketMQ's brokers of 4.9.7 and 5.3.3, with its client of 5.3.3, and through our broker: what
 * was delivered, in which order, how often, and what stands in the directory afterwards.
 *
 * All of a side's scenarios run at once, on one broker. Each has topics, groups and bodies of its own, whose names begin
 * with the scenario's. Our time goes twenty times as fast, with RocketMQ's levels as they are; RocketMQ's are seconds.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Actors, type Delivered, type Joining, startJavaActors, startOurActors } from './actors.js'
import type { ServerRelease } from './java-build.js'
import { type Left, type LeftRecord, readLeft } from './left-behind.js'
import { temporary } from './ours.js'

const SPEED = 20
const DELAYS = '1s 2s 3s 1s 5s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s'

/** Tells actors in the words of one scenario. */
class Stage {
  readonly name: string
  readonly #actors: Actors

  constructor(actors: Actors, name: string) {
    this.#actors = actors
    this.name = name
  }

  topic(queues: number): Promise<void> {
    return this.#actors.tell({ do: 'topic', topic: this.name, queues })
  }

  /** Sends messages `from`, `from + 1` … to the queues in turn, of which there are so many. */
  async send(from: number, count: number, queues: number, more: (i: number) => object = () => ({})): Promise<void> {
    for (let i = from; i < from + count; i++) {
      const message = { body: `${this.name}:${i}`, queueId: i % queues, ...more(i) }
      await this.#actors.tell({ do: 'send', topic: this.name, messages: [message] })
    }
  }

  sendBatch(queueId: number, bodies: readonly number[], more: (i: number) => object = () => ({})): Promise<unknown> {
    const messages = bodies.map((i) => ({ body: `${this.name}:${i}`, ...more(i) }))
    return this.#actors.tell({ do: 'sendBatch', topic: this.name, queueId, messages })
  }

  /** A member of the scenario's group, or of the named one. */
  async join(member: string, options: Partial<Joining> = {}, group = 'g'): Promise<void> {
    const names = { member: `${this.name}-${group}-${member}`, group: `${this.name}-${group}` }
    await this.#actors.tell({ do: 'join', ...names, subscribe: { [this.name]: '*' }, ...options })
  }

  holds(member: string, queues: number, group = 'g'): Promise<void> {
    return this.#actors.holds(`${this.name}-${group}-${member}`, this.name, queues)
  }

  leave(member: string, group = 'g'): Promise<void> {
    return this.#actors.tell({ do: 'leave', member: `${this.name}-${group}-${member}` })
  }

  delivered(count: number, group = ''): Promise<Delivered[]> {
    return this.#actors.delivered(`${this.name}-${group}`, count)
  }

  nextSecond(): Promise<number> {
    return this.#actors.nextSecond()
  }

  reset(time: number, group = 'g'): Promise<void> {
    return this.#actors.tell({ do: 'reset', group: `${this.name}-${group}`, topic: this.name, time })
  }
}

interface Scenario {
  readonly claim: string
  readonly run: (stage: Stage) => Promise<unknown>
}

const scenarios: Readonly<Record<string, Scenario>> = {
  tags: {
    claim: 'a filter by tags lets the same messages through',
    async run(stage) {
      await stage.topic(2)
      await stage.send(0, 12, 2, (i) => ({ tags: ['paid', 'sent', 'new', 'Aa', 'BB'][i % 5] }))
      await stage.send(12, 2, 2)
      await stage.join('a', { subscribe: { tags: 'paid || sent' } })
      // Aa and BB have the same hash.
      await stage.join('a', { subscribe: { tags: 'Aa' } }, 'h')
      await stage.delivered(6, 'g')
      await stage.delivered(2, 'h')
      await stage.send(14, 4, 2, () => ({ tags: 'sent', keys: 'k1' }))
      await stage.delivered(12)
    },
  },
  sql: {
    claim: 'a filter in SQL lets the same messages through',
    async run(stage) {
      await stage.topic(2)
      await stage.join('a', { subscribe: { sql: { sql: "amount BETWEEN 3 AND 7 OR TAGS = 'all' AND kind IS NULL" } } })
      await stage.holds('a', 2)
      await stage.send(0, 10, 2, (i) => ({ properties: { amount: `${i}`, kind: 'x' } }))
      await stage.send(10, 4, 2, (i) => ({ tags: i % 2 ? 'all' : 'some' }))
      await stage.delivered(7)
    },
  },
  shared: {
    claim: 'two members of a group share the queues, and one has them all when the other has left',
    async run(stage) {
      await stage.topic(4)
      await stage.join('a')
      await stage.join('b')
      await stage.holds('a', 2)
      await stage.holds('b', 2)
      await stage.send(0, 16, 4)
      await stage.delivered(16)
      await stage.leave('b')
      await stage.holds('a', 4)
      await stage.send(16, 8, 4)
      await stage.delivered(24)
    },
  },
  broadcast: {
    claim: 'every member of a broadcasting group gets every message from where it begins, and a failure is not tried again',
    async run(stage) {
      await stage.topic(2)
      await stage.send(0, 4, 2)
      await stage.join('first', { model: 'broadcasting', startAt: 'first' }, 'f')
      await stage.join('a', { model: 'broadcasting', fails: { 'broadcast:5': -1 } })
      await stage.join('b', { model: 'broadcasting' })
      for (const member of ['a', 'b']) await stage.holds(member, 2)
      // RocketMQ asks where the end is only after the queue is its own.
      await stage.nextSecond()
      await stage.nextSecond()
      await stage.send(4, 4, 2)
      await stage.delivered(8, 'f')
      await stage.delivered(8, 'g')
    },
  },
  retry: {
    claim: 'a message that fails comes again after each delay, then it is a dead letter',
    async run(stage) {
      await stage.topic(1)
      await stage.join('a', { startAt: 'first', maxRetries: 4, fails: { 'retry:1': -1, 'retry:2': 2 } })
      await stage.send(0, 4, 1, (i) => ({ tags: `t${i}`, keys: `k${i}`, properties: { own: 'yes' } }))
      await stage.delivered(10)
    },
  },
  sixteen: {
    claim: 'a message is tried sixteen times again when nobody says how often, with the level that the listener asks for',
    async run(stage) {
      await stage.topic(1)
      await stage.join('a', { startAt: 'first', fails: { 'sixteen:0': -1 }, delayLevel: 1 })
      await stage.send(0, 2, 1)
      await stage.delivered(18)
    },
  },
  dead: {
    claim: 'a message that its listener gives up is a dead letter at once',
    async run(stage) {
      await stage.topic(1)
      await stage.join('a', { startAt: 'first', fails: { 'dead:0': -1 }, delayLevel: -1 })
      await stage.send(0, 2, 1)
      await stage.delivered(2)
    },
  },
  ordered: {
    claim: 'an ordered queue stands still at a message that fails, and goes on when it is handled or given up',
    async run(stage) {
      await stage.topic(2)
      const fails = { 'ordered:2': 2, 'ordered:3': -1 }
      await stage.join('a', { startAt: 'first', ordered: true, suspendMs: 100, maxRetries: 3, fails })
      await stage.send(0, 10, 2)
      await stage.delivered(15)
    },
  },
  batch: {
    claim: 'the messages of a batch stand one after another in one queue',
    async run(stage) {
      await stage.topic(3)
      await stage.sendBatch(1, [0, 1, 2, 3], (i) => ({ tags: i % 2 ? 'odd' : 'even', keys: `k${i}` }))
      await stage.sendBatch(2, [4], () => ({ properties: { own: 'yes' } }))
      await stage.sendBatch(1, [5, 6])
      await stage.join('a', { startAt: 'first' })
      await stage.delivered(7)
    },
  },
  starts: {
    claim: 'new groups begin at the first message of a young queue, also when they ask for the last',
    async run(stage) {
      await stage.topic(2)
      await stage.send(0, 11, 2)
      await stage.join('a', { startAt: 'first' }, 'first')
      await stage.join('a', { startAt: 'last' }, 'last')
      await stage.delivered(11, 'first')
      await stage.delivered(11, 'last')
    },
  },
  reset: {
    claim: 'a group that is set to a time gets everything since again',
    async run(stage) {
      await stage.topic(2)
      await stage.join('a')
      await stage.holds('a', 2)
      await stage.send(0, 6, 2)
      // 4.9 takes the nearer of the two messages around the time: the one before is far from it.
      for (let seconds = 0; seconds < 2; seconds++) await stage.nextSecond()
      const time = await stage.nextSecond()
      await stage.send(6, 5, 2)
      await stage.delivered(11)
      await stage.reset(time)
      await stage.delivered(16)
      await stage.send(11, 2, 2)
      await stage.delivered(18)
    },
  },
  levels: {
    claim: 'messages with delay levels come in the order in which they are due',
    async run(stage) {
      await stage.topic(1)
      await stage.join('a')
      await stage.holds('a', 1)
      await stage.send(0, 6, 1, (i) =>
        i % 4 === 3 ? {} : { delayLevel: [5, 3, 1][i % 4], tags: 't', properties: { own: 'yes' } },
      )
      await stage.delivered(6)
    },
  },
}

/** What was delivered, by member and queue, in order. Retried messages are in one queue more. */
function byQueue(delivered: readonly Delivered[]): Record<string, string[]> {
  const queues: Record<string, string[]> = {}
  for (const { member, topic, queueId, reconsumeTimes, queueOffset, body } of delivered) {
    const isOrdered = topic === 'ordered'
    const queue = reconsumeTimes > 0 && !isOrdered ? 'retried' : `${queueId}`
    const order = (queues[`${member} ${topic} ${queue}`] ??= [])
    order.push(`${body} @${queueOffset} +${reconsumeTimes}`)
  }
  return Object.fromEntries(Object.entries(queues).sort(([a], [b]) => (a < b ? -1 : 1)))
}

interface Outcome {
  readonly deliveries: Readonly<Record<string, readonly string[]>>
  readonly left: Left
}

async function play(actors: Actors, directory: string): Promise<Map<string, Outcome | Error>> {
  const outcomes = new Map<string, Outcome | Error>()
  const chosen = Object.entries(scenarios)
  const errors = await Promise.all(
    chosen.map(([name, { run }]) =>
      run(new Stage(actors, name)).then(
        () => undefined,
        (error: unknown) => error as Error,
      ),
    ),
  )
  await actors.close()
  const left = await readLeft(directory)
  for (const [i, [name]] of chosen.entries()) {
    const deliveries = byQueue(actors.deliveries.filter(({ member }) => member.startsWith(`${name}-`)))
    outcomes.set(name, errors[i] ?? { deliveries, left: left(name) })
  }
  return outcomes
}

async function playJava(t: TestContext, release: ServerRelease) {
  const directory = temporary(t)
  return play(await startJavaActors(t, directory, { messageDelayLevel: DELAYS }, release), directory)
}

async function playOurs(t: TestContext) {
  const directory = temporary(t)
  return play(await startOurActors(t, directory, SPEED), directory)
}

/**
 * In 4.9 a dead letter of an ordered queue keeps the delay of its last attempt and waits for it; 5.3.3 has taken that away,
 * as we have.
 */
function withoutLastDelay({ records, ...left }: Left): Left {
  const kept = Object.entries(records).filter(([queue]) => !queue.startsWith('SCHEDULE_TOPIC_XXXX/'))
  const now = kept.map(([queue, all]) => [queue, queue.startsWith('%DLQ%') ? all.map(notDelayed) : all] as const)
  return { ...left, records: Object.fromEntries(now) }
}

function notDelayed({ properties, ...record }: LeftRecord): LeftRecord {
  const { REAL_TOPIC: _topic, REAL_QID: _queue, ...rest } = properties
  return { ...record, properties: { ...rest, DELAY: '0' } }
}

test('our broker does as those of RocketMQ do', async (t) => {
  const ours = await playOurs(t)
  const releases = ['4.9.7', '5.3.3'] as const
  const theirs = await Promise.all(releases.map((release) => playJava(t, release)))
  for (const [i, release] of releases.entries()) {
    for (const [name, { claim }] of Object.entries(scenarios)) {
      await t.test(`${release}, ${name}: ${claim}`, () => {
        const [java, own] = [theirs[i]!.get(name)!, ours.get(name)!]
        if (java instanceof Error) throw new Error(`RocketMQ: ${java.message}`)
        if (own instanceof Error) throw new Error(`mqlite: ${own.message}`)
        assert.deepEqual(own.deliveries, java.deliveries, 'deliveries')
        const left = release === '4.9.7' && name === 'ordered' ? withoutLastDelay(java.left) : java.left
        for (const what of ['records', 'offsets', 'topics', 'groups'] as const) {
          assert.deepEqual(own.left[what], left[what], what)
        }
      })
    }
  }
})
