/**
 * What RocketMQ's clients compute without a broker, mqlite computes alike: shares of queues by every strategy,
 * unique ids, and the time for which a slow broker is left alone.
 *
 * All questions go to one Java process, in one go.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { consistentHash } from '../../lib/broker/group/consistent-hash.js'
import { machineRoom, machineRoomNearby } from '../../lib/broker/group/machine-rooms.js'
import { compareQueues, compareText, type MessageQueue } from '../../lib/broker/group/message-queue.js'
import { type AllocationStrategy, average, averageByCircle, byConfig } from '../../lib/broker/group/strategies.js'
import { awayFor, faultScale } from '../../lib/broker/sending/fault-table.js'
import { decodeUniqueId, UniqueIds } from '../../lib/broker/sending/unique-id.js'
import { addressText, parseHost } from '../../lib/format/host.js'
import { Random } from '../support/random.js'
import { cannotRun, javaClassPath } from './java-build.js'

interface Answer {
  readonly ok?: unknown
  readonly error?: string
}

/** A strategy as `Clients.java` reads it. */
interface StrategySpec {
  readonly strategy: 'AVG' | 'AVG_BY_CIRCLE' | 'CONSISTENT_HASH' | 'MACHINE_ROOM' | 'CONFIG' | 'MACHINE_ROOM_NEARBY'
  readonly placesEach?: number
  readonly rooms?: readonly string[]
  readonly inner?: StrategySpec
}

interface Allocation extends StrategySpec {
  readonly do: 'allocate'
  readonly queues: readonly MessageQueue[]
  readonly clientIds: readonly string[]
  /** Clients whose shares are asked for. */
  readonly asking: readonly string[]
}

const MOST_ANSWER_BYTES = 64 * 1024 * 1024
const DAY_MS = 86_400_000

function askJava(questions: readonly object[]): Answer[] {
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join('')
  const given = ['-XX:-UsePerfData', '-cp', javaClassPath('5.3.3'), 'Clients']
  const { error, status, stdout, stderr } = spawnSync('java', given, {
    input,
    encoding: 'utf8',
    maxBuffer: MOST_ANSWER_BYTES,
    env: { ...process.env, TZ: Intl.DateTimeFormat().resolvedOptions().timeZone },
  })
  if (error !== undefined) throw new Error(cannotRun('java'), { cause: error })
  assert.equal(status, 0, stderr)
  const answers = stdout.trim().split('\n')
  assert.equal(answers.length, questions.length, stderr)
  return answers.map((line) => JSON.parse(line) as Answer)
}

/** A room stands before the @ of a name; without one it is not known. */
function roomOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('@')))
}

function strategyOf({ strategy, placesEach, rooms, inner }: StrategySpec, queues: readonly MessageQueue[]): AllocationStrategy {
  switch (strategy) {
    case 'AVG':
      return average
    case 'AVG_BY_CIRCLE':
      return averageByCircle
    case 'CONSISTENT_HASH':
      return consistentHash(placesEach)
    case 'MACHINE_ROOM':
      return machineRoom(new Set(rooms))
    case 'CONFIG':
      return byConfig(queues.slice(0, Math.floor(queues.length / 2)))
    case 'MACHINE_ROOM_NEARBY':
      return machineRoomNearby(strategyOf(inner!, queues), {
        brokerRoom: ({ brokerName }) => roomOf(brokerName),
        clientRoom: roomOf,
      })
  }
}

/** What Java would answer, by our code. */
function ourAnswer(question: Allocation): Answer {
  const { queues, clientIds, asking } = question
  try {
    const strategy = strategyOf(question, queues)
    const shares = asking.map((clientId) =>
      strategy
        .allocate('g', clientId, queues, clientIds)
        .map((queue) => queues.findIndex((one) => compareQueues(one, queue) === 0)),
    )
    return { ok: { name: strategy.name, shares } }
  } catch (error) {
    if (error instanceof RangeError) return { error: 'IllegalArgumentException' }
    throw error
  }
}

function someStrategy(random: Random): StrategySpec {
  const strategy = random.pick([
    'AVG',
    'AVG_BY_CIRCLE',
    'CONSISTENT_HASH',
    'MACHINE_ROOM',
    'CONFIG',
    'MACHINE_ROOM_NEARBY',
  ] as const)
  const placesEach = random.pick([10, 10, 1, 3, 0])
  const rooms = ['east', 'west', 'nörd'].filter(() => random.chance(0.6))
  if (strategy !== 'MACHINE_ROOM_NEARBY') return { strategy, placesEach, rooms }
  return { strategy, inner: { strategy: random.pick(['AVG', 'AVG_BY_CIRCLE', 'CONSISTENT_HASH']), placesEach: 10 } }
}

