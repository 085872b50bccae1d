/**
 * Our broker and RocketMQ 5.3.3 take turns on one directory. Each finds what the other left: messages that nobody has
 * read, groups that stopped half-way, messages that wait to be tried again or have come back and were not taken,
 * delayed ones, dead letters, and a group in the middle of a thousand messages. After a clean close everything that is
 * due comes, once; after a SIGKILL it comes at least once.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Actors, type Delivered, startJavaActors, startOurActors } from './actors.js'
import { temporary } from './ours.js'

/** Groups by name, each with a topic of its own, and how its messages of a turn fail. */
const groups: Readonly<Record<string, { readonly topic: string; readonly delayLevel?: number; readonly slowMs?: number }>> = {
  half: { topic: 'half' },
  // Five seconds pass before the turn ends, ten do not.
  returned: { topic: 'returned', delayLevel: 2 },
  waiting: { topic: 'waiting', delayLevel: 3 },
  delayed: { topic: 'delayed' },
  dead: { topic: 'dead', delayLevel: -1 },
  undertaker: { topic: '%DLQ%dead' },
  unread: { topic: 'unread' },
  // In the middle of many when its turn ends.
  busy: { topic: 'busy', slowMs: 1 },
}

/** Messages of the busy group, in batches. */
const BUSY = 1000
const BATCH = 100

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** What the groups get in the turn after one, and how often it was tried before. */
function dueAfter(turn: number): Record<string, string[]> {
  const bodies = (topic: string, numbers: number[], tried = 0): string[] => numbers.map((i) => `${topic}:${turn}-${i} +${tried}`)
  return {
    half: bodies('half', range(10, 20)),
    returned: bodies('returned', [0], 1),
    waiting: bodies('waiting', [0], 1),
    delayed: bodies('delayed', range(0, 3)),
    dead: [],
    undertaker: bodies('dead', [0], 1),
    unread: bodies('unread', range(0, 5)),
  }
}

/** One broker's turn. */
class Turn {
  readonly #actors: Actors
  readonly #number: number

  constructor(actors: Actors, number: number) {
    this.#actors = actors
    this.#number = number
  }

  async makeTopics(): Promise<void> {
    for (const { topic } of Object.values(groups)) {
      if (!topic.startsWith('%')) await this.#actors.tell({ do: 'topic', topic, queues: 2 })
    }
  }

