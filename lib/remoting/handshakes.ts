/**
 * Paces TLS handshakes. Each costs a signature and an agreement on keys, which is dear, and anybody may ask for one.
 *
 * ```
 *  silent ── a whole ClientHello ──▶ queued ── its turn ──▶ shaking ── done ──▶ a peer like any other
 * ```
 *
 * 1. What is dear is done for the ClientHello. So a handshake begins when that has come, and in its turn: handshakes together
 *    have 5 ms, then everything else is looked at; while many connect, one of them in 16 turns.
 *    A peer may end its own when it likes, which is not paced, for Node reads what comes then: it takes a tenth of a millisecond.
 * 2. Addresses take turns, so one that begins a thousand delays another by one. Of one address the newest comes first: those
 *    before it have perhaps given up, which is seen only once their handshake begins, and in any case soon will.
 * 3. Where there are as many sockets as there may be, a newcomer takes the place of the one that has been silent or shaking
 *    for longest, of the address that has most of these.
 */
import { afterEvent, type Clock, type Timers } from '../base/system.js'

/** Time to send the first bytes, and again for the handshake, milliseconds. */
export const HANDSHAKE_MS = 10_000
/** The longest ClientHello that is waited for, bytes: with many names and keys of the new kinds they have some 2,000. */
const MOST_HELLO_BYTES = 32_768
/** Handshakes in a turn of the event loop, milliseconds. The one that is begun last is finished. */
const TURN_MS = 5
/** While many connect: a handshake in so many turns, or in so many milliseconds. */
const CROWDED_TURNS = 16
const CROWDED_MS = 100
/** How long nobody loses its place though others want it, milliseconds. */
const SAFE_MS = 250

/** What handshakes need of a socket. */
export interface ShakingSocket {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end' | 'close', listener: () => void): unknown
  off(event: 'data', listener: (chunk: Buffer) => void): unknown
  pause(): unknown
  unshift(chunk: Buffer): void
  destroy(): unknown
}

/** What pacing needs. */
export interface HandshakeOptions<Raw extends ShakingSocket> {
  /** Begins a handshake. What has come stands ready to be read. */
  readonly begin: (socket: Raw) => void
  /** Sockets that there may be, with those whose handshake is done. */
  readonly maxSockets: number
  /** Told who was closed before its handshake was done, and why; no reason: there were as many sockets as may be. */
  readonly onRefused: (socket: Raw, reason: string | undefined) => void
  readonly clock: Pick<Clock, 'monotonic'>
  readonly timers: Timers
}

const EMPTY = Buffer.alloc(0)
/** Bytes in front of each part of a handshake: its kind, a version, a length; and in front of the whole: its kind, a length. */
const RECORD_HEAD = 5
const MESSAGE_HEAD = 4
const HANDSHAKE = 22

interface Shaking<Raw> {
  readonly socket: Raw
  readonly key: string
  readonly host: string
  /** What has come of a ClientHello that is not whole. */
  hello: Buffer
  readonly scan: HelloScan
  /** Since when it is for the peer to do something; `undefined` while it is for us. */
  since: number | undefined
}

/** See the head of this file. */
export class Handshakes<Raw extends ShakingSocket> {
  readonly #options: HandshakeOptions<Raw>
  /** Those whose handshake is not done, by where they are, oldest first. */
  readonly #shaking = new Map<string, Shaking<Raw>>()
  /** Those that may begin, by address. An address whose turn it was goes to the end. */
  readonly #queued = new Map<string, Shaking<Raw>[]>()
  #sockets = 0
  /** Whether somebody has connected since handshakes last had their turn: then others may be about to. */
  #hasTaken = false
  #isAwaited = false
  #crowdedTurns = 0
  #begunAt = Number.NEGATIVE_INFINITY

  constructor(options: HandshakeOptions<Raw>) {
    this.#options = options
  }

  /** Sockets whose handshake is not done. */
  get size(): number {
    return this.#shaking.size
  }

