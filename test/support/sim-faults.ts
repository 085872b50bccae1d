/** Faults that a simulated disk can be told to have, and when. */

import { DiskError } from '../../lib/disk/disk.js'

/** What can be done to a disk. */
export type OperationKind =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'resize'
  | 'size'
  | 'flush'
  | 'flushDirectory'
  | 'rename'
  | 'remove'
  | 'makeDirectory'
  | 'list'
  | 'stat'
  | 'space'
  | 'lock'

/** Operations after which a crash may find another disk than before. */
export const changingKinds: ReadonlySet<OperationKind> = new Set<OperationKind>([
  'create',
  'write',
  'resize',
  'flush',
  'flushDirectory',
  'rename',
  'remove',
  'makeDirectory',
])

/**
 * Something that goes wrong.
 *
 * `{ on: 'flush', code: 'EIO' }` fails the next flush as fsync fails: the pages count as clean, the next
 * flush succeeds, and reads show the new bytes until `evict`.
 */
export interface Fault {
  /** The operations it may strike; all when left out. */
  readonly on?: OperationKind | readonly OperationKind[]
  /** The paths it may strike: a part of the path, or a pattern. */
  readonly path?: string | RegExp
  /** How many such operations go well before. @default 0 */
  readonly skip?: number
  /** How many fail then; `Infinity` for all. @default 1 */
  readonly times?: number
  /** The error to fail with, such as `EIO`. Left out when `effect` is given. */
  readonly code?: string
  /** Bytes that a failing write leaves behind. @default 0 */
  readonly partialBytes?: number
  /** A write that succeeds and never reaches the disk, or reaches it at `position`. */
  readonly effect?: 'lose' | 'misdirect'
  /** Where a misdirected write goes. */
  readonly position?: number
}

interface ArmedFault {
  readonly fault: Fault
  seen: number
  struck: number
}

/** The faults of one disk. */
export class Faults {
  /** Nothing strikes, and nothing counts, while it is set. */
  isPaused = false
  #armed: ArmedFault[] = []

  /** Arms a fault. */
  add(fault: Fault): Fault {
    this.#armed.push({ fault, seen: 0, struck: 0 })
    return fault
  }

  /** How often a fault has struck. */
  struck(fault: Fault): number {
    return this.#armed.find((armed) => armed.fault === fault)?.struck ?? 0
  }

  /** Takes one fault away, or all. */
  heal(fault?: Fault): void {
    this.#armed = fault === undefined ? [] : this.#armed.filter((armed) => armed.fault !== fault)
  }

  /** The fault that strikes this operation, if one does. */
  take(kind: OperationKind, path: string): Fault | undefined {
    if (this.#armed.length === 0 || this.isPaused) return undefined
    for (const armed of this.#armed) {
      const { fault } = armed
      if (!strikes(fault, kind, path)) continue
      armed.seen += 1
      if (armed.seen <= (fault.skip ?? 0) || armed.struck >= (fault.times ?? 1)) continue
      armed.struck += 1
      return fault
    }
    return undefined
  }

  /** Fails if a fault strikes this operation. @throws {DiskError} */
  check(kind: OperationKind, path: string): void {
    const code = this.take(kind, path)?.code
    if (code !== undefined) throw new DiskError(code, kind, path)
  }
}

function strikes(fault: Fault, kind: OperationKind, path: string): boolean {
  const { on } = fault
  if (on !== undefined && !(typeof on === 'string' ? on === kind : on.includes(kind))) return false
  if (fault.path === undefined) return true
  return typeof fault.path === 'string' ? path.includes(fault.path) : fault.path.test(path)
}
