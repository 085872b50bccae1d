/** The members of groups in this process. */
import type { LocalMember, MembershipPort } from '../consuming/consumers.js'
import { compareText } from './message-queue.js'

/** See the head of this file. */
export class LocalMembers implements MembershipPort {
  readonly #groups = new Map<string, Set<LocalMember>>()

  join(member: LocalMember): void {
    const members = this.#groups.get(member.group) ?? new Set()
    this.#groups.set(member.group, members)
    members.add(member)
    this.#tell(member)
  }

  leave(member: LocalMember): void {
    this.#groups.get(member.group)?.delete(member)
    this.#tell(member)
  }

  clientIdsOf(group: string): readonly string[] {
    return [...(this.#groups.get(group) ?? [])].map(({ clientId }) => clientId).sort(compareText)
  }

  #tell(changed: LocalMember): void {
    for (const member of this.#groups.get(changed.group) ?? []) if (member !== changed) member.rebalance()
  }
}