  /** A peer has connected. */
  take(socket: Raw): void {
    const { maxSockets, onRefused, timers, clock } = this.#options
    // Its error comes along with its end.
    socket.on('error', () => {})
    if (this.#sockets >= maxSockets && !this.#makeRoom()) {
      onRefused(socket, undefined)
      socket.destroy()
      return
    }
    this.#sockets++
    this.#hasTaken = true
    const one: Shaking<Raw> = {
      socket,
      key: keyOf(socket),
      host: socket.remoteAddress ?? '',
      hello: EMPTY,
      scan: new HelloScan(),
      since: clock.monotonic(),
    }
    this.#shaking.set(one.key, one)
    const timer = timers.after(HANDSHAKE_MS, () => this.#refuse(one, `no TLS handshake for ${HANDSHAKE_MS} ms`))
    const onData = (chunk: Buffer): void => {
      one.hello = one.hello.length === 0 ? chunk : Buffer.concat([one.hello, chunk])
      if (!one.scan.isWhole(one.hello)) {
        if (one.hello.length > MOST_HELLO_BYTES) this.#refuse(one, 'no TLS handshake')
        return
      }
      timer.cancel()
      socket.off('data', onData)
      socket.pause()
      this.#enqueue(one)
    }
    socket.on('data', onData)
    socket.on('end', () => {
      if (this.#isShaking(one)) socket.destroy()
    })
    socket.on('close', () => {
      timer.cancel()
      this.#sockets--
      this.#forget(one)
    })
  }

  /** The handshake of a peer is done. @param socket - the one that came of it */
  done(socket: Place): void {
    this.#shaking.delete(keyOf(socket))
  }

  /** Closes those whose handshake is not done. */
  close(): void {
    for (const { socket } of [...this.#shaking.values()]) socket.destroy()
  }

  #isShaking(one: Shaking<Raw>): boolean {
    return this.#shaking.get(one.key) === one
  }

  #forget(one: Shaking<Raw>): void {
    if (this.#isShaking(one)) this.#shaking.delete(one.key)
    one.hello = EMPTY
  }

  #enqueue(one: Shaking<Raw>): void {
    one.since = undefined
    const queue = this.#queued.get(one.host)
    if (queue === undefined) this.#queued.set(one.host, [one])
    else queue.push(one)
    this.#later()
  }

  /** Handshakes have their turn behind what happens in this one. */
  #later(): void {
    if (this.#isAwaited) return
    this.#isAwaited = true
    this.#options.timers.endOfTurn(() => {
      this.#isAwaited = false
      const now = this.#options.clock.monotonic()
      const isCrowded = this.#hasTaken
      this.#hasTaken = false
      // One socket is taken in a turn of the loop: who has to wait for a thousand before it shall not wait for their handshakes.
      this.#crowdedTurns = isCrowded ? this.#crowdedTurns + 1 : 0
      const mayWait = this.#crowdedTurns % CROWDED_TURNS !== 0 && now - this.#begunAt < CROWDED_MS
      if (isCrowded && mayWait) this.#later()
      else this.#goOn(isCrowded ? now : now + TURN_MS)
    })
  }

  /** Begins one handshake, and more until a time. */
  #goOn(until: number): void {
    this.#beginNext()
    // What is dear is done behind the beginning.
    queueMicrotask(() =>
      afterEvent(() => {
        this.#begunAt = this.#options.clock.monotonic()
        if (this.#queued.size === 0) return
        if (this.#begunAt < until) this.#goOn(until)
        else this.#later()
      }),
    )
  }

  /** The next handshake of the address whose turn it is begins. */
  #beginNext(): void {
    for (;;) {
      const [next] = this.#queued
      if (next === undefined) return
      const [host, queue] = next
      const one = queue.pop()!
      this.#queued.delete(host)
      if (queue.length > 0) this.#queued.set(host, queue)
      // It may have gone while it was waiting.
      if (!this.#isShaking(one)) continue
      one.since = this.#options.clock.monotonic()
      one.socket.unshift(one.hello)
      one.hello = EMPTY
      this.#options.begin(one.socket)
      return
    }
  }

  /** @returns whether there is a place now */
  #makeRoom(): boolean {
    const now = this.#options.clock.monotonic()
    const late = [...this.#shaking.values()].filter(({ since }) => since !== undefined && now - since >= SAFE_MS)
    const counts = new Map<string, number>()
    for (const { host } of late) counts.set(host, (counts.get(host) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const oldest = late.find(({ host }) => counts.get(host) === most)
    if (oldest !== undefined) this.#refuse(oldest, 'no TLS handshake, and others want its place')
    return oldest !== undefined
  }

  #refuse(one: Shaking<Raw>, reason: string): void {
    const { socket } = one
    if (!this.#isShaking(one)) return
    this.#forget(one)
    this.#options.onRefused(socket, reason)
    socket.destroy()
  }
}

/** Looks for the end of a ClientHello while it comes, from where it stopped: it may come byte by byte, in records of a byte. */
class HelloScan {
  readonly #head = Buffer.alloc(MESSAGE_HEAD)
  /** Where the next record begins, and how much of the message stands before it. */
  #at = 0
  #has = 0

  /**
   * Whether it has come to its end; true as well for what cannot become one, which is refused at once.
   *
   * @param bytes - all that has come
   */
  isWhole(bytes: Buffer): boolean {
    while (this.#at + RECORD_HEAD <= bytes.length) {
      const length = bytes.readUInt16BE(this.#at + 3)
      if (bytes[this.#at] !== HANDSHAKE || length === 0) return true
      const from = this.#at + RECORD_HEAD
      const to = Math.min(from + length, bytes.length)
      if (this.#has < MESSAGE_HEAD) bytes.copy(this.#head, this.#has, from, to)
      const has = this.#has + to - from
      if (has >= MESSAGE_HEAD && has >= MESSAGE_HEAD + (this.#head.readUInt32BE() & 0xffffff)) return true
      if (to < from + length) return false
      this.#at = to
      this.#has = has
    }
    return false
  }
}

/** Between which ends a connection is: one of this machine's addresses is one of them, for a peer may use a port for several. */
type Place = Pick<ShakingSocket, 'remoteAddress' | 'remotePort' | 'localAddress'>

function keyOf({ remoteAddress, remotePort, localAddress }: Place): string {
  return `${remoteAddress}:${remotePort} ${localAddress}`
}
