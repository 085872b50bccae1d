/**
 * Unique ids of messages as RocketMQ's clients make them (property `UNIQ_KEY`): upper-case hexadecimal digits.
 *
 * | bytes | field |
 * |---|---|
 * | 4, or 16 for IPv6 | address of the host |
 * | 2 | low half of the process id |
 * | 4 | instance: in Java the hash of the class loader, here a random number |
 * | 4 | milliseconds since the month began, in local time |
 * | 2 | counter |
 *
 * The month is not in the id, so decoding takes the newest one that fits.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../base/system.js'
import { countedText, type TextHead, textHead } from '../../format/counted-text.js'
import { addressText, parseHost } from '../../format/host.js'

/** What ids are made of. */
export interface UniqueIdPorts {
  readonly clock: Pick<Clock, 'now'>
  /** Address of this host, 4 or 16 bytes. */
  readonly address: Uint8Array
  readonly pid: number
  /** A random number of 32 bits, from 0. */
  random(): number
}

/** What an id tells. */
export interface UniqueIdParts {
  /** Address of the host that made it. */
  readonly host: string
  /** Low 16 bits of the process id. */
  readonly pid: number
  /** When it was made, milliseconds since 1970, if that is less than a month ago. */
  readonly timestamp: number
  readonly counter: number
}

const TAIL_BYTES = 12
const PATTERN = /^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{56})$/

/**
 * Makes ids. No two of one object are alike but by a chance of one in 2^32, nor are those of two objects that
 * differ in address or process.
 */
export class UniqueIds {
  readonly #ports: UniqueIdPorts
  #prefix = ''
  #monthStart = 0
  #nextMonth = 0
  #counter = 0
  /** The millisecond of the last id, what its ids begin with, and how many there are. */
  #now = 0
  #head: TextHead = textHead('')
  #madeNow = 0

  constructor(ports: UniqueIdPorts) {
    if (ports.address.length !== 4 && ports.address.length !== 16)
      throw new RangeError(`address must have 4 or 16 bytes, got ${ports.address.length}`)
    this.#ports = ports
  }

  /** The next id: 32 digits, 56 when the host has an IPv6 address. */
  next(): string {
    const now = this.#ports.clock.now()
    if (now !== this.#now || this.#madeNow > 0xffff) this.#turnTo(now)
    this.#madeNow++
    const counter = this.#counter
    this.#counter = (counter + 1) & 0xffff
    return countedText(this.#head, counter)
  }

  /**
   * Times and counters can come a second time: in another month, when the clock goes back, and when the counter
   * goes round within a millisecond. From then on the ids are those of a new instance.
   */
  #turnTo(now: number): void {
    if (now <= this.#now || now >= this.#nextMonth) {
      this.#monthStart = monthStart(now, 0)
      this.#nextMonth = monthStart(now, 1)
      this.#prefix = this.#newPrefix()
    }
    this.#now = now
    this.#madeNow = 0
    this.#head = textHead(this.#prefix + hex(now - this.#monthStart, 8))
  }

  #newPrefix(): string {
    const { address, pid } = this.#ports
    const host = Buffer.from(address).toString('hex').toUpperCase()
    return `${host}${hex(pid & 0xffff, 4)}${hex(this.#ports.random(), 8)}`
  }
}

/** Ids of this process on the host of that address, such as `192.0.2.1:0`; the port does not matter. */
export function processUniqueIds(clock: Pick<Clock, 'now'>, host: string): UniqueIds {
  const address = parseHost(host).subarray(0, -4)
  return new UniqueIds({ clock, address, pid: process.pid, random: () => randomBytes(4).readUInt32BE(0) })
}

/**
 * What an id tells, whoever made it; `undefined` for a text that is no such id.
 *
 * @param now - milliseconds since 1970: the id was made before
 */
export function decodeUniqueId(id: string, now: number): UniqueIdParts | undefined {
  if (!PATTERN.test(id)) return undefined
  const bytes = Buffer.from(id, 'hex')
  const tail = bytes.length - TAIL_BYTES
  const span = bytes.readUInt32BE(tail + 6)
  const inThisMonth = monthStart(now, 0) + span
  return {
    host: addressText(bytes.subarray(0, tail)),
    pid: bytes.readUInt16BE(tail),
    timestamp: inThisMonth < now ? inThisMonth : monthStart(now, -1) + span,
    counter: bytes.readUInt16BE(tail + 10),
  }
}

/** When a month begins in local time: the one that `now` is in, or so many after it. */
function monthStart(now: number, after: number): number {
  const date = new Date(now)
  return new Date(date.getFullYear(), date.getMonth() + after, 1).getTime()
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}
