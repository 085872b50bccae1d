/** Where a peer listens, as RocketMQ writes it: `127.0.0.1:10911`, and `[::1]:10911` for IPv6. */
import { checkString } from '../base/arguments.js'
import { shown } from '../base/errors.js'

/** A host, name or address, and a TCP port. */
export interface Endpoint {
  /** An IP address or a name. */
  readonly host: string
  /** 0 to 65,535. */
  readonly port: number
}

/** Writes an endpoint; IPv6 addresses in brackets. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Reads an endpoint.
 *
 * @throws {TypeError} {@link RangeError} when the text is none
 */
export function parseEndpoint(text: string): Endpoint {
  checkString('an endpoint', text)
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new RangeError(`an endpoint must be host:port, got ${shown(text)}`)
  return { host: (match[1] ?? match[2])!, port }
}

/** Whether nobody outside this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127(?:\.[0-9]{1,3}){3}$/.test(host)
}
