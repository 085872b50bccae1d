/**
 * How members of a group that leave the sharing of queues to the broker get their messages, by topic: they pull, or they
 * pop. RocketMQ's `config/messageRequestMode.json`; what is not in it is pulled. (`MessageRequestModeManager`.)
 */
import type { ConfigObject } from '../../format/config-json.js'
import type { ConfigPort } from '../store-port.js'
import { fieldsOf, numberOf } from './config-object.js'

const FILE = 'messageRequestMode'

/** The way of one group in one topic. */
export interface RequestMode {
  readonly mode: 'PULL' | 'POP'
  /** Of those that pop: how many members share the queues of one; 0, and as many as there are others, for all queues to all. */
  readonly sharedBy: number
}

/** The way of a group of which nothing was said. */
export const PULLS: RequestMode = { mode: 'PULL', sharedBy: 0 }

/** See the head of this file. */
export class RequestModes {
  readonly #config: ConfigPort
  /** By topic, then by group. */
  readonly #modes = new Map<string, Map<string, RequestMode>>()

  constructor(config: ConfigPort) {
    this.#config = config
    const table = fieldsOf(fieldsOf(config.read(FILE))['messageRequestModeMap'])
    for (const [topic, groups] of Object.entries(table)) {
      for (const [group, value] of Object.entries(fieldsOf(groups))) {
        const fields = fieldsOf(value)
        const mode = fields['mode'] === 'POP' ? 'POP' : 'PULL'
        this.#set(topic, group, { mode, sharedBy: numberOf(fields['popShareQueueNum'], 0) })
      }
    }
  }

  /** The way of a group in a topic. */
  get(topic: string, group: string): RequestMode {
    return this.#modes.get(topic)?.get(group) ?? PULLS
  }

  /** Says the way of a group in a topic; it is in the file when this resolves. */
  async put(topic: string, group: string, mode: RequestMode): Promise<void> {
    this.#set(topic, group, mode)
    const topics = [...this.#modes].map(([name, groups]) => [name, printGroups(name, groups)] as const)
    await this.#config.write(FILE, { messageRequestModeMap: Object.fromEntries(topics) })
  }

  #set(topic: string, group: string, mode: RequestMode): void {
    const groups = this.#modes.get(topic) ?? new Map<string, RequestMode>()
    this.#modes.set(topic, groups.set(group, mode))
  }
}

function printGroups(topic: string, groups: ReadonlyMap<string, RequestMode>): ConfigObject {
  const printed = [...groups].map(([consumerGroup, { mode, sharedBy }]) => {
    return [consumerGroup, { consumerGroup, mode, popShareQueueNum: sharedBy, topic }] as const
  })
  return Object.fromEntries(printed)
}
