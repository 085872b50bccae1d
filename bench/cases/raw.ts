/**
 * What the file system alone allows: the same bytes in one positioned write for all records in flight, then
 * one `fdatasync` where the others wait for the disk. No store can be faster with one write per group.
 */
import { closeSync, fdatasync, fstatSync, openSync, readdirSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Case, perSecond, RECORD_BYTES, rates, timed } from '../workload.js'

const sync = promisify(fdatasync)
const READ_BYTES = 256 * 1024

/** Where to begin again, so that the file stays smaller than the page cache likes. */
const WRAP_BYTES = 512 * 1024 * 1024

export const rawWrite: Case = async ({ plan, directory, options }) => {
  const { flush = 'async', inFlight = 1, batch = 1 } = options
  const records = inFlight * batch
  const bytes = Buffer.alloc(records * RECORD_BYTES, 0x55)
  const file = openSync(join(directory, 'raw'), 'w+')
  let position = 0
  try {
    const groups = await rates(plan, 1, async () => {
      writeSync(file, bytes, 0, bytes.length, position)
      position = position > WRAP_BYTES ? 0 : position + bytes.length
      if (flush === 'sync') await sync(file)
    })
    return { rounds: groups.map((rate) => rate * records) }
  } finally {
    closeSync(file)
  }
}

/** Reads the log of a prepared store from front to back; in messages per second, as the others. */
export const rawRead: Case = async ({ plan, directory }) => {
  const block = Buffer.alloc(READ_BYTES)
  const paths = readdirSync(join(directory, 'commitlog')).map((name) => join(directory, 'commitlog', name))
  const logBytes = plan.messages * RECORD_BYTES
  const rounds = await timed(plan.rounds, () => {
    let rest = logBytes
    for (const path of paths) {
      const file = openSync(path, 'r')
      const { size } = fstatSync(file)
      for (let at = 0; at < size && rest > 0; at += READ_BYTES) rest -= readSync(file, block, 0, READ_BYTES, at)
      closeSync(file)
    }
    return plan.messages
  })
  return { rounds, details: { bytesPerSecond: perSecond(logBytes, (plan.messages * 1000) / rounds[0]!) } }
}
