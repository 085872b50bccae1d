/**
 * Where else in the cluster a topic has queues: a client that leaves the sharing of queues to brokers asks one of them,
 * any, for its share of all.
 *
 * The name server of this process is looked at each time, those elsewhere are asked. What one of them said is good for a
 * while, and when none answers, what was said last stays.
 */
import type { Clock } from '../../base/system.js'
import { fieldsOf, numberOf } from '../../broker/config/config-object.js'
import type { MessageQueue } from '../../broker/group/message-queue.js'
import type { ConfigValue } from '../../format/config-json.js'
import { parseBody } from '../body-json.js'
import type { RemotingClient } from '../client.js'
import { nameServerRequests, responseCodes } from '../codes.js'
import { request } from '../command.js'
import { PERM_READ, type QueueData, type RouteState } from './route-state.js'

/** Whom to ask. */
export interface ClusterQueuesOptions {
  readonly brokerName: string
  /** What the name server of this process knows. */
  readonly own?: RouteState | undefined
  /** Name servers elsewhere, `host:port`. */
  readonly servers: readonly string[]
  readonly client: Pick<RemotingClient, 'invoke'>
  readonly clock: Pick<Clock, 'monotonic'>
  /** Told what one of them failed with. */
  readonly onProblem: (error: unknown, during: string) => void
}

type QueueNumbers = Pick<QueueData, 'readQueueNums' | 'perm'>
type Places = ReadonlyMap<string, QueueNumbers>

interface Known {
  readonly at: number
  readonly places: Promise<Places>
}

/** RocketMQ asks again every 30 s; its clients ask for their share every 20 s. */
const GOOD_MS = 10_000
const TIMEOUT_MS = 3000
/** Topics that are remembered. */
const MOST_TOPICS = 16_384
/** Queues of one broker that are believed. */
const MOST_QUEUES = 65_536
const NOWHERE: Places = new Map()

/** See the head of this file. */
export class ClusterQueues {
  readonly #options: ClusterQueuesOptions
  readonly #known = new Map<string, Known>()

  constructor(options: ClusterQueuesOptions) {
    this.#options = options
  }

  /** The queues of a topic on other brokers that may be read. Never rejects. */
  async of(topic: string): Promise<MessageQueue[]> {
    const { own, brokerName: here, servers } = this.#options
    const elsewhere = servers.length === 0 ? NOWHERE : await this.#remembered(topic)
    const places = new Map<string, QueueNumbers>([...elsewhere, ...(own?.topics.get(topic) ?? [])])
    places.delete(here)
    return [...places].flatMap(([brokerName, { readQueueNums, perm }]) => {
      const length = (perm & PERM_READ) === 0 ? 0 : Math.min(Math.max(readQueueNums, 0), MOST_QUEUES)
      return Array.from({ length }, (_, queueId) => ({ topic, brokerName, queueId }))
    })
  }

  /** Whoever asks while it is being found out waits for the same answer. */
  #remembered(topic: string): Promise<Places> {
    const now = this.#options.clock.monotonic()
    const known = this.#known.get(topic)
    if (known !== undefined && now - known.at < GOOD_MS) return known.places
    if (this.#known.size >= MOST_TOPICS) this.#known.clear()
    const places = this.#ask(topic).then((found) => found ?? known?.places ?? NOWHERE)
    this.#known.set(topic, { at: now, places })
    return places
  }

  /** What the first of them says that answers; `undefined` when none does. */
  async #ask(topic: string): Promise<Places | undefined> {
    const { servers, client, onProblem } = this.#options
    for (const server of servers) {
      try {
        const command = request(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic, acceptStandardJsonOnly: true } })
        const { code, remark, body } = await client.invoke(server, command, TIMEOUT_MS)
        if (code === responseCodes.TOPIC_NOT_EXIST) return NOWHERE
        if (code !== responseCodes.SUCCESS) throw new Error(`it answered ${code}: ${remark ?? ''}`)
        return placesIn(parseBody(body))
      } catch (error) {
        onProblem(error, `asking the name server ${server} where ${topic} is`)
      }
    }
    return undefined
  }
}

function placesIn(route: ConfigValue): Places {
  const { queueDatas } = fieldsOf(route)
  const places = new Map<string, QueueNumbers>()
  for (const each of Array.isArray(queueDatas) ? (queueDatas as readonly ConfigValue[]) : []) {
    const { brokerName, readQueueNums, perm } = fieldsOf(each)
    if (typeof brokerName !== 'string') continue
    places.set(brokerName, { readQueueNums: numberOf(readQueueNums, 0), perm: numberOf(perm, 0) })
  }
  return places
}
