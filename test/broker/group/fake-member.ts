/** Members that remember what they were told. */
import type { ConsumeModel, ConsumerFacts, Member, MemberEvent, Subscription } from '../../../lib/broker/group/members.js'

export class FakeMember implements Member {
  readonly clientId: string
  readonly isLocal: boolean
  readonly address = '127.0.0.1:4000'
  readonly language = 'JAVA'
  readonly version = 473
  readonly told: MemberEvent[] = []
  ready = true

  constructor(clientId: string, isLocal = false) {
    this.clientId = clientId
    this.isLocal = isLocal
  }

  isReady(): boolean {
    return this.ready
  }

  notify(event: MemberEvent): void {
    this.told.push(event)
  }

  /** What it was told since this was asked last, as text. */
  news(): string {
    return this.told
      .splice(0)
      .map(({ kind, group }) => `${kind} ${group}`)
      .join(', ')
  }
}

/** What a member tells; topics as `topic=expression`, `topic=*` for all, the expression may end in `#version`. */
export function wants(topics: string, model: ConsumeModel = 'CLUSTERING'): ConsumerFacts {
  const subscriptions = new Map<string, Subscription>()
  for (const part of topics.split(' ').filter(Boolean)) {
    const [topic = '', filter = '*'] = part.split('=')
    const [expression = '*', version = '1'] = filter.split('#')
    subscriptions.set(topic, { expression, kind: 'TAG', version: Number(version) })
  }
  return { consumeType: 'CONSUME_PASSIVELY', model, consumeFrom: 'CONSUME_FROM_LAST_OFFSET', subscriptions }
}
