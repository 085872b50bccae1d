/** Messages for a time ahead: many for the same second, and many that wait. Each runs once in a process of its own. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Broker } from 'mqlite'
import { type Case, messageOf, QUEUES, TOPIC } from '../workload.js'

const MIB = 1024 * 1024
const HOUR = 3_600_000
const WAITING = 'rmq_sys_wheel_timer'

/** The clock jumps to so long before the messages are due. */
const AHEAD_MS = 2000

/** This machine's clock, moved. */
class MovedClock {
  movedMs = 0

  now(): number {
    return Date.now() + this.movedMs
  }

  monotonic(): number {
    return performance.now()
  }
}

async function openBroker(directory: string, clock: MovedClock): Promise<Broker> {
  return Broker.open(directory, { topics: { [TOPIC]: { queues: QUEUES } } }, { clock })
}

async function sendAll(broker: Broker, count: number, dueAt: (i: number) => number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const i = next++
      await broker.send({ ...messageOf(i), deliverAt: dueAt(i) })
    }
  }
  await Promise.all(Array.from({ length: 256 }, worker))
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1))
}

const delivered = ({ store }: Broker): number =>
  Array.from({ length: QUEUES }, (_, queueId) => store.bounds(TOPIC, queueId).maxOffset).reduce((sum, one) => sum + one, 0)

/** 100,000 messages, or fewer, for the same second; the figure is the time from that second to the last delivery. */
export const timersDueAtOnce: Case = async ({ plan, directory }) => {
  const clock = new MovedClock()
  const broker = await openBroker(directory, clock)
  const count = Math.min(plan.messages, 100_000)
  const due = Math.ceil(Date.now() / 1000) * 1000 + HOUR
  await sendAll(broker, count, () => due)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  // The timer looks at the clock once a second at least, so it knows of the jump when the second comes.
  clock.movedMs = due - AHEAD_MS - Date.now()
  await until(() => clock.now() >= due)
  const lateMs = clock.now() - due
  delay.enable()
  const started = performance.now()
  const before = process.cpuUsage()
  await until(() => delivered(broker) === count)
  const took = performance.now() - started + lateMs
  const { user, system } = process.cpuUsage(before)
  delay.disable()
  await broker.close()
  return { rounds: [took], details: { count, processorMs: (user + system) / 1000, longestTurnMs: delay.max / 1e6 } }
}

/** Messages due over forty days; the figure is the time to read them all again after a clean close. */
export const manyWaiting: Case = async ({ plan, directory }) => {
  const clock = new MovedClock()
  const first = await openBroker(directory, clock)
  await sendAll(first, plan.messages, (i) => Date.now() + HOUR + ((i * 7919) % 3_400_000) * 1000)
  const rssAfterSends = process.memoryUsage.rss() / MIB
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const closing = performance.now()
  await first.close()
  const closeMs = performance.now() - closing
  const longestTurnOfCloseMs = delay.max / 1e6
  delay.reset()
  const opening = performance.now()
  const second = await openBroker(directory, clock)
  // A message that is due waits until all before it have been read; one that is due when it is sent would not.
  await second.send({ ...messageOf(0), delayMs: 50 })
  await until(() => delivered(second) === 1)
  const took = performance.now() - opening
  delay.disable()
  if (second.store.bounds(WAITING, 0).maxOffset !== plan.messages + 1) throw new Error('messages are missing')
  const details = {
    closeMs,
    longestTurnOfCloseMs,
    longestTurnMs: delay.max / 1e6,
    rssAfterSends,
    rssAfterOpen: process.memoryUsage.rss() / MIB,
  }
  await second.close()
  return { rounds: [took], details }
}
