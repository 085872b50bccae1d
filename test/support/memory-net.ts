/**
 * A network within the process. Bytes arrive in later turns, cut as the test says; a peer that does not read makes
 * what is sent to it pile up at the sender.
 */
import type { Endpoint } from '../../lib/remoting/endpoint.js'
import type { Listener, Net, Socket, SocketEvents } from '../../lib/remoting/net.js'

/** Cuts what was written in one go into the pieces in which it arrives. */
export type Cut = (bytes: Buffer) => Buffer[]

const whole: Cut = (bytes) => [bytes]

/** One end of a connection. */
export class MemorySocket implements Socket {
  readonly remote: Endpoint
  readonly local: Endpoint
  readonly #cut: Cut
  #events: SocketEvents | undefined
  /** What was sent to this end and not taken by it. */
  #arrived: Buffer[] = []
  #isPaused = false
  #isClosed = false
  #hasEnded = false
  #isRunning = false
  peer!: MemorySocket

  constructor(local: Endpoint, remote: Endpoint, cut: Cut) {
    this.local = local
    this.remote = remote
    this.#cut = cut
  }

  /** Two ends. The first is the one that connected. */
  static pair(server: Endpoint, cut: Cut = whole, clientHost = '127.0.0.1'): [MemorySocket, MemorySocket] {
    const client = { host: clientHost, port: 40_000 }
    const near = new MemorySocket(client, server, cut)
    const far = new MemorySocket(server, client, cut)
    near.peer = far
    far.peer = near
    return [near, far]
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether it was told to take nothing for now. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  get queuedBytes(): number {
    return this.peer.#arrived.reduce((sum, { length }) => sum + length, 0)
  }

  attach(events: SocketEvents): void {
    this.#events = events
    this.#run()
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#isClosed || this.#hasEnded) return
    const bytes = Buffer.concat(chunks)
    this.peer.#arrived.push(...this.#cut(bytes).filter(({ length }) => length > 0))
    this.peer.#run()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#run()
  }

  end(): void {
    this.#hasEnded = true
    this.peer.#run()
  }

  destroy(): void {
    this.#close()
    setImmediate(() => this.peer.#close())
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    setImmediate(() => this.#events?.onClose(undefined))
  }

  /** Hands over a piece a turn. */
  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(() => {
      this.#isRunning = false
      if (this.#isPaused || this.#isClosed) return
      if (this.#events === undefined) {
        if (this.peer.#hasEnded) this.destroy()
        return
      }
      const piece = this.#arrived.shift()
      if (piece === undefined) {
        if (this.peer.#hasEnded) this.destroy()
        return
      }
      this.#events.onData(piece)
      if (this.#arrived.length === 0) this.peer.#events?.onDrain()
      this.#run()
    })
  }
}

/** A network of memory sockets. */
export class MemoryNet implements Net {
  readonly #listeners = new Map<string, (socket: Socket) => void>()
  readonly #cut: Cut
  #nextPort = 10_000

  constructor(cut: Cut = whole) {
    this.#cut = cut
  }

  async listen({ host, port }: Endpoint, onSocket: (socket: Socket) => void): Promise<Listener> {
    const endpoint = { host, port: port === 0 ? this.#nextPort++ : port }
    const key = `${host}:${endpoint.port}`
    if (this.#listeners.has(key)) throw new Error(`${key} is taken`)
    this.#listeners.set(key, onSocket)
    return { endpoint, close: async () => void this.#listeners.delete(key) }
  }

  async connect(endpoint: Endpoint): Promise<MemorySocket> {
    return this.connectFrom('127.0.0.1', endpoint)
  }

  /** Connects as from another machine. */
  connectFrom(clientHost: string, endpoint: Endpoint): MemorySocket {
    const accept = this.#listeners.get(`${endpoint.host}:${endpoint.port}`)
    if (accept === undefined) throw new Error('nobody listens')
    const [near, far] = MemorySocket.pair(endpoint, this.#cut, clientHost)
    accept(far)
    return near
  }
}
