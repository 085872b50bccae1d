/**
 * Transactions when the process or the machine ends at any operation of the disk: what was acknowledged holds, and
 * what was not is found undecided, asked about and ended.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Broker } from '../../lib/broker/broker.js'
import type { TransactionDecision } from '../../lib/broker/transaction/transactions.js'
import { ManualTime } from '../support/manual-time.js'
import { small } from '../support/open-broker.js'
import { bodies, readQueue, root } from '../support/open-store.js'
import { type Chooser, Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { runSeed, sized } from '../support/tier.js'

const EVERYTHING: Chooser = { choose: (count) => count - 1 }

/** At the small size, every so many crashes are looked at. */
const EVERY = sized(3, 1)

/** What a program was told until a moment. */
interface Debt {
  /** Messages whose half was stored. */
  readonly begun: readonly string[]
  /** Messages whose transaction was ended. */
  readonly ended: readonly string[]
}

interface Crash {
  readonly disk: SimDisk
  readonly debt: Debt
  readonly label: string
}

/** The first letter of a message says how its transaction really ended. */
const truthOf = (body: string): TransactionDecision => (body.startsWith('c') ? 'commit' : 'rollback')

async function pass(time: ManualTime, ms: number): Promise<void> {
  time.advance(ms)
  for (let i = 0; i < 60; i++) await turn()
}

function open(disk: SimDisk, time: ManualTime, flush: 'async' | 'sync'): Promise<Broker> {
  const store = { ...small, flush, segmentBytes: 1 << 16, maxMessageBytes: 4096 }
  return Broker.open(root, { topics: { orders: { queues: 1 } }, store }, { disk, clock: time, timers: time })
}

/** Runs transactions of every kind, and takes a crash before each operation that finds the disk changed. */
async function run(flush: 'async' | 'sync', crashOf: (disk: SimDisk) => SimDisk): Promise<Crash[]> {
  const disk = new SimDisk()
  const time = new ManualTime()
  const crashes: Crash[] = []
  const begun: string[] = []
  const ended: string[] = []
  let last = ''
  let isOpen = false
  disk.onOperation = (kind, path, index) => {
    const moment = `${disk.changeCount} ${begun.length} ${ended.length}`
    if (!isOpen || moment === last) return
    last = moment
    const label = `before operation ${index}, ${kind} ${path}`
    crashes.push({ disk: crashOf(disk), debt: { begun: [...begun], ended: [...ended] }, label })
  }
  const broker = await open(disk, time, flush)
  isOpen = true
  let answer: (body: string) => TransactionDecision = truthOf
  const producer = broker.transactionProducer({ group: 'p', check: ({ body }) => answer(body.toString()) })
  const send = async (body: string, decision: TransactionDecision = truthOf(body)): Promise<void> => {
    const decide = (): TransactionDecision => {
      begun.push(body)
      return decision
    }
    await producer.send({ topic: 'orders', body }, decide)
    if (decision !== 'unknown') ended.push(body)
  }
  await send('c0')
  await send('r1')
  await send('c2', 'unknown')
  await Promise.all([send('c3'), send('r4'), send('r5', 'unknown'), send('c6')])
  answer = (body) => (body === 'c2' ? 'unknown' : truthOf(body))
  await pass(time, 31_000)
  await send('c7')
  answer = truthOf
  await pass(time, 31_000)
  await send('c8', 'unknown')
  await producer.close()
  await broker.close()
  crashes.push({ disk: disk.crash({ choose: EVERYTHING }), debt: { begun, ended }, label: 'at the end' })
  return crashes
}

async function judge({ disk, debt, label }: Crash, flush: 'async' | 'sync'): Promise<{ twice: number; asked: number }> {
  const time = new ManualTime(Date.UTC(2024, 0, 2, 4))
  const broker = await open(disk, time, flush)
  try {
    const asked: string[] = []
    broker.on('problem', ({ error, during }) => assert.fail(`${label}, ${during}: ${String(error)}`))
    broker.transactionProducer({
      group: 'p',
      check: ({ body }) => {
        asked.push(body.toString())
        return truthOf(body.toString())
      },
    })
    for (let i = 0; i < 2; i++) await pass(time, 31_000)
    const delivered = bodies(await readQueue(broker.store, 'orders', 0))
    for (const body of delivered) assert.equal(truthOf(body), 'commit', `${label}: ${body} was rolled back, and is delivered`)
    for (const body of debt.begun) {
      const times = delivered.filter((one) => one === body).length
      if (truthOf(body) === 'commit') assert.ok(times === 1 || times === 2, `${label}: ${body} is delivered ${times} times`)
    }
    for (const body of debt.ended) assert.ok(!asked.includes(body), `${label}: ${body} was decided, and is asked about`)
    assert.equal(new Set(asked).size, asked.length, `${label}: asked twice: ${asked.join()}`)
    return { twice: delivered.length - new Set(delivered).size, asked: asked.length }
  } finally {
    await broker.close()
  }
}

async function judgeAll(crashes: readonly Crash[], flush: 'async' | 'sync'): Promise<{ twice: number; asked: number }> {
  const sum = { twice: 0, asked: 0 }
  for (const [i, crash] of crashes.entries()) {
    if (i % EVERY > 0) continue
    const { twice, asked } = await judge(crash, flush)
    sum.twice += twice
    sum.asked += asked
  }
  return sum
}

describe('a transaction', () => {
  test('survives the end of the process at every operation of the disk: what was acknowledged is kept, the rest is asked about', async () => {
    const crashes = await run('async', (disk) => disk.crash({ choose: EVERYTHING }))
    const { twice, asked } = await judgeAll(crashes, 'async')
    assert.ok(crashes.length > 40, `${crashes.length} crashes`)
    assert.ok(asked > crashes.length / 2 / EVERY, `asked ${asked} times`)
    // Between a committed message and its decision: delivered again, and no other case.
    assert.ok(twice > 0 && twice < crashes.length, `${twice} messages were delivered twice`)
  })

  test('survives power loss at every operation when puts are flushed', async () => {
    const crashes = await run('sync', (disk) => disk.crash())
    await judgeAll(crashes, 'sync')
    const random = new Random(runSeed())
    try {
      await judgeAll(await run('sync', (disk) => disk.crash({ random })), 'sync')
    } catch (error) {
      throw new Error(`seed ${random.seed}: ${(error as Error).message}`, { cause: error })
    }
  })
})
