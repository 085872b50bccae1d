/** All cases by name. Each is loaded by itself, so that one's libraries take no memory from another. */
import type { Case } from '../workload.js'

export const cases = {
  put: async (): Promise<Case> => (await import('./put.js')).put,
  rawWrite: async (): Promise<Case> => (await import('./raw.js')).rawWrite,
  rawRead: async (): Promise<Case> => (await import('./raw.js')).rawRead,
  lmdbPut: async (): Promise<Case> => (await import('./lmdb.js')).lmdbPut,
  lmdbRead: async (): Promise<Case> => (await import('./lmdb.js')).lmdbRead,
  lmdbLookup: async (): Promise<Case> => (await import('./lmdb.js')).lmdbLookup,
  read: async (): Promise<Case> => (await import('./read.js')).read,
  lookup: async (): Promise<Case> => (await import('./read.js')).lookup,
  query: async (): Promise<Case> => (await import('./read.js')).query,
  prepare: async (): Promise<Case> => (await import('./open.js')).prepare,
  abandon: async (): Promise<Case> => (await import('./open.js')).abandon,
  openOnce: async (): Promise<Case> => (await import('./open.js')).openOnce,
  openAndClose: async (): Promise<Case> => (await import('./open.js')).openAndClose,
  crcHere: async (): Promise<Case> => (await import('./crc.js')).crcHere,
  crcZlib: async (): Promise<Case> => (await import('./crc.js')).crcZlib,
  putThenRead: async (): Promise<Case> => (await import('./memory.js')).putThenRead,
  manyQueues: async (): Promise<Case> => (await import('./memory.js')).manyQueues,
  timersDueAtOnce: async (): Promise<Case> => (await import('./delays.js')).timersDueAtOnce,
  manyWaiting: async (): Promise<Case> => (await import('./delays.js')).manyWaiting,
  backlog: async (): Promise<Case> => (await import('./backlog.js')).backlog,
  sendAndConsume: async (): Promise<Case> => (await import('./broker.js')).sendAndConsume,
  sendBack: async (): Promise<Case> => (await import('./broker.js')).sendBack,
  keepOffsets: async (): Promise<Case> => (await import('./broker.js')).keepOffsets,
} as const

export type CaseName = keyof typeof cases
