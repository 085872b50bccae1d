/** The ports of a server: looked at before anything is opened, so that a start that must fail leaves nothing behind. */
import type { Endpoint } from '../remoting/endpoint.js'
import { type HttpListener, listenHttp } from '../remoting/http.js'
import { nodeNet, type ServerTls } from '../remoting/net.js'
import { UsageError } from './command.js'
import { errorFields, type Log } from './log.js'
import type { Watched } from './serve-pages.js'
import type { CommandSettings, ServeSettings } from './serve-settings.js'

const LOCALHOST = '127.0.0.1'

/** What the system refuses about a port, in words. */
const PORT_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'nobody knows this name',
  EACCES: 'that needs more rights',
}

/** Listens at each port for a moment. @throws {UsageError} naming one that cannot be had, and for keys that are none */
export async function refuseTakenPorts({ server, command }: ServeSettings): Promise<void> {
  const { host = LOCALHOST, port, nameServer, tls } = server
  const ports = [port, nameServer?.port, command.http.port].filter((one) => one !== undefined && one !== 0)
  const twice = ports.find((one, i) => ports.indexOf(one) !== i)
  if (twice !== undefined) throw new UsageError(`port ${twice} is wanted twice`)
  for (const one of [port, nameServer?.port]) if (one !== undefined) await tryPort({ host, port: one }, tls)
}

async function tryPort(endpoint: Endpoint, tls: ServerTls | undefined): Promise<void> {
  try {
    const listener = await nodeNet.listen({ ...endpoint, tls, maxSockets: 1 }, (socket) => socket.destroy())
    await listener.close()
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string }
    if (code.startsWith('ERR_OSSL')) throw new UsageError(`tls.key and tls.cert cannot be used: ${message}`)
    throw portFault(error, endpoint.port)
  }
}

/** The error to throw for a port that cannot be had. */
export function portFault(error: unknown, port: number | undefined): unknown {
  const {
    code = '',
    port: told,
    address,
    hostname = address,
  } = error as Partial<Record<'code' | 'address' | 'hostname', string>> & {
    port?: number
  }
  const why = Object.hasOwn(PORT_FAULTS, code) ? PORT_FAULTS[code] : undefined
  const where = hostname === undefined ? '' : ` at ${hostname}`
  return why === undefined ? error : new UsageError(`port ${told ?? port}${where} cannot be had: ${why}`)
}

/** Answers `/metrics` and `/health` if that was asked for. @throws {UsageError} when the port cannot be had */
export async function listenPages({ http }: CommandSettings, { pages }: Watched, log: Log): Promise<HttpListener | undefined> {
  const { host, port } = http
  if (port === undefined) return undefined
  try {
    return await listenHttp({
      ...{ host, port, pages },
      onAnswer: (answered) => log.tell('debug', 'answered', answered),
      onFault: (error, path) => log.seldom('error', 'a page failed', { path, ...errorFields(error) }),
    })
  } catch (error) {
    throw portFault(error, port)
  }
}
