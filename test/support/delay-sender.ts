/**
 * A process with a broker: sends delayed messages, says `sent`, delivers what is due, and closes cleanly on SIGTERM.
 *
 * `node delay-sender.js JSON`, see {@link DelaySenderInput}.
 */
import { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'

/** What the process is told. */
export interface DelaySenderInput {
  readonly directory: string
  readonly options: BrokerOptions
  readonly messages: readonly DelayedSpec[]
}

/** A message to send to topic `t`. */
export interface DelayedSpec {
  readonly body: string
  readonly delayMs?: number
  readonly delayLevel?: number
  readonly isCancelled?: boolean
}

const { directory, options, messages } = JSON.parse(process.argv[2] ?? '') as DelaySenderInput
const broker = await Broker.open(directory, options)
broker.on('problem', ({ error, during }) => process.stderr.write(`${during}: ${String(error)}\n`))
for (const { isCancelled, ...message } of messages) {
  const receipt = await broker.send({ topic: 't', queueId: 0, ...message })
  if (isCancelled === true && !(await broker.cancel(receipt))) throw new Error(`${message.body} cannot be cancelled`)
}
const alive = setInterval(() => {}, 60_000)
process.once('SIGTERM', () => {
  clearInterval(alive)
  void broker.close().then(() => process.exit(0))
})
process.stdout.write('sent\n')
