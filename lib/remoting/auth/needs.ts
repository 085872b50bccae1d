/**
 * What a request needs its sender to be allowed, in the words of RocketMQ 5: one of some actions on a topic, a group or
 * the cluster. Whatever kind of account a sender has answers needs of this form.
 */
import { RETRY_PREFIX } from '../../broker/config/system-topics.js'

/** What can be done. */
export const actions = ['Pub', 'Sub', 'Create', 'Update', 'Delete', 'Get', 'List'] as const

/** One of {@link actions}. */
export type Action = (typeof actions)[number]

/** What it can be done to. */
export type ResourceKind = 'Topic' | 'Group' | 'Cluster'

/** Something that one must be allowed. */
export interface Need {
  readonly kind: ResourceKind
  /** The name of the topic or group; of the cluster, always the same one. */
  readonly name: string
  /** One of them is enough. */
  readonly actions: readonly Action[]
}

/** What one request needs, all of it. None: to be known is enough. */
export type Needs = readonly Need[]

/** Something done to a topic. The retry topic of a group belongs to the group: who consumes for it writes and reads it. */
export function topicNeed(topic: string, ...some: readonly Action[]): Need {
  if (!topic.startsWith(RETRY_PREFIX)) return { kind: 'Topic', name: topic, actions: some }
  const forGroup = some.map((action) => (action === 'Pub' ? 'Sub' : action))
  return { kind: 'Group', name: topic.slice(RETRY_PREFIX.length), actions: forGroup }
}

/** Something done to a group. */
export function groupNeed(group: string, ...some: readonly Action[]): Need {
  return { kind: 'Group', name: group, actions: some }
}

/** Something done to the broker, or to all that it holds. */
export function clusterNeed(...some: readonly Action[]): Need {
  return { kind: 'Cluster', name: '*', actions: some }
}

/** A need as refusals name it: `Topic:orders`. */
export function needText({ kind, name }: Need): string {
  return `${kind}:${name}`
}
