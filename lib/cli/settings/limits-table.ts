/** The rows of the limits: `ServerLimits`, which hold for a connection unless they say otherwise. */
import { type ServerLimits, standardLimits } from '../../remoting/limits.js'
import { bytes, whole } from './kinds.js'
import type { Setting } from './setting.js'

const MOST = Number.MAX_SAFE_INTEGER

const meanings: Readonly<Record<keyof ServerLimits, string>> = {
  maxFrameBytes: 'longest frame; at most 16 MiB',
  maxHeaderBytes: 'longest header',
  maxExtFields: 'most fields of a header',
  maxExtNameBytes: 'longest name of a field',
  maxExtValueBytes: 'longest value of a field',
  maxRequests: 'most requests in work',
  maxRequestBytes: 'most bytes of requests in work',
  maxInvocations: 'most questions to a client that wait',
  maxUnreadBytes: 'read no more while so much of the answers is not taken',
  maxStalledBytes: 'cut off when so much is not taken ...',
  stalledMs: '... for so long',
  idleMs: 'close after so long without a byte',
  slowFrameMs: 'look at the rate of a frame that is not whole after so long',
  minBytesPerSecond: 'the least rate then',
  watchMs: 'time between two looks at these',
  maxConnections: 'most connections of all clients',
  maxStrangers: 'most connections of nobody who is known, where that is asked',
  maxConnectionsPerAddress: 'most connections from one address elsewhere; see --shared-addresses',
  silentMs: 'close a connection that says nothing, or nothing that is signed, for so long',
  maxTotalBytes: 'most bytes held for all clients',
}

/** The rows. */
export const limitSettings: readonly Setting[] = Object.entries(meanings).map(([name, meaning]) => {
  const kind = name.endsWith('Bytes') ? bytes(1, MOST) : whole(name.endsWith('Ms') ? 'MS' : 'N', 1, MOST)
  return { name: `limits.${name}`, part: 'server', kind, preset: standardLimits[name as keyof ServerLimits], meaning }
})
