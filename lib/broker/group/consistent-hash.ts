/**
 * `CONSISTENT_HASH`: members stand on a ring at several places each, a queue belongs to the first place at or
 * after its own. Shares are less even than with `AVG`, but few queues move when a member comes or goes.
 *
 * A place is the first four bytes of an MD5, as in RocketMQ's clients: here it spreads texts, it protects nothing.
 */
import { hash } from 'node:crypto'
import { checkWhole } from '../../base/arguments.js'
import { searchFirst } from '../../view/bisect.js'
import { queueText } from './message-queue.js'
import { type AllocationStrategy, isMember } from './strategies.js'

/** Places in ascending order, and who stands there. */
interface Ring {
  readonly places: Float64Array
  readonly owners: readonly string[]
}

/**
 * The strategy with so many places for each member.
 *
 * The ring of a frozen list of members is kept until another list comes: such a list cannot change.
 *
 * @param placesEach - all members must use the same number @default 10
 * @throws {RangeError} unless it is a whole number from 0; with 0 nobody gets anything
 */
export function consistentHash(placesEach = 10): AllocationStrategy {
  checkWhole('placesEach', placesEach)
  let last: { clientIds: readonly string[]; ring: Ring } | undefined
  const ringOf = (clientIds: readonly string[]): Ring => {
    if (last?.clientIds === clientIds) return last.ring
    const ring = makeRing(clientIds, placesEach)
    if (Object.isFrozen(clientIds)) last = { clientIds, ring }
    return ring
  }
  return {
    name: 'CONSISTENT_HASH',
    allocate(_consumerGroup, clientId, queues, clientIds) {
      if (!isMember(clientId, queues, clientIds)) return []
      const ring = ringOf(clientIds)
      return queues.filter((queue) => ownerOf(ring, placeOf(queueText(queue))) === clientId)
    },
  }
}

function makeRing(clientIds: readonly string[], placesEach: number): Ring {
  const ownerAt = new Map<number, string>()
  const seen = new Set<string>()
  for (const clientId of clientIds) {
    // An id that stands twice in the list gets further places, counted on from those that it still has.
    const first = seen.has(clientId) ? [...ownerAt.values()].filter((owner) => owner === clientId).length : 0
    seen.add(clientId)
    // Of two on one place the later takes it.
    for (let n = first; n < first + placesEach; n++) ownerAt.set(placeOf(`${clientId}-${n}`), clientId)
  }
  const places = Float64Array.from(ownerAt.keys()).sort()
  return { places, owners: Array.from(places, (place) => ownerAt.get(place)!) }
}

function ownerOf({ places, owners }: Ring, place: number): string | undefined {
  const at = searchFirst(0, places.length, (i) => places[i]! >= place)
  return owners[at === places.length ? 0 : at]
}

function placeOf(text: string): number {
  return Number.parseInt(hash('md5', text, 'hex').slice(0, 8), 16)
}
