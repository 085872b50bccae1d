/**
 * The Node.js client `ali-ons` in a process of its own, with the keys of an account. Commands and answers are lines, see
 * `line-client.ts`.
 */
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

interface OnsMessage {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number | string
  readonly reconsumeTimes: number
  readonly body: Buffer
  keys: readonly string[]
  shardingKey: string
}

interface OnsClient {
  ready(): Promise<void>
  close(): Promise<void>
  on(event: 'error', heard: (error: Error) => void): void
}

interface OnsConsumer extends OnsClient {
  subscribe(topic: string, filter: string | object, handler: (message: OnsMessage) => Promise<unknown>): void
}

interface OnsResult {
  readonly sendStatus: string
  readonly msgId: string
  readonly messageQueue: { readonly queueId: number }
  readonly queueOffset: number | string
}

interface OnsProducer extends OnsClient {
  send(message: OnsMessage): Promise<OnsResult>
}

interface AliOns {
  readonly Consumer: { new (options: object): OnsConsumer; readonly ACTION_RETRY: symbol }
  readonly Producer: new (options: object) => OnsProducer
  readonly Message: new (topic: string, tag: string, body: string) => OnsMessage & { delayTimeLevel: number }
}

const { Consumer, Producer, Message } = createRequire(import.meta.url)('ali-ons') as AliOns
const [nameSrv] = process.argv.slice(2)
const silent = { info() {}, warn() {}, debug() {}, error() {} }
const common = { nameSrv, accessKeyId: 'key', accessKeySecret: 'secret', logger: silent, rebalanceInterval: 1000, httpclient: {} }
const ORDERS = ['a', 'b', 'e']
const open = new Map<string, OnsClient>()

const say = (text: string): unknown => process.stdout.write(`@ ${text}\n`)

/** What is not known of a result stands as `-`. */
function told(kind: string, number: number, { sendStatus, msgId, messageQueue, queueOffset }: OnsResult): void {
  say(`sent ${kind} ${number} ${sendStatus} ${msgId} - ${messageQueue.queueId} ${queueOffset}`)
}

async function send(topic: string, count: number): Promise<void> {
  const producer = new Producer({ ...common, producerGroup: 'ons_producers' })
  await producer.ready()
  const message = (kind: string, number: number, body = `${kind}-${number}`) => {
    const one = new Message(topic, kind, body)
    one.keys = [`${kind}-${number}`]
    return one
  }
  for (let i = 0; i < count; i++) told('sync', i, await producer.send(message('sync', i)))
  const together = Array.from({ length: count }, (_, i) => producer.send(message('async', i)))
  for (const [i, result] of (await Promise.all(together)).entries()) told('async', i, result)
  told('large', 0, await producer.send(message('large', 0, 'abcdefg'.repeat(10_000))))
  for (let i = 0; i < count; i++) {
    const one = message('ordered', i)
    // Keys that the library would lead to queue 0 it leads to any.
    one.shardingKey = ORDERS[i % 3]!
    told('ordered', i, await producer.send(one))
  }
  const late = message('delayed', 0)
  late.delayTimeLevel = 1
  told('delayed', 0, await producer.send(late))
  await producer.close()
}

async function start([name = '', kind = '', consumerGroup = '', topic = '', ...filter]: readonly string[]): Promise<void> {
  const consumer = new Consumer({
    ...common,
    consumerGroup,
    instanceName: name,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    isBroadcast: kind === 'broadcast',
  })
  const text = filter.join(' ')
  const expression = text.startsWith('sql:') ? { expressionType: 'SQL92', subString: text.slice(4) } : text
  consumer.on('error', (error) => say(`error ${error.message.replaceAll('\n', ' ')}`))
  consumer.subscribe(topic, expression, async ({ topic, queueId, queueOffset, reconsumeTimes, body }) => {
    say(`${name} ${topic} ${queueId} ${queueOffset} ${reconsumeTimes} ${body.toString()}`)
    // What a handler of a retry returns, the library forgets; it hears only what is thrown.
    if (kind === 'failing' && reconsumeTimes === 1) throw new Error('as it was told')
    return kind === 'failing' && reconsumeTimes === 0 ? Consumer.ACTION_RETRY : undefined
  })
  await consumer.ready()
  open.set(name, consumer)
}

say('up')
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split(' ')
  if (command === 'send') {
    await send(words[0]!, Number(words[1]))
    say('done send')
  } else if (command === 'start') {
    await start(words)
    say(`started ${words[0]}`)
  } else {
    await open.get(words[0]!)?.close()
    say(`stopped ${words[0]}`)
  }
}
process.exit(0)
