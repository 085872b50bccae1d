/**
 * ENOSPC: stores on real file systems that fill up, by bytes and by names.
 *
 * Checked: puts are refused with `DISK_FULL` and nothing else, and what was refused is not there; all that
 * was acknowledged can be read meanwhile; puts go on when there is space again; a store that was killed or
 * closed on a full disk can be read there, and loses nothing.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { killChildren, programPath, start } from '../support/children.js'
import type { DiskFullInput } from '../support/disk-full-run.js'
import { Random } from '../support/random.js'
import { inDirectory } from '../support/scratch.js'
import { isFull, isWhole, runSeed } from '../support/tier.js'

after(killChildren)

const MIB = 1024 * 1024
const canMount = spawnSync('unshare', ['-m', 'true']).status === 0

/** How to make and mount a file system: `$1` is where, `$2` a file for its image. */
interface FileSystem {
  readonly name: string
  readonly mount: string
  readonly ballast: DiskFullInput['ballast']
  readonly needs?: string
  readonly fullOnly?: boolean
}

const fileSystems: readonly FileSystem[] = [
  { name: 'tmpfs', mount: 'mount -t tmpfs -o size=20m none "$1"', ballast: { leavesBytes: 3 * MIB } },
  {
    name: 'ext4',
    mount: 'truncate -s 24M "$2" && mkfs.ext4 -q -F "$2" && mount -o loop "$2" "$1"',
    ballast: { leavesBytes: 3 * MIB },
    needs: 'mkfs.ext4',
  },
  {
    name: 'XFS',
    mount: 'truncate -s 300M "$2" && mkfs.xfs -q "$2" && mount -o loop "$2" "$1"',
    ballast: { leavesBytes: 3 * MIB },
    needs: 'mkfs.xfs',
    fullOnly: true,
  },
  { name: 'tmpfs without names', mount: 'mount -t tmpfs -o size=40m,nr_inodes=400 none "$1"', ballast: { files: 350 } },
  {
    name: 'ext4 without names',
    mount: 'truncate -s 40M "$2" && mkfs.ext4 -q -F -N 400 "$2" && mount -o loop "$2" "$1"',
    ballast: { files: 350 },
    needs: 'mkfs.ext4',
    fullOnly: true,
  },
]

const lives = ['fill', 'close', 'kill'] as const

for (const fileSystem of fileSystems) {
  const missing = !canMount ? 'file systems cannot be mounted here' : isMissing(fileSystem.needs)
  if (fileSystem.fullOnly && !isFull) continue
  test(`${fileSystem.name}: puts are refused when it is full, reads go on, nothing acknowledged is lost`, {
    skip: missing,
  }, async (context) => {
    const seed = runSeed()
    const random = new Random(seed)
    const totals = { runs: 0, acks: 0, refused: 0, resumed: 0 }
    for (const life of isFull ? lives : [random.pick(lives)]) {
      for (const flush of isWhole ? (['sync', 'async'] as const) : [random.pick(['sync', 'async'] as const)]) {
        for (const watchful of isWhole ? [true, false] : [random.chance(0.5)]) {
          const result = await oneLife(fileSystem, { life, flush, watchful, ballast: fileSystem.ballast, seed }).catch(
            (error) => {
              throw new Error(`${life}, flush ${flush}, watchful ${watchful}, MQLITE_SEED=${seed}`, { cause: error })
            },
          )
          totals.runs += 1
          for (const count of ['acks', 'refused', 'resumed'] as const) totals[count] += result[count]
        }
      }
    }
    context.diagnostic(`${totals.runs} lives, ${totals.acks} acknowledged, 0 lost, ${totals.refused} refused`)
  })
}

interface LifeResult {
  readonly acks: number
  readonly refused: number
  readonly resumed: number
  readonly codes: readonly string[]
}

/** Runs one life where the mount is seen by nobody else and ends with the last process. */
async function oneLife(fileSystem: FileSystem, input: Omit<DiskFullInput, 'mount' | 'ledger'>): Promise<LifeResult> {
  return await inDirectory('disk-full', async (root) => {
    const mount = join(root, 'mount')
    mkdirSync(mount)
    const script = `${fileSystem.mount} && exec "$3" "$4" "$5"`
    const told = JSON.stringify({ ...input, mount, ledger: join(root, 'ledger') } satisfies DiskFullInput)
    const given = [mount, join(root, 'image'), process.execPath, programPath('disk-full-run'), told]
    const { code, stdout, stderr } = await start('unshare', ['-m', 'sh', '-c', script, 'sh', ...given]).exit
    assert.equal(code, 0, stderr)
    const result = JSON.parse(stdout) as LifeResult
    assert.deepEqual(
      result.codes.filter((refusal) => refusal !== 'DISK_FULL'),
      [],
      'every refusal says that the disk is full',
    )
    return result
  })
}

function isMissing(tool: string | undefined): string | false {
  if (tool === undefined) return false
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`])
    return false
  } catch {
    return `${tool} is not there`
  }
}
