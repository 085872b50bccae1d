/** Our broker behind the line protocol of `Actors.java`, with a producer and consumers in its process. */
import { createInterface } from 'node:readline'
import { systemClock, systemTimers } from '../../lib/base/system.js'
import { Broker } from '../../lib/broker/broker.js'
import type { Consumer } from '../../lib/broker/consuming/consumer.js'
import type { ConsumerOptions } from '../../lib/broker/consuming/consumer-options.js'
import type { Delivery } from '../../lib/broker/consuming/delivery.js'
import type { ActorCommand, JoinCommand, MessageSpec } from './actors.js'
import { brokerSizes } from './java-servers.js'

const [directory, speed] = [process.argv[2]!, Number(process.argv[3])]

/** A world in which time goes faster, so that hours of delays are seconds. */
const start = Date.now()
const fast = {
  clock: {
    now: () => Math.floor(start + (Date.now() - start) * speed),
    monotonic: () => systemClock.monotonic() * speed,
  },
  timers: {
    after: (ms: number, action: () => void, keepsAlive?: boolean) => systemTimers.after(ms / speed, action, keepsAlive),
    endOfTurn: (action: () => void) => systemTimers.endOfTurn(action),
  },
}

const broker = await Broker.open(
  directory,
  {
    clusterName: 'cluster',
    store: { ...brokerSizes, brokerName: 'broker', checksum: 'body' },
  },
  speed === 1 ? {} : fast,
)
broker.on('problem', ({ error, during }) => console.error(during, error))
const members = new Map<string, Consumer>()

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function requestOf(topic: string, { body, queueId, tags, keys, properties, delayLevel }: MessageSpec) {
  return {
    topic,
    body,
    queueId: queueId ?? 0,
    ...(tags === undefined ? {} : { tags }),
    ...(keys === undefined ? {} : { keys: [keys] }),
    ...(properties === undefined ? {} : { properties }),
    ...(delayLevel === undefined ? {} : { delayLevel }),
  }
}

function join(command: JoinCommand): void {
  const { member: name, group, subscribe, model, ordered, startAt, maxRetries, suspendMs, delayLevel = 0, slowMs = 0 } = command
  const options = { name, group, subscribe, model, ordered, startAt, maxRetries, suspendMs }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const consumer = broker.consumer(given as unknown as ConsumerOptions)
  members.set(name, consumer)
  const left = new Map(Object.entries(command.fails ?? {}))
  const handle = async (delivery: Delivery): Promise<void> => {
    const { message, attempt } = delivery
    const { topic, queueId, queueOffset } = message
    const body = message.body.toString('utf8')
    print({ delivery: { member: name, topic, queueId, queueOffset, reconsumeTimes: attempt - 1, body } })
    if (slowMs > 0) await new Promise((resolve) => setTimeout(resolve, slowMs / speed))
    const times = left.get(body) ?? 0
    if (times > 0) left.set(body, times - 1)
    if (times !== 0) await delivery.retry(delayLevel === 0 ? {} : { delayLevel })
  }
  void consumer.run((_message, delivery) => handle(delivery))
}

function sought(group: string): Consumer[] {
  const all = [...members].filter(([name]) => name.startsWith(group))
  return all.map(([, consumer]) => consumer)
}

async function execute(command: ActorCommand): Promise<unknown> {
  switch (command.do) {
    case 'topic':
      await broker.topics.create(command.topic, { queues: command.queues })
      return true
    case 'send': {
      const receipts = []
      for (const spec of command.messages) {
        const { queueId, queueOffset } = await broker.send(requestOf(command.topic, spec))
        receipts.push({ queueId, queueOffset })
      }
      return receipts
    }
    case 'sendBatch': {
      const { topic, messages, queueId } = command
      const receipts = await broker.sendBatch(messages.map((spec) => requestOf(topic, { ...spec, queueId })))
      return { queueId, queueOffset: receipts[0]!.queueOffset }
    }
    case 'join':
      join(command)
      return true
    case 'queues': {
      const { queues } = members.get(command.member)!
      return queues.map(({ topic, queueId }) => `${topic}/${queueId}`).sort()
    }
    case 'leave':
      await members.get(command.member)!.close()
      members.delete(command.member)
      return true
    case 'reset':
      for (const consumer of sought(command.group)) await consumer.seek({ topic: command.topic, to: new Date(command.time) })
      return true
    case 'now':
      return fast.clock.now()
    case 'close':
      await broker.close()
      return true
  }
}

print({ id: 'ready', ok: true })
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as ActorCommand & { id: number }
  void execute(command).then(
    (ok) => print({ id: command.id, ok }),
    (error: unknown) => print({ id: command.id, error: String(error) }),
  )
}
