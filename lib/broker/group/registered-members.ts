/**
 * The consumers of this process as members of the one registry, where those of other processes stand beside them,
 * and the one lock table as they use it.
 */
import type { Clock } from '../../base/system.js'
import { retryTopicOf } from '../config/system-topics.js'
import type { QueueLockPort } from '../consuming/consumer-queues.js'
import type { LocalMember, MembershipPort } from '../consuming/consumers.js'
import type { Member, MemberEvent, Subscription } from './members.js'
import type { QueueLocks } from './queue-locks.js'
import type { ClientRegistry } from './registry.js'

/** The RocketMQ release that members of this process give as theirs: 5.3.3. */
const OWN_VERSION = 479

/** What joining needs. */
export interface RegisteredMembersParts {
  readonly registry: Pick<ClientRegistry, 'heartbeat' | 'leave' | 'clientIds'>
  readonly clock: Pick<Clock, 'now'>
  /** Where this process is, `ip:port`, as it is shown to administrators. */
  readonly address: string
}

/** See the head of this file. */
export class RegisteredMembers implements MembershipPort {
  readonly #parts: RegisteredMembersParts
  readonly #members = new Map<LocalMember, Member>()

  constructor(parts: RegisteredMembersParts) {
    this.#parts = parts
  }

  join(local: LocalMember): void {
    const { registry, clock, address } = this.#parts
    const member: Member = {
      clientId: local.clientId,
      isLocal: true,
      address,
      language: 'NODE_JS',
      version: OWN_VERSION,
      isReady: () => true,
      notify: ({ kind }: MemberEvent) => {
        if (kind === 'membersChanged') local.rebalance()
      },
    }
    registry.heartbeat(local.group, member, {
      consumeType: local.pops ? 'CONSUME_POP' : 'CONSUME_PASSIVELY',
      model: local.model === 'clustering' ? 'CLUSTERING' : 'BROADCASTING',
      consumeFrom: 'CONSUME_FROM_LAST_OFFSET',
      subscriptions: subscriptionsOf(local, clock.now()),
    })
    this.#members.set(local, member)
  }

  leave(local: LocalMember): void {
    const member = this.#members.get(local)
    if (member === undefined) return
    this.#members.delete(local)
    this.#parts.registry.leave(local.group, member)
  }

  clientIdsOf(group: string): readonly string[] {
    return this.#parts.registry.clientIds(group)
  }
}

/** The lock table, for the queues of one broker. */
export function locksOf(locks: QueueLocks, brokerName: string): QueueLockPort {
  return {
    lock: (group, clientId, name) => locks.lock(group, [{ ...name, brokerName }], clientId).length === 1,
    unlock: (group, clientId, name) => locks.unlock(group, [{ ...name, brokerName }], clientId),
  }
}

/** As RocketMQ's clients do, members that share also want what the group tries again. */
function subscriptionsOf({ group, model, subscriptions }: LocalMember, version: number): Map<string, Subscription> {
  const all = new Map<string, Subscription>()
  for (const [topic, { text, kind }] of subscriptions) all.set(topic, { expression: text, kind, version })
  if (model === 'clustering') all.set(retryTopicOf(group), { expression: '*', kind: 'TAG', version })
  return all
}
