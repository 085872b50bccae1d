/**
 * Takes the lock of a directory in a process or thread of its own, says how that went, and holds it until
 * told to stop: `node lock-holder.js DIR native|files`. A thread is told how it ends.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { NodeDisk } from '../../lib/disk/node-disk.js'

const [root, mode] = parentPort ? (workerData as string[]) : process.argv.slice(2)
const disk = new NodeDisk({ nativeLocks: mode === 'native' })
const lock = await disk.lock(`${root}/ext/lock`, `${root}/lock`)
const outcome = 'release' in lock ? { kind: lock.kind } : lock
const release = () => 'release' in lock && lock.release()

if (parentPort) {
  const port = parentPort
  port.postMessage(outcome)
  port.once('message', (how: string) => {
    if (how === 'process.exit') process.exit(1)
    if (how === 'an uncaught error') throw new Error('the end of this thread')
    release()
    port.postMessage('released')
    port.close()
  })
} else {
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
  process.stdin.once('data', () => {
    release()
    process.exit(0)
  })
}
