/** The broker in one process: from `send` to the acknowledgement, through a retry, and what keeping offsets costs. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Broker } from 'mqlite'
import { BODY, type Case, QUEUES, TOPIC, timed } from '../workload.js'

const IN_FLIGHT = 64
const MEMBERS = 4
const GROUPS = 1000

const options = { topics: { [TOPIC]: { queues: QUEUES } } }

async function sendAll(broker: Broker, messages: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next++ < messages) await broker.send({ topic: TOPIC, body: BODY, tags: 'tag' })
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

/** Calls back for each message that a group of four gets; what it returns ends them. */
function consume(broker: Broker, handler: () => void): void {
  for (let i = 0; i < MEMBERS; i++) {
    const consumer = broker.consumer({ group: 'bench', subscribe: { [TOPIC]: '*' } })
    void consumer.run(handler)
  }
}

/** Resolves at the call that makes the count full. */
class Countdown {
  readonly done: Promise<void>
  #left: number
  #resolve!: () => void

  constructor(count: number) {
    this.#left = count
    this.done = new Promise((resolve) => (this.#resolve = resolve))
  }

  readonly tick = (): void => {
    if (--this.#left === 0) this.#resolve()
  }
}

/** Sent, delivered to a group of four and acknowledged, per second. */
export const sendAndConsume: Case = async ({ plan, directory }) => {
  const broker = await Broker.open(directory, options)
  try {
    const messages = Math.ceil(plan.messages / 4)
    let countdown = new Countdown(messages)
    consume(broker, () => countdown.tick())
    const rounds = await timed(plan.rounds, async () => {
      countdown = new Countdown(messages)
      await sendAll(broker, messages)
      await countdown.done
      return messages
    })
    return { rounds }
  } finally {
    await broker.close()
  }
}

/** Delivered, failed, and put where the group gets it again, per second. */
export const sendBack: Case = async ({ plan, directory }) => {
  const broker = await Broker.open(directory, options)
  try {
    const messages = Math.ceil(plan.messages / 20)
    await sendAll(broker, messages * (plan.rounds + 1))
    const consumers = Array.from({ length: MEMBERS }, () =>
      broker.consumer({ group: 'bench', subscribe: { [TOPIC]: '*' }, startAt: 'first' }),
    )
    // All rounds at once: they follow each other without a gap.
    const countdowns = Array.from({ length: plan.rounds + 1 }, () => new Countdown(messages))
    let given = 0
    for (const consumer of consumers) {
      void consumer.run(
        async (_, delivery) => {
          await delivery.retry({ delayLevel: 18 })
          countdowns[Math.floor(given++ / messages)]!.tick()
        },
        { concurrency: IN_FLIGHT },
      )
    }
    let round = 0
    const rounds = await timed(plan.rounds, async () => {
      await countdowns[round++]!.done
      return messages
    })
    return { rounds }
  } finally {
    await broker.close()
  }
}

/** Longest that the event loop stood still, milliseconds, while the offsets of a thousand groups were written. */
export const keepOffsets: Case = async ({ plan, directory }) => {
  const broker = await Broker.open(directory, { ...options, offsetIntervalMs: 50 })
  try {
    const { offsets } = broker.served
    const rounds: number[] = []
    for (let round = -1; round < plan.rounds; round++) {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      for (let turn = 0; turn < 10; turn++) {
        for (let group = 0; group < GROUPS; group++) {
          for (let queueId = 0; queueId < QUEUES; queueId++) offsets.commit(TOPIC, `group-${group}`, queueId, turn + round * 10)
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      delay.disable()
      if (round >= 0) rounds.push(Math.round(delay.max / 1e5) / 10)
    }
    return { rounds, details: { groups: GROUPS } }
  } finally {
    await broker.close()
  }
}
