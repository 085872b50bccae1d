/** The strategies that look at rooms: which machine room a broker or a client stands in. */
import { checkFunction, checkObject } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import { compareText, type MessageQueue, queueText } from './message-queue.js'
import { type AllocationStrategy, checkStrategy, isMember } from './strategies.js'

/** Tells the rooms. An empty name means that nobody knows, which is refused. */
export interface RoomResolver {
  /** The room of a queue's broker. */
  brokerRoom(queue: MessageQueue): string
  /** The room of a client. */
  clientRoom(clientId: string): string
}

/**
 * `MACHINE_ROOM`: only queues of brokers that are named `room@name` with one of the rooms, in contiguous blocks of
 * equal size; what does not come out even goes to the first members, one queue each, from the end.
 */
export function machineRoom(rooms: ReadonlySet<string>): AllocationStrategy {
  if (!(rooms instanceof Set)) throw new TypeError(`rooms must be a Set, got ${shown(rooms)}`)
  return {
    name: 'MACHINE_ROOM',
    allocate(_consumerGroup, clientId, queues, clientIds) {
      if (!isMember(clientId, queues, clientIds)) return []
      const near = queues.filter(({ brokerName }) => {
        const room = roomInName(brokerName)
        return room !== undefined && rooms.has(room)
      })
      const index = clientIds.indexOf(clientId)
      const size = Math.floor(near.length / clientIds.length)
      const block = near.slice(size * index, size * (index + 1))
      return index < near.length % clientIds.length ? [...block, near[size * clientIds.length + index]!] : block
    },
  }
}

/** The room of `room@name`. Java's `split` drops empty parts at the end, so `room@name@` has two parts as well. */
function roomInName(brokerName: string): string | undefined {
  const parts = brokerName.replace(/@+$/, '').split('@')
  return parts.length === 2 ? parts[0] : undefined
}

/**
 * `MACHINE_ROOM_NEARBY-<inner>`: `inner` shares the queues of each room among the clients of that room; queues of
 * rooms where no client lives are shared among all, room by room in the order of their names.
 *
 * `allocate` throws a `RangeError` when a room is not known.
 */
export function machineRoomNearby(inner: AllocationStrategy, rooms: RoomResolver): AllocationStrategy {
  checkStrategy('inner', inner)
  checkObject('rooms', rooms)
  checkFunction('rooms.brokerRoom', rooms.brokerRoom)
  checkFunction('rooms.clientRoom', rooms.clientRoom)
  return {
    name: `MACHINE_ROOM_NEARBY-${inner.name}`,
    allocate(consumerGroup, clientId, queues, clientIds) {
      if (!isMember(clientId, queues, clientIds)) return []
      const queuesByRoom = grouped(queues, (queue) => rooms.brokerRoom(queue), queueText)
      const clientsByRoom = grouped(clientIds, (id) => rooms.clientRoom(id), shown)
      const own = rooms.clientRoom(clientId)
      const near = queuesByRoom.get(own)
      const share = near === undefined ? [] : [...inner.allocate(consumerGroup, clientId, near, clientsByRoom.get(own)!)]
      for (const room of [...queuesByRoom.keys()].sort(compareText)) {
        if (room === own || clientsByRoom.has(room)) continue
        share.push(...inner.allocate(consumerGroup, clientId, queuesByRoom.get(room)!, clientIds))
      }
      return share
    },
  }
}

function grouped<T>(things: readonly T[], roomOf: (thing: T) => string, show: (thing: T) => string): Map<string, T[]> {
  const byRoom = new Map<string, T[]>()
  for (const thing of things) {
    const room = roomOf(thing)
    if (room === '') throw new RangeError(`a machine room must not be empty, got none for ${show(thing)}`)
    const others = byRoom.get(room)
    if (others === undefined) byRoom.set(room, [thing])
    else others.push(thing)
  }
  return byRoom
}
