/** Damage to small stores at rest, case by case, and what came of it. */
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import type { StoreOptions } from '../../lib/index.js'
import { judge, type StoreImage, storeImage, type Verdict } from './flip-store.js'
import { root } from './open-store.js'
import { Random } from './random.js'
import { inShare } from './tier.js'

/** What the cases of a run came to. */
export interface FlipCounts {
  cases: number
  /** Messages that were not what was put, or missing without a word. */
  silentlyWrong: number
  /** Messages that the damage did not touch and that are gone. */
  dropped: number
  /** The first few of those cases. */
  readonly failures: string[]
  /** Outcomes by kind of file. */
  readonly kinds: Record<string, { cases: number; intact: number; reported: number; refused: number }>
}

const none = (): FlipCounts => ({ cases: 0, silentlyWrong: 0, dropped: 0, failures: [], kinds: {} })

function count(counts: FlipCounts, path: string, what: string, { outcome, wrong, dropped }: Verdict): void {
  const [first = '', ...rest] = path.slice(root.length + 1).split('/')
  const kind = (counts.kinds[first === 'ext' ? [first, ...rest].join('/') : first] ??= {
    cases: 0,
    intact: 0,
    reported: 0,
    refused: 0,
  })
  counts.cases++
  kind.cases++
  kind[outcome]++
  if (wrong !== undefined) counts.silentlyWrong++
  if (dropped !== undefined) counts.dropped++
  if ((wrong ?? dropped) !== undefined && counts.failures.length < 10) counts.failures.push(`${what}: ${wrong ?? dropped}`)
}

/** Where a position of a file of the log stands in the log; others stand nowhere. */
function addressIn(path: string): number {
  return path.includes('/commitlog/') ? Number(path.slice(path.lastIndexOf('/') + 1)) : Number.NaN
}

/** Bytes that are put over others. */
interface Patch {
  readonly from: number
  readonly content: Uint8Array
}

async function damaged(image: StoreImage, path: string, patches: readonly Patch[], options: StoreOptions = {}): Promise<Verdict> {
  const disk = new MemoryDisk()
  disk.restore(image.snapshot)
  const changed: number[] = []
  for (const { from, content } of patches) {
    const before = disk.bytesOf(path, from, from + content.length)
    for (let at = 0; at < content.length; at++) if (before[at] !== content[at]) changed.push(addressIn(path) + from + at)
    disk.overwrite(path, from, content)
  }
  return judge(disk, image, (a, b) => changed.some((address) => address >= a && address < b), options)
}

/** Bytes of a file of a store at rest. */
export function bytesIn(image: StoreImage, path: string, from: number, to: number): Uint8Array {
  const disk = new MemoryDisk()
  disk.restore(image.snapshot)
  return disk.bytesOf(path, from, to)
}

/** Which bits to flip. */
export interface FlipOptions {
  readonly ending: 'closed' | 'killed'
  readonly seed: number
  /** Every bit of a byte, or one of them. */
  readonly bits: 'every' | 'one'
  /** One byte in so many. @default 1 */
  readonly every?: number
  /** Part of the paths of the files to damage; all when left out. */
  readonly files?: string
  readonly store?: StoreOptions
}

/** Flips bits over all the files of a store, and judges each. */
export async function flipBits({ ending, seed, bits, every = 1, files = '', store = {} }: FlipOptions): Promise<FlipCounts> {
  const image = await storeImage(ending, store)
  const random = new Random(seed)
  const counts = none()
  let n = 0
  for (const { path, bytes } of image.files.filter((file) => file.path.includes(files))) {
    for (let at = 0; at < bytes; at += every) {
      const [byte = 0] = bytesIn(image, path, at, at + 1)
      for (const bit of bits === 'every' ? [0, 1, 2, 3, 4, 5, 6, 7] : [random.int(8)]) {
        if (!inShare(n++)) continue
        const verdict = await damaged(image, path, [{ from: at, content: Uint8Array.of(byte ^ (1 << bit)) }], store)
        count(counts, path, `${path} byte ${at} bit ${bit}`, verdict)
      }
    }
  }
  return counts
}

/** Makes larger damage, and judges each. */
export async function damageMore(options: { ending: 'closed' | 'killed'; seed: number; cases: number }): Promise<FlipCounts> {
  const { ending, seed, cases } = options
  const image = await storeImage(ending)
  const counts = none()
  for (let n = 0; n < cases; n++) {
    if (!inShare(n)) continue
    const random = new Random(seed * 1_000_003 + n)
    const { path, bytes } = random.pick(image.files)
    const { what, patches } = larger(random, image, path, bytes)
    count(counts, path, `seed ${seed}, case ${n}: ${what} of ${path}`, await damaged(image, path, patches))
  }
  return counts
}

/** Zeroed sectors, random bytes, a block copied over another, two blocks swapped. */
function larger(random: Random, image: StoreImage, path: string, bytes: number): { what: string; patches: Patch[] } {
  const kind = random.pick(['zeros', 'ones', 'random', 'copy', 'swap'] as const)
  const length = random.between(1, Math.min(bytes, random.pick([4, 40, 512])))
  const from = random.int(bytes - length + 1)
  const other = random.int(bytes - length + 1)
  const what = `${kind} of ${length} bytes at ${from}`
  if (kind === 'zeros') return { what, patches: [{ from, content: new Uint8Array(length) }] }
  if (kind === 'ones') return { what, patches: [{ from, content: new Uint8Array(length).fill(255) }] }
  if (kind === 'random') return { what, patches: [{ from, content: random.bytes(length) }] }
  const copied = { from, content: Uint8Array.from(bytesIn(image, path, other, other + length)) }
  if (kind === 'copy') return { what: `${what} from ${other}`, patches: [copied] }
  return {
    what: `${what} and ${other}`,
    patches: [{ from: other, content: Uint8Array.from(bytesIn(image, path, from, from + length)) }, copied],
  }
}
