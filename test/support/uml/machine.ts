/**
 * A machine whose power can be cut: User-Mode Linux, a Linux kernel as an ordinary process.
 *
 * It sees the files of this machine as its own, and a disk that is a file. When the process is killed, the
 * page cache of that kernel is gone and the disk holds what had been written to it: a power cut, except
 * that the disk has no cache of its own.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, start } from '../children.js'

/** File systems that a machine's disk can have. */
export type FileSystem = 'ext4' | 'xfs'

const MAKE: Readonly<Record<FileSystem, string>> = {
  ext4: 'truncate -s 96M "$1" && mkfs.ext4 -q -F "$1"',
  xfs: 'truncate -s 320M "$1" && mkfs.xfs -q -f "$1"',
}

/** What keeps machines from running here, or `false`. */
export function whyNoMachine(): string | false {
  for (const tool of ['linux.uml', 'mkfs.ext4', 'mkfs.xfs', 'unshare']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not there`
  }
  return spawnSync('unshare', ['-m', 'true']).status === 0 ? false : 'file systems cannot be mounted here'
}

/** Makes an empty disk. */
export function makeDisk(path: string, fileSystem: FileSystem): void {
  const made = spawnSync('sh', ['-c', MAKE[fileSystem], 'sh', path])
  if (made.status !== 0) throw new Error(String(made.stderr))
}

/** A machine that runs. */
export interface Machine {
  /** Waits until a file of this machine has so many bytes. @throws when that does not happen */
  waitForBytes(path: string, bytes: number): Promise<void>
  /** Cuts the power. */
  cut(): Promise<void>
}

/** Where a machine mounts its disk. */
export const DISK = '/mnt/d'

/** Boots a machine that mounts a disk and runs one program. @param scratch - a directory for its own files */
export function boot(scratch: string, disk: string, fileSystem: FileSystem, program: readonly string[]): Machine {
  const output = join(scratch, 'machine-output')
  const init = join(scratch, 'init')
  writeFileSync(output, '')
  writeFileSync(
    init,
    [
      '#!/bin/sh',
      `exec > '${output}' 2>&1`,
      'mount -t proc proc /proc && mount -t tmpfs none /mnt && mkdir /mnt/d && mknod /mnt/disk b 98 0 || exit 1',
      `mount -t ${fileSystem} /mnt/disk ${DISK} || exit 1`,
      `exec ${program.map((word) => `'${word}'`).join(' ')}`,
    ].join('\n'),
  )
  chmodSync(init, 0o755)
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'rw', `init=${init}`]
  const machine = start('linux.uml', ['mem=384M', ...root, `ubd0=${disk}`, 'con=null'], { detached: true })
  const ended = machine.exit.then(() => undefined)
  return {
    waitForBytes: (path, bytes) => waitForBytes(machine, output, path, bytes),
    async cut() {
      // The kernel is several processes, which form a group.
      if (machine.process.pid !== undefined) process.kill(-machine.process.pid, 'SIGKILL')
      await ended
    },
  }
}

async function waitForBytes({ process: { exitCode, pid } }: Child, output: string, path: string, bytes: number): Promise<void> {
  for (let waited = 0; waited < 120_000; waited += 10) {
    if (existsSync(path) && readFileSync(path).length >= bytes) return
    if (exitCode !== null || pid === undefined || readFileSync(output, 'utf8').includes('Error')) break
    await sleep(10)
  }
  throw new Error(`the machine did not get there: ${readFileSync(output, 'utf8')}`)
}

/** Runs a program of this machine that sees the disk mounted, where nobody else does, and ends the mount with it. */
export function onDisk(scratch: string, disk: string, mountPoint: string, program: readonly string[]): Child {
  const script = 'mount -o loop "$1" "$2" && shift 2 && exec "$@"'
  return start('unshare', ['-m', 'sh', '-c', script, 'sh', disk, mountPoint, ...program], { cwd: scratch })
}
