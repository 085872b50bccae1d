/**
 * Sockets: the port through which remoting touches the network, and its form on this machine. The only file
 * that opens connections.
 *
 * A socket says nothing until somebody listens to it, and after `close` it says nothing more. Errors are not an
 * event of their own: an error closes, and comes along with the close.
 */
import * as net from 'node:net'
import * as tls from 'node:tls'
import { systemClock, systemTimers } from '../base/system.js'
import type { Endpoint } from './endpoint.js'
import { HANDSHAKE_MS, Handshakes } from './handshakes.js'

/** Keys and certificates as PEM. */
export interface TlsFiles {
  /** This side's private key. A server must have one, a client only when the server asks for certificates. */
  readonly key?: string | Uint8Array
  /** This side's certificate, with the chain behind it. */
  readonly cert?: string | Uint8Array
  /** Who is trusted to sign the other side's certificate. @default the authorities that Node knows */
  readonly ca?: string | Uint8Array
}

/** TLS of a server. Peers must speak TLS 1.2 or later. */
export interface ServerTls extends TlsFiles {
  /** Refuse clients without a certificate that `ca` signed. @default false */
  readonly requireClientCertificate?: boolean
}

/** TLS of a client. The server's certificate is always checked. */
export interface ClientTls extends TlsFiles {
  /** The name that the certificate must carry, where it is not the host. */
  readonly serverName?: string
}

/** Where and how to listen. */
export interface ListenOptions extends Endpoint {
  readonly tls?: ServerTls | undefined
  /** Sockets beyond so many are closed as they come; under TLS those whose handshake takes long may have to go for them. */
  readonly maxSockets: number
  /**
   * Told of each peer that was closed before its handshake was done, or for want of sockets: then there is no reason. May be
   * called often when peers are hostile.
   */
  readonly onRefused?: (remote: Endpoint, reason: string | undefined) => void
}

/** What is listening. */
export interface Listener {
  /** The endpoint that was taken, with the port that port 0 became. */
  readonly endpoint: Endpoint
  /** Takes no further connections; those that there are go on. Resolves when the port is free. */
  close(): Promise<void>
}

/** What a socket tells. */
export interface SocketEvents {
  onData(chunk: Buffer): void
  /** What was written has left this process, after more had been queued than the socket likes. */
  onDrain(): void
  /** The last event. The error is there when one was the cause. */
  onClose(error: Error | undefined): void
}

/** A connection as bytes. */
export interface Socket {
  /** The other side. */
  readonly remote: Endpoint
  /** This side. */
  readonly local: Endpoint
  /** Bytes written that are still in this process. */
  readonly queuedBytes: number
  /** Begins to tell what happens. Data that came before is told first. */
  attach(events: SocketEvents): void
  /** Queues bytes, which must not change afterwards. Without effect on a closed socket. */
  write(chunks: readonly Uint8Array[]): void
  /** Stops taking data from the peer, which will then have to wait. */
  pause(): void
  /** Goes on after `pause`. */
  resume(): void
  /** Sends what is queued, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

/** The network. */
export interface Net {
  /** Listens. `onSocket` must attach to each socket at once. Rejects when the endpoint cannot be had. */
  listen(options: ListenOptions, onSocket: (socket: Socket) => void): Promise<Listener>
  /** Connects, and shakes hands under TLS. Rejects when that fails or the signal fires. */
  connect(endpoint: Endpoint, tls: ClientTls | undefined, signal: AbortSignal): Promise<Socket>
}

/**
 * Ways to agree on a key that every client of the last ten years knows one of. What OpenSSL offers besides may take a hundred
 * times as long, more than 100 ms for one ClientHello that asks for ffdhe8192.
 */
const KEY_AGREEMENTS = 'X25519:P-256:P-384'

/** The network of this machine. */
export const nodeNet: Net = {
  listen(options, onSocket) {
    const accept = (socket: net.Socket): void => onSocket(new NodeSocket(socket))
    const { server, end } = options.tls === undefined ? plainServer(options, accept) : tlsServer(options, options.tls, accept)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, options.host, () => {
        server.off('error', reject)
        // Later errors are those of single connections that could not be accepted.
        server.on('error', () => {})
        resolve({ endpoint: listenedAt(server.address()), close: () => closed(server, end) })
      })
    })
  },

  connect({ host, port }, options, signal) {
    return new Promise((resolve, reject) => {
      const isPlain = options === undefined
      const socket = isPlain ? net.connect({ host, port }) : tls.connect({ host, port, ...clientTls(host, options) })
      const fail = (error: Error): void => {
        signal.removeEventListener('abort', onAbort)
        socket.destroy()
        reject(error)
      }
      const onAbort = (): void => fail(signal.reason instanceof Error ? signal.reason : new Error('called off'))
      socket.once('error', fail)
      socket.once(isPlain ? 'connect' : 'secureConnect', () => {
        signal.removeEventListener('abort', onAbort)
        socket.off('error', fail)
        resolve(new NodeSocket(socket))
      })
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort)
    })
  },
}

