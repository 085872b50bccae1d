/**
 * One peer: requests and answers in both directions over one socket.
 *
 * ```
 *  socket ─▶ FrameDecoder ─▶ answers to us ─▶ Invocations
 *                        └─▶ requests ─▶ Workload ─▶ handler ─▶ answer ─┐
 *  socket ◀───────────────── outgoing, written once an event ◀──────────┴── our own requests
 * ```
 *
 * 1. Nothing is read while the peer has too much in work, or does not take its answers. So its socket fills, and it
 *    has to wait; nobody else does.
 * 2. What a handler throws becomes an answer. What a peer sends becomes a closed connection at worst.
 * 3. The status goes `open` → `closing` → `closed`. While closing, no new request is taken, and those that were taken
 *    are answered.
 */
import { afterEvent, type Clock, type Timer, type Timers } from '../base/system.js'
import type { TurnShare } from '../base/turn-share.js'
import { asAnswer, type Command, isOneWay, isResponse } from './command.js'
import type { Endpoint } from './endpoint.js'
import { endpointText } from './endpoint.js'
import { MalformedFrame, Refusal, RemotingError } from './errors.js'
import { encodeFrame, type Frame, FrameDecoder } from './frame.js'
import { failureAnswer, type Handler } from './handling.js'
import { Invocations } from './invocations.js'
import type { ConnectionLimits } from './limits.js'
import type { Socket } from './net.js'
import { Watch } from './watch.js'
import { type SharedLoad, Workload } from './workload.js'

/** Requests of one peer that are taken at once though others wait for their turn. */
const REQUESTS_AT_ONCE = 32
/** Their bytes that are taken at once in any case: what they begin goes on behind them, and its time is not known before. */
const BYTES_AT_ONCE = 16 * 1024

/** What a connection lives on. */
export interface ConnectionPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: ConnectionLimits
  /** Answers requests of the peer. */
  readonly handler: Handler
  /** Requests in work of all peers of a server. @default this one's alone */
  readonly shared?: SharedLoad
  /** The time that requests have in a turn, with those of a server's other peers. @default as much as they take */
  readonly share?: TurnShare
  /** Told how many bytes came or were queued, by which `heldBytes` may have grown. */
  readonly onGrowth?: (bytes: number) => void
  /** Told of each request that was refused. */
  readonly onRefused?: (request: Command, refusal: Refusal, connection: Connection) => void
  /** Told what a handler threw, unless it was a refusal, and why a peer was cut off. */
  readonly onFault: (error: Error, connection: Connection) => void
}

/** See the head of this file. */
export class Connection {
  readonly #socket: Socket
  readonly #ports: ConnectionPorts
  readonly #decoder: FrameDecoder
  readonly #invocations: Invocations
  readonly #workload: Workload
  readonly #watch: Watch
  readonly #closeListeners = new Set<() => void>()
  #status: 'open' | 'closing' | 'closed' = 'open'
  #watchTimer: Timer
  #outgoing: Buffer[] = []
  #outgoingBytes = 0
  #isDraining = false
  #isPaused = false
  #isPostponed = false
  #hasSpoken = false
  #whenQuiet: (() => void) | undefined

  constructor(socket: Socket, ports: ConnectionPorts) {
    const { clock, timers, limits } = ports
    this.#socket = socket
    this.#ports = ports
    this.#decoder = new FrameDecoder(limits)
    this.#invocations = new Invocations(timers, limits.maxInvocations)
    this.#workload = new Workload(limits, ports.shared ?? { bytes: 0, mostBytes: Number.POSITIVE_INFINITY })
    this.#watch = new Watch(limits, clock.monotonic())
    this.#watchTimer = timers.after(limits.watchMs, () => this.#look())
    socket.attach({
      onData: (chunk) => this.#onData(chunk),
      onDrain: () => this.#drain(),
      onClose: (error) => this.#onClose(error),
    })
  }

  /** The other side. */
  get remote(): Endpoint {
    return this.#socket.remote
  }

  /** This side. */
  get local(): Endpoint {
    return this.#socket.local
  }

  /** Whether requests are taken and sent. */
  get isOpen(): boolean {
    return this.#status === 'open'
  }

  /** Whether the peer has ever sent a whole frame. */
  get hasSpoken(): boolean {
    return this.#hasSpoken
  }

  /** Whether what has come waits until others have had their turn. */
  get waitsForTurn(): boolean {
    return this.#isPostponed
  }

