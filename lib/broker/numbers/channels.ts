/**
 * What a broker publishes by `node:diagnostics_channel`, for those who watch a process from within. Nothing is made
 * while nobody subscribes to a channel. `docs/numbers.md` has the table; a test keeps the two equal.
 */
import { channel } from 'node:diagnostics_channel'
import type { ClientRegistry } from '../group/registry.js'

/** A place in a queue. */
interface Place {
  /** Name of the broker. */
  readonly broker: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly messageId: string
}

/** The payload of each channel. */
export interface ChannelPayloads {
  /** A message was sent by a program of this process. */
  'mqlite:send': Place & { readonly uniqueKey: string | undefined; readonly bytes: number }
  /** A message was refused: its idempotency key was sent before. */
  'mqlite:repeated': { readonly broker: string; readonly topic: string; readonly idempotencyKey: string }
  /** A message is handed to a member of a group. */
  'mqlite:deliver': Place & { readonly group: string; readonly attempt: number; readonly bytes: number }
  /** A message is acknowledged. */
  'mqlite:ack': Place & { readonly group: string; readonly attempt: number }
  /** A message is not handed out: the group has acknowledged the same before. */
  'mqlite:dropped': Place & { readonly group: string; readonly key: string }
  /** A group could not handle a message. */
  'mqlite:sent-back': {
    readonly broker: string
    readonly group: string
    readonly topic: string
    readonly messageId: string
    readonly reconsumeTimes: number
    readonly isDead: boolean
  }
  /** A member joins a group. */
  'mqlite:join': { readonly broker: string; readonly group: string; readonly clientId: string }
  /** A member leaves a group. */
  'mqlite:leave': { readonly broker: string; readonly group: string; readonly clientId: string; readonly reason: string }
  /** An administrator moved a group in a queue. */
  'mqlite:reset-offset': {
    readonly broker: string
    readonly group: string
    readonly topic: string
    readonly queueId: number
    readonly from: number | undefined
    readonly to: number
  }
  /** Dead letters of a group were sent again. */
  'mqlite:redrive': {
    readonly broker: string
    readonly group: string
    readonly redriven: number
    readonly left: number
    readonly unroutable: number
  }
}

/** A channel whose payload is known. */
interface Publisher<Payload> {
  readonly hasSubscribers: boolean
  publish(payload: Payload): void
}

function publisher<Name extends keyof ChannelPayloads>(name: Name): Publisher<ChannelPayloads[Name]> {
  return channel(name)
}

/** The channels by name. Their names are part of the interface. Never rename. */
export const channels = {
  'mqlite:send': publisher('mqlite:send'),
  'mqlite:repeated': publisher('mqlite:repeated'),
  'mqlite:deliver': publisher('mqlite:deliver'),
  'mqlite:ack': publisher('mqlite:ack'),
  'mqlite:dropped': publisher('mqlite:dropped'),
  'mqlite:sent-back': publisher('mqlite:sent-back'),
  'mqlite:join': publisher('mqlite:join'),
  'mqlite:leave': publisher('mqlite:leave'),
  'mqlite:reset-offset': publisher('mqlite:reset-offset'),
  'mqlite:redrive': publisher('mqlite:redrive'),
} as const satisfies { readonly [Name in keyof ChannelPayloads]: Publisher<ChannelPayloads[Name]> }

/** Publishes who joins and leaves groups. */
export function publishMembers(broker: string, { events }: Pick<ClientRegistry, 'events'>): void {
  events.on('joined', ({ group, member: { clientId } }) => {
    if (channels['mqlite:join'].hasSubscribers) channels['mqlite:join'].publish({ broker, group, clientId })
  })
  events.on('left', ({ group, member: { clientId }, reason }) => {
    if (channels['mqlite:leave'].hasSubscribers) channels['mqlite:leave'].publish({ broker, group, clientId, reason })
  })
}