  join(group: string): Promise<void> {
    const { topic, delayLevel, slowMs = 0 } = groups[group]!
    // Of its own messages, a turn lets the first fail.
    const fails = delayLevel === undefined ? {} : { [this.#body(topic, 0)]: -1 }
    const member = { member: `${group}-${this.#number}`, group, subscribe: { [topic]: '*' }, startAt: 'first' } as const
    return this.#actors.tell({ do: 'join', ...member, fails, delayLevel: delayLevel ?? 0, slowMs })
  }

  leave(group: string): Promise<void> {
    return this.#actors.tell({ do: 'leave', member: `${group}-${this.#number}` })
  }

  async send(topic: string, numbers: readonly number[], more: (i: number) => object = () => ({})): Promise<void> {
    const messages = numbers.map((i) => ({ body: this.#body(topic, i), queueId: i % 2, ...more(i) }))
    await this.#actors.tell({ do: 'send', topic, messages })
  }

  /** What a group has got so far in this turn. */
  got(group: string): Delivered[] {
    return this.#actors.deliveries.filter(({ member }) => member.startsWith(`${group}-`))
  }

  async gets(group: string, bodies: readonly string[]): Promise<void> {
    const missing = (): string[] => {
      const got = new Set(this.got(group).map(asText))
      return bodies.filter((body) => !got.has(body))
    }
    await this.#actors.until(() => Promise.resolve(missing().length === 0)).catch(() => {})
    assert.deepEqual(missing(), [], `${group} has not got, among ${this.got(group).map(asText).join(', ')}`)
  }

  /** Leaves something of every kind to the next turn. */
  async prepare(): Promise<void> {
    await this.send('returned', [0, 1])
    await this.gets('returned', [`${this.#body('returned', 0)} +0`, `${this.#body('returned', 1)} +0`])
    await this.leave('returned')
    await this.send('half', range(0, 10))
    await this.gets(
      'half',
      range(0, 10).map((i) => `${this.#body('half', i)} +0`),
    )
    await this.leave('half')
    await this.leave('delayed')
    await this.leave('unread')
    // What is dead stays for the next turn.
    if (this.#number > 0) await this.leave('undertaker')
    await this.send('dead', [0, 1])
    await this.gets(
      'dead',
      [0, 1].map((i) => `${this.#body('dead', i)} +0`),
    )
    await new Promise((resolve) => setTimeout(resolve, 6000))
    await this.send('waiting', [0, 1])
    await this.gets(
      'waiting',
      [0, 1].map((i) => `${this.#body('waiting', i)} +0`),
    )
    await this.leave('waiting')
    await this.leave('dead')
    await this.send('half', range(10, 20))
    await this.send('unread', range(0, 5))
    await this.send('delayed', range(0, 3), (i) => (i === 0 ? {} : { delayLevel: 2 * i - 1 }))
    for (let i = 0; i < BUSY; i += BATCH) {
      const messages = range(i, i + BATCH).map((j) => ({ body: this.#body('busy', j) }))
      await this.#actors.tell({ do: 'sendBatch', topic: 'busy', queueId: (i / BATCH) % 2, messages })
    }
    await this.gets('busy', [`${this.#body('busy', BUSY / 10)} +0`])
  }

  /** What a group got over and above what it had to get from the turn before and in this one. */
  again(group: string, due: readonly string[]): string[] {
    const wanted = new Set(due)
    const own = `:${this.#number}-`
    return this.got(group)
      .map(asText)
      .filter((text) => !wanted.delete(text) && !text.includes(own))
  }

  #body(topic: string, i: number): string {
    return `${topic}:${this.#number}-${i}`
  }
}

function asText({ body, reconsumeTimes }: Delivered): string {
  return `${body} +${reconsumeTimes}`
}

/** Of each queue, what came stands in order and without a gap. */
function assertInOrder(delivered: readonly Delivered[]): void {
  const next = new Map<string, number>()
  for (const { topic, queueId, queueOffset, reconsumeTimes, body } of delivered) {
    const queue = `${topic}/${queueId} ${reconsumeTimes > 0}`
    const expected = next.get(queue)
    if (expected !== undefined) assert.equal(queueOffset, expected, `${body} in ${queue}`)
    next.set(queue, queueOffset + 1)
  }
}

const turns = [
  { who: 'ours', end: 'close' },
  { who: 'java', end: 'close' },
  { who: 'ours', end: 'kill' },
  { who: 'java', end: 'kill' },
  { who: 'ours', end: 'close' },
] as const

/** Of the busy group: what its turn did not come to. */
function leftOver(turn: Turn, number: number): string[] {
  const got = new Set(turn.got('busy').map(asText))
  return range(0, BUSY)
    .map((i) => `busy:${number}-${i} +0`)
    .filter((text) => !got.has(text))
}

/** @returns what the busy group did not come to */
async function play(t: TestContext, directory: string, number: number, busy: readonly string[]): Promise<string[]> {
  const { who, end } = turns[number]!
  const actors = await (who === 'ours' ? startOurActors(t, directory) : startJavaActors(t, directory))
  const turn = new Turn(actors, number)
  if (number === 0) await turn.makeTopics()
  for (const group of Object.keys(groups)) {
    // There are no dead letters before the first turn ends.
    if (number > 0 || group !== 'undertaker') await turn.join(group)
  }
  const due: Record<string, readonly string[]> = number === 0 ? {} : { ...dueAfter(number - 1), busy }
  for (const [group, bodies] of Object.entries(due)) await turn.gets(group, bodies)
  const isLast = number === turns.length - 1
  if (!isLast) await turn.prepare()
  await (end === 'kill' ? actors.kill() : actors.close())
  for (const group of Object.keys(groups)) {
    const again = turn.again(group, due[group] ?? [])
    const wasKilled = number > 0 && turns[number - 1]!.end === 'kill'
    t.diagnostic(`${who}, ${group}: ${turn.got(group).length} deliveries, ${again.length} of them again`)
    if (wasKilled) continue
    assert.deepEqual(again, [], `${group} got again`)
    assertInOrder(turn.got(group))
  }
  return leftOver(turn, number)
}

test('our broker and RocketMQ 5.3.3 go on where the other stopped or was killed', async (t) => {
  const directory = temporary(t)
  let busy: string[] = []
  for (const [number, { who }] of turns.entries()) {
    const before = number === 0 ? 'begins' : `goes on after ${turns[number - 1]!.end === 'kill' ? 'a kill' : 'a clean close'}`
    await t.test(`${who} ${before}`, async (inner) => {
      busy = await play(inner, directory, number, busy)
      inner.diagnostic(`${busy.length} of ${BUSY} messages are left to the next turn`)
    })
  }
})