function someAllocation(random: Random): Allocation {
  const isOdd = random.chance(0.1)
  const room = (): string => random.pick(['east', 'west', 'nörd', 'süd'])
  const broker = (): string =>
    isOdd && random.chance(0.05) ? random.pick(['', '@', 'a@b@', '@b', 'east@a@b']) : `${room()}@b${random.int(3)}`
  const topics = random.pick([['orders'], ['orders', '東京', '%RETRY%g']])
  const many = random.pick([1, 4, 16, 64])
  const queues = new Map<string, MessageQueue>()
  for (let i = isOdd && random.chance(0.1) ? 0 : random.between(1, many); i > 0; i--) {
    const queue = { topic: random.pick(topics), brokerName: broker(), queueId: random.int(many) }
    queues.set(JSON.stringify(queue), queue)
  }
  const clientIds = Array.from({ length: isOdd && random.chance(0.1) ? 0 : random.between(1, random.pick([1, 4, 20])) }, () =>
    isOdd && random.chance(0.02) ? 'nowhere' : `${room()}@10.0.0.${random.int(40)}@${random.int(100)}`,
  )
  // The lists are sets but for the odd ones, where a client may stand twice.
  const ids = (isOdd ? clientIds : [...new Set(clientIds)]).sort(compareText)
  const strangers = isOdd ? [random.pick(['east@stranger', ''])].filter(() => random.chance(0.3)) : []
  const sorted = [...queues.values()].sort(compareQueues)
  return { do: 'allocate', ...someStrategy(random), queues: sorted, clientIds: ids, asking: [...ids, ...strangers] }
}

/** Java writes all digits of IPv6 addresses. */
function shortened(host: string): string {
  return host.includes(':') ? addressText(parseHost(`[${host}]:0`).subarray(0, -4)) : host
}

test('every strategy gives every client the queues that RocketMQ gives it, and refuses what RocketMQ refuses', () => {
  const random = new Random(88)
  const questions = Array.from({ length: 4_000 }, () => someAllocation(random))
  const answers = askJava(questions)
  const seen = new Map<string, number>()
  for (const [i, question] of questions.entries()) {
    const answer = answers[i]!
    assert.deepEqual(ourAnswer(question), answer, JSON.stringify(question))
    const kind = answer.error ?? question.strategy
    seen.set(kind, (seen.get(kind) ?? 0) + 1)
  }
  assert.equal(seen.size, 7, [...seen.keys()].join(' '))
  for (const [kind, count] of seen) assert.ok(count > 20, `${kind} only ${count} times`)
})

test('ids that mqlite makes tell RocketMQ their host, process and time', () => {
  const random = new Random(89)
  const now = Date.now()
  const made = Array.from({ length: 1_000 }, () => {
    const timestamp = now - 1_000 - random.int(27 * DAY_MS)
    const address = random.bytes(random.chance(0.8) ? 4 : 16)
    const pid = random.int(2 ** 22)
    const ids = new UniqueIds({ clock: { now: () => timestamp }, address, pid, random: () => random.int(2 ** 32) })
    return { id: ids.next(), expected: { host: addressText(address), pid: pid & 0xffff, timestamp } }
  })
  const answers = askJava(made.map(({ id }) => ({ do: 'decodeId', id })))
  for (const [i, { id, expected }] of made.entries()) {
    const read = answers[i]!.ok as typeof expected
    assert.deepEqual({ ...read, host: shortened(read.host) }, expected, id)
  }
})

test('ids that RocketMQ makes tell mqlite their host, process, time and counter', () => {
  const answers = askJava(Array.from({ length: 300 }, () => ({ do: 'createId' })))
  for (const [i, answer] of answers.entries()) {
    const { id, host, pid, from, to } = answer.ok as { id: string; host: string; pid: number; from: number; to: number }
    const parts = decodeUniqueId(id, to + 1)!
    assert.deepEqual([parts.host, parts.pid, parts.counter], [shortened(host), pid & 0xffff, i], id)
    assert.ok(from <= parts.timestamp && parts.timestamp <= to, `${id}: ${from} <= ${parts.timestamp} <= ${to}`)
  }
})

test('a slow broker is left alone for as long as RocketMQ leaves it alone', () => {
  const latencies = [...Array.from({ length: 400 }, (_, i) => i * 50 - 1), ...[50, 100, 550, 1800, 3000, 5000, 15000]]
  const answers = askJava(latencies.map((latencyMs) => ({ do: 'away', latencyMs })))
  assert.deepEqual(
    latencies.map((latencyMs) => awayFor(faultScale, latencyMs)),
    answers.map(({ ok }) => ok),
  )
})