/** A server, and what ends with it. */
interface Listening {
  readonly server: net.Server
  readonly end: () => void
}

function plainServer({ maxSockets, onRefused }: ListenOptions, accept: (socket: net.Socket) => void): Listening {
  const server = net.createServer(accept)
  server.maxConnections = maxSockets
  server.on('drop', (dropped) => {
    if (dropped !== undefined) onRefused?.({ host: dropped.remoteAddress ?? '', port: dropped.remotePort ?? 0 }, undefined)
  })
  return { server, end: () => {} }
}

/** Listens for sockets itself, and hands them on to a server for TLS when it is their turn. */
function tlsServer(
  { maxSockets, onRefused }: ListenOptions,
  { requireClientCertificate = false, ...files }: ServerTls,
  accept: (socket: net.Socket) => void,
): Listening {
  const refuse = (socket: net.Socket, reason: string | undefined): void => onRefused?.(endpointOf(socket), reason)
  const handshakes = new Handshakes<net.Socket>({
    begin: (socket) => shaking.emit('connection', socket),
    maxSockets,
    onRefused: refuse,
    clock: systemClock,
    timers: systemTimers,
  })
  const shaking = tls.createServer(
    {
      ...pem(files),
      minVersion: 'TLSv1.2',
      ecdhCurve: KEY_AGREEMENTS,
      requestCert: requireClientCertificate,
      rejectUnauthorized: requireClientCertificate,
      handshakeTimeout: HANDSHAKE_MS,
    },
    (socket) => {
      handshakes.done(socket)
      accept(socket)
    },
  )
  shaking.on('tlsClientError', (error: Error & { reason?: string; code?: string }, socket) => {
    // Who cannot shake hands may be gone already.
    if (socket.remoteAddress !== undefined) refuse(socket, `no TLS handshake: ${error.reason ?? error.code ?? error.message}`)
    socket.destroy()
  })
  return { server: net.createServer((socket) => handshakes.take(socket)), end: () => handshakes.close() }
}

function clientTls(host: string, { serverName, ...files }: ClientTls): tls.ConnectionOptions {
  const name = serverName ?? (net.isIP(host) === 0 ? host : undefined)
  return {
    ...pem(files),
    minVersion: 'TLSv1.2',
    ...(name === undefined ? {} : { servername: name }),
    ...(serverName === undefined ? {} : { checkServerIdentity: (_host, cert) => tls.checkServerIdentity(serverName, cert) }),
  }
}

function pem(files: TlsFiles): { key?: string | Buffer; cert?: string | Buffer; ca?: string | Buffer } {
  const entries = (['key', 'cert', 'ca'] as const).flatMap((name) => {
    const value = files[name]
    return value === undefined ? [] : [[name, typeof value === 'string' ? value : Buffer.from(value)] as const]
  })
  return Object.fromEntries(entries)
}

function endpointOf({ remoteAddress = '', remotePort = 0 }: net.Socket): Endpoint {
  return { host: remoteAddress, port: remotePort }
}

function listenedAt(address: net.AddressInfo | string | null): Endpoint {
  return typeof address === 'object' && address !== null ? { host: address.address, port: address.port } : { host: '', port: 0 }
}

function closed(server: net.Server, end: () => void): Promise<void> {
  // The callback waits for the connections; the port is free as soon as the call returns.
  server.close()
  end()
  return Promise.resolve()
}

class NodeSocket implements Socket {
  readonly remote: Endpoint
  readonly local: Endpoint
  readonly #socket: net.Socket
  #error: Error | undefined

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.remote = endpointOf(socket)
    this.local = { host: socket.localAddress ?? '', port: socket.localPort ?? 0 }
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      this.#error = error
    })
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  attach(events: SocketEvents): void {
    const socket = this.#socket
    if (socket.closed) {
      queueMicrotask(() => events.onClose(this.#error))
      return
    }
    socket.on('drain', () => events.onDrain())
    socket.on('close', () => events.onClose(this.#error))
    socket.on('data', (chunk: Buffer) => events.onData(chunk))
  }

  write(chunks: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (!socket.writable) return
    // Corked, they leave in one system call.
    socket.cork()
    for (const chunk of chunks) socket.write(chunk)
    socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    // A peer that never closes its half would keep the connection for ever; the caller destroys after a while.
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
