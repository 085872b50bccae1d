/** What the log tells of a server: everything that an operator may have to act on, and connections for who looks closer. */
import type { Broker } from '../broker/broker.js'
import type { BrokerServerOptions } from '../remoting/broker-server.js'
import { responseCodes } from '../remoting/codes.js'
import { endpointText } from '../remoting/endpoint.js'
import { RemotingError } from '../remoting/errors.js'
import type { RecoveryReport } from '../store/recovery/recover.js'
import { errorFields, type Log } from './log.js'

/** Most damaged ranges that are told one by one. */
const MOST_RANGES = 10

/** Tells of a broker that has been opened, and from now on what happens to it. */
export function logBroker(log: Log, broker: Broker): void {
  const { store } = broker
  logRecovery(log, store.recovery)
  for (const clamped of broker.clampedOffsets) log.seldom('warn', 'an offset was ahead of its queue', { ...clamped })
  broker.on('problem', ({ error, during }) => {
    // Told by `onRegistration`, once and not every 30 s.
    if (!during.startsWith('registering with')) log.seldom('error', 'a problem', { during, ...errorFields(error) })
  })
  broker.on('sentBack', ({ group, originTopic, topic, messageId, uniqueKey, isDead }) => {
    if (isDead) log.seldom('warn', 'a message was given up', { group, originTopic, topic, messageId, uniqueKey })
  })
  store.on('segmentDeleted', ({ commitLogOffset, bytes, reason }) =>
    log.tell(reason === 'disk' ? 'warn' : 'info', 'a segment was deleted', { commitLogOffset, bytes, reason }),
  )
  store.on('queuePurged', (queue) => log.seldom('info', 'a queue was emptied', { ...queue }))
  store.on('diskFull', ({ full, freeBytes, usedShare }) =>
    log.tell(full ? 'error' : 'info', full ? 'the disk is full: messages are refused' : 'there is space again', {
      freeBytes,
      usedShare: Number(usedShare.toFixed(4)),
    }),
  )
  store.on('damagedRecord', ({ commitLogOffset }) => log.seldom('error', 'a record is damaged', { commitLogOffset }))
  store.on('failed', ({ error }) =>
    log.tell('error', 'the store has failed: it writes no more until the next start', errorFields(error)),
  )
}

function logRecovery(log: Log, report: RecoveryReport): void {
  const { origin, scannedFrom, end, records, durationMs, corruption, cut, noSpace } = report
  const fields = { origin, scannedFrom, end, records, durationMs: Math.round(durationMs) }
  log.tell('info', 'recovered', fields)
  if (cut !== undefined) log.tell('warn', 'a tail that was not durable was cut off', { ...cut })
  if (noSpace) log.tell('error', 'there is no space to keep what recovery would cut: the store can only be read')
  for (const range of corruption.slice(0, MOST_RANGES)) log.tell('error', 'the log is damaged: see mqlite verify', { ...range })
  if (corruption.length > MOST_RANGES) log.tell('error', 'more ranges are damaged', { ranges: corruption.length })
}

/** What the server tells of its clients and of name servers. */
export function logServer(
  log: Log,
): Required<Pick<BrokerServerOptions, 'onConnection' | 'onFault' | 'onRefused' | 'onRegistration'>> {
  const failing = new Map<string, boolean>()
  return {
    onConnection(connection) {
      const remote = endpointText(connection.remote)
      log.tell('debug', 'connected', { remote })
      connection.onClose(() => log.tell('debug', 'disconnected', { remote }))
    },
    onFault(error, { remote }) {
      // Who sends nonsense or goes away is to blame for it; the rest is ours.
      const isTheirs = error instanceof RemotingError
      const fields = { remote: endpointText(remote), ...errorFields(error) }
      if (isTheirs) log.seldomOf(remote.host, 'info', 'cut off', fields)
      else log.seldom('error', 'a request failed', fields)
    },
    onRefused({ remote, request, code, reason }) {
      // Who may not is told apart from who asks for what is not there.
      const isForbidden = code === responseCodes.NO_PERMISSION
      const what = request === undefined ? 'a connection' : isForbidden ? 'a request that is not permitted' : 'a request'
      const fields = { remote: endpointText(remote), request, code, reason }
      log.seldomOf(`${remote.host} ${code ?? ''}`, isForbidden ? 'warn' : 'info', `${what} was refused`, fields)
    },
    onRegistration({ server, error }) {
      const wasFailing = failing.get(server)
      failing.set(server, error !== undefined)
      if (error !== undefined)
        log.tell(wasFailing === true ? 'debug' : 'warn', 'not registered', { server, ...errorFields(error) })
      else log.tell(wasFailing === false ? 'debug' : 'info', 'registered', { server })
    },
  }
}
