/**
 * Which half messages are undecided, and how far their queue and the one of decisions are done with.
 *
 * ```
 *  half queue   0 d  1 d  2    3 d  4    5 d  6        d: decided, or replaced by a copy further on
 *                         ^ floor: everything below is decided            -> committed offset of the half queue
 *  op queue     0 {0,1}  1 {3}  2 {5}
 *                        ^ first op that names a half message at or above -> committed offset of the op queue
 * ```
 *
 * From the two committed offsets on, whoever opens the directory next, a Java broker too, finds all that is
 * undecided. An undecided message costs about 200 bytes of memory, and one that was asked about about 450, since its
 * older copies are known for as long; the message itself is on disk.
 */

/** A half message that is undecided. */
export interface Pending {
  /** Where it stands in the half queue: the newest copy. */
  queueOffset: number
  /** Its address in the log. */
  commitLogOffset: number
  /** When that copy was stored. */
  storeTimestamp: number
  /** When the message was made; the same in all copies. */
  readonly bornTimestamp: number
  /** When the producers may be asked, milliseconds since 1970. */
  readonly dueAt: number
  /** Queue offsets of copies before, by which a producer may still know it. */
  former: readonly number[] | undefined
  /** Its committed message is stored already; what is missing is the op message. */
  isCommitted: boolean
  /** What is being done to it: it is decided and copied one at a time. */
  busy: Promise<unknown> | undefined
}

/** Where a half message stands. */
export type Place = Pick<Pending, 'queueOffset' | 'commitLogOffset' | 'storeTimestamp'>

interface Op {
  readonly queueOffset: number
  highest: number
}

/** Ops kept apart. Beyond, neighbours are taken together: what is committed of their queue is then a little behind. */
const MAX_OPS = 8192

/** See the head of this file. */
export class Undecided {
  readonly #pending = new Map<number, Pending>()
  readonly #formerly = new Map<number, Pending>()
  /** All half messages below have been added or settled once. */
  #next: number
  /** Those above that have. */
  readonly #early = new Set<number>()
  #floor: number
  #ops: Op[] = []
  #nextOp: number

  /**
   * @param half - the first offset of the half queue that may be undecided
   * @param op - of the op queue, the first not done with
   */
  constructor(half: number, op: number) {
    this.#next = half
    this.#floor = half
    this.#nextOp = op
  }

  /** How many there are. */
  get size(): number {
    return this.#pending.size
  }

  /** All of them, oldest copy first. Those that are added meanwhile come too. */
  all(): IterableIterator<Pending> {
    return this.#pending.values()
  }

  /** The one that stands, or stood, at an offset of the half queue. */
  find(queueOffset: number): Pending | undefined {
    return this.#pending.get(queueOffset) ?? this.#formerly.get(queueOffset)
  }

  /** Takes in a half message that is stored. */
  add(given: Place & Pick<Pending, 'bornTimestamp' | 'dueAt'>): Pending {
    const { queueOffset, commitLogOffset, storeTimestamp, bornTimestamp, dueAt } = given
    const pending: Pending = {
      queueOffset,
      commitLogOffset,
      storeTimestamp,
      bornTimestamp,
      dueAt,
      former: undefined,
      isCommitted: false,
      busy: undefined,
    }
    this.#pending.set(queueOffset, pending)
    this.#saw(queueOffset)
    return pending
  }

  /** A half message that is decided, as the op messages of a directory say. */
  skip(queueOffset: number): void {
    this.#saw(queueOffset)
  }

  /** A copy of a half message is stored: it stands there now. The old one is decided by an op message. */
  move(pending: Pending, to: Place): void {
    this.#pending.delete(pending.queueOffset)
    this.alias(pending, pending.queueOffset)
    pending.queueOffset = to.queueOffset
    pending.commitLogOffset = to.commitLogOffset
    pending.storeTimestamp = to.storeTimestamp
    this.#pending.set(to.queueOffset, pending)
    this.#saw(to.queueOffset)
  }

  /** Lets a half message be found by the offset of an older copy too. */
  alias(pending: Pending, queueOffset: number): void {
    pending.former = [...(pending.former ?? []), queueOffset]
    this.#formerly.set(queueOffset, pending)
  }

  /** The half message is decided, and an op message says so. */
  settle(pending: Pending): void {
    this.#pending.delete(pending.queueOffset)
    for (const offset of pending.former ?? []) this.#formerly.delete(offset)
    if (pending.queueOffset === this.#floor) this.#rise()
  }

  /** Notes an op message that is stored, in the order of their queue. */
  noteOp({ queueOffset, halves }: { queueOffset: number; halves: readonly number[] }): void {
    let highest = -1
    for (const half of halves) if (half > highest) highest = half
    this.#ops.push({ queueOffset, highest })
    this.#nextOp = queueOffset + 1
    if (this.#ops.length > MAX_OPS) this.#ops = gathered(this.#ops)
  }

  /** How far the two queues are done with: the offsets to commit. */
  progress(): { half: number; op: number } {
    this.#rise()
    const first = this.#ops.findIndex(({ highest }) => highest >= this.#floor)
    this.#ops = first < 0 ? [] : this.#ops.slice(first)
    return { half: this.#floor, op: this.#ops[0]?.queueOffset ?? this.#nextOp }
  }

  /** The offset that the next half message will get. */
  get end(): number {
    return this.#next
  }

  /** Whether a half message is undecided still. */
  has(pending: Pending): boolean {
    return this.#pending.get(pending.queueOffset) === pending
  }

  #rise(): void {
    while (this.#floor < this.#next && !this.#pending.has(this.#floor)) this.#floor++
  }

  #saw(queueOffset: number): void {
    if (queueOffset !== this.#next) {
      if (queueOffset > this.#next) this.#early.add(queueOffset)
      return
    }
    do this.#next++
    while (this.#early.delete(this.#next))
  }
}

/** Each two neighbours as one: it stands where the first did, and is done with when both are. */
function gathered(ops: readonly Op[]): Op[] {
  const half: Op[] = []
  for (let i = 0; i < ops.length; i += 2) {
    const { queueOffset, highest } = ops[i]!
    half.push({ queueOffset, highest: Math.max(highest, ops[i + 1]?.highest ?? -1) })
  }
  return half
}