  /** Bytes for the peer that it has not taken. */
  get unreadBytes(): number {
    return this.#socket.queuedBytes + this.#outgoingBytes
  }

  /** Bytes of the peer that are on their way: a frame that is not whole, requests in work. */
  get incomingBytes(): number {
    return this.#decoder.waitingBytes + this.#workload.bytes
  }

  /** Bytes that this process keeps because of the peer: those on their way, and answers not taken. */
  get heldBytes(): number {
    return this.incomingBytes + this.unreadBytes
  }

  /** Resolves when the connection is closed. */
  get closed(): Promise<void> {
    return new Promise((resolve) => this.onClose(resolve))
  }

  /** Calls `listener` once the connection is closed; at once when it is. @returns a function that calls it off */
  onClose(listener: () => void): () => void {
    if (this.#status === 'closed') listener()
    else this.#closeListeners.add(listener)
    return () => this.#closeListeners.delete(listener)
  }

  /**
   * Sends a request and waits for its answer, whatever code that has. The command's own `opaque` is not used.
   *
   * Rejects with `REMOTING_TIMEOUT`, `REMOTING_CLOSED` or `REMOTING_BUSY`.
   *
   * @throws {RangeError} when the command does not fit a frame
   */
  async invoke(command: Command, timeoutMs: number): Promise<Command> {
    if (this.#status !== 'open') throw this.#closedError()
    const opaque = this.#invocations.nextOpaque()
    const frame = encodeFrame({ ...command, opaque })
    const answered = this.#invocations.wait(opaque, timeoutMs)
    this.#queue(frame)
    return answered
  }

  /** Sends a one-way request. @returns whether the connection was open for it */
  sendOneWay(command: Command): boolean {
    if (this.#status !== 'open') return false
    this.#queue(encodeFrame({ ...command, opaque: this.#invocations.nextOpaque() }))
    return true
  }

  /** Answers a request later than its handler returned. Without effect on one-way requests and closed connections. */
  send(request: Command, response: Command): void {
    if (isOneWay(request) || this.#status === 'closed') return
    try {
      this.#queue(encodeFrame(asAnswer(response, request)))
    } catch (error) {
      this.#fault(error)
      this.#queue(encodeFrame(failureAnswer(request, error)))
    }
  }

  /**
   * Says that a request waits for something to happen, such as a message to come. It no longer keeps other requests
   * from being read, nor the connection from closing; who holds it must bound how many it holds.
   */
  hold(request: Command): void {
    if (this.#workload.end(request)) this.#onSettled()
  }

  /** Says that a request is answered later, and at length: what else the peer asks is read only once it has that answer. */
  answerAlone(request: Command): void {
    this.#workload.setAlone(request)
  }

  /**
   * Closes in order: takes no further requests, answers those in work, and waits until the peer has what was sent.
   * After `graceMs` it closes at once.
   */
  async close(graceMs: number): Promise<void> {
    if (this.#status !== 'open') return this.closed
    this.#status = 'closing'
    this.#pause()
    const { timers } = this.#ports
    const grace = timers.after(graceMs, () => this.#socket.destroy(), true)
    if (this.#workload.size > 0) await new Promise<void>((resolve) => (this.#whenQuiet = resolve))
    this.#write()
    this.#invocations.failAll(this.#closedError())
    // Only a socket that is read learns that its peer is gone.
    this.#socket.resume()
    this.#socket.end()
    await this.closed
    grace.cancel()
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    if (this.#status !== 'open') return
    this.#watch.active(this.#ports.clock.monotonic())
    this.#decoder.add(chunk)
    this.#ports.onGrowth?.(chunk.length)
    this.#drain()
  }

  /** Reads commands as long as the peer may have more in work. */
  #drain(): void {
    if (this.#isDraining || this.#isPostponed) return
    this.#isDraining = true
    try {
      const left = { requests: REQUESTS_AT_ONCE, bytes: BYTES_AT_ONCE }
      while (this.#status === 'open' && !this.#isFull()) {
        if (this.#mustYield(left)) {
          this.#postpone()
          break
        }
        const frame = this.#decoder.next()
        if (frame === undefined) break
        this.#hasSpoken = true
        left.requests--
        left.bytes -= frame.bytes
        this.#watch.frameEnded()
        this.#receive(frame)
      }
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
      this.#cutOff(error)
    } finally {
      this.#isDraining = false
    }
    if (this.#status !== 'open' || this.#isPostponed) return
    if (this.#isFull()) this.#pause()
    else if (this.#isPaused) {
      this.#isPaused = false
      this.#socket.resume()
    }
  }

  /** Whether others have their turn first, and there is something to come back for. @param left - of what may be taken at once */
  #mustYield(left: { readonly requests: number; readonly bytes: number }): boolean {
    const { share } = this.#ports
    if (share === undefined || this.#decoder.waitingBytes === 0) return false
    return (left.requests <= 0 && share.isWanted) || left.bytes <= 0 || share.isOver()
  }

  #postpone(): void {
    this.#isPostponed = true
    this.#pause()
    this.#ports.share?.later(() => {
      this.#isPostponed = false
      this.#drain()
    })
  }

  #isFull(): boolean {
    return this.#workload.isFull || this.unreadBytes >= this.#ports.limits.maxUnreadBytes
  }

  #pause(): void {
    if (!this.#isPaused) this.#socket.pause()
    this.#isPaused = true
  }

  #receive({ command, bytes }: Frame): void {
    if (isResponse(command)) {
      this.#invocations.settle(command)
      return
    }
    this.#workload.begin(command, bytes)
    try {
      const answered = this.#ports.handler(command, this)
      if (!(answered instanceof Promise)) this.#settle(command, answered)
      else
        answered.then(
          (response) => this.#settle(command, response),
          (error: unknown) => this.#settle(command, this.#failed(command, error)),
        )
    } catch (error) {
      this.#settle(command, this.#failed(command, error))
    }
  }

  #failed(command: Command, error: unknown): Command {
    const response = failureAnswer(command, error)
    if (error instanceof Refusal) this.#ports.onRefused?.(command, error, this)
    else this.#fault(error)
    return response
  }

  #settle(command: Command, response: Command | undefined): void {
    if (response !== undefined) this.send(command, response)
    if (this.#workload.end(command)) this.#onSettled()
  }

  #onSettled(): void {
    if (this.#workload.size === 0) this.#whenQuiet?.()
    if (this.#isPaused) this.#drain()
  }

  /**
   * What is sent by one event and all that follows of it, such as the answers to all messages of one write, leaves in one
   * write, at once: at the end of the turn it would leave only after the next look for events.
   */
  #queue(frame: readonly Buffer[]): void {
    if (this.#status === 'closed') return
    if (this.#outgoing.length === 0) afterEvent(this.#write)
    const bytes = frame.reduce((sum, { length }) => sum + length, 0)
    this.#outgoingBytes += bytes
    this.#outgoing.push(...frame)
    this.#ports.onGrowth?.(bytes)
  }

  readonly #write = (): void => {
    const pieces = this.#outgoing
    if (pieces.length === 0) return
    this.#outgoing = []
    this.#outgoingBytes = 0
    this.#watch.active(this.#ports.clock.monotonic())
    this.#socket.write(pieces)
    if (this.#isPaused) this.#drain()
  }

  #look(): void {
    if (this.#status === 'closed') return
    const { clock, timers, limits } = this.#ports
    const partialBytes = this.#isPaused ? 0 : this.#decoder.waitingBytes
    const wrong = this.#watch.look(clock.monotonic(), { partialBytes, unreadBytes: this.unreadBytes })
    if (wrong === undefined) this.#watchTimer = timers.after(limits.watchMs, () => this.#look())
    else this.#cutOff(new RemotingError('REMOTING_CLOSED', wrong))
  }

  #cutOff(error: Error): void {
    this.#fault(error)
    this.#socket.destroy()
  }

  #fault(error: unknown): void {
    this.#ports.onFault(error instanceof Error ? error : new Error(String(error)), this)
  }

  #closedError(): RemotingError {
    return new RemotingError('REMOTING_CLOSED', `the connection with ${endpointText(this.remote)} is closed`)
  }

  #onClose(error: Error | undefined): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#watchTimer.cancel()
    this.#outgoing = []
    this.#outgoingBytes = 0
    const cause = error === undefined ? {} : { cause: error }
    const what = `the connection with ${endpointText(this.remote)} was closed`
    this.#invocations.failAll(new RemotingError('REMOTING_CLOSED', what, cause))
    this.#workload.clear()
    this.#whenQuiet?.()
    for (const listener of [...this.#closeListeners]) listener()
    this.#closeListeners.clear()
  }
}
