/**
 * Follows the log of a store that another process writes: every new record, in the order of the log.
 *
 * The writer's queue files lag behind by up to half a minute, the log only by the turn in which it was
 * written. A record that is being written is not whole yet and comes with the next look.
 */
import { sleep } from '../base/system.js'
import { nodeDisk } from '../disk/node-disk.js'
import { OpenFiles } from '../disk/open-files.js'
import { readWhole } from '../disk/replace.js'
import { SegmentChain } from '../disk/segment-chain.js'
import { blockOf } from '../format/block.js'
import { RecordAt, SysFlag } from '../format/record.js'
import { isStandIn } from '../format/stand-in.js'
import { decodeRanges } from '../log/ranges.js'
import { LogScanner } from '../log/scanner.js'
import type { StoreLayout } from '../store/layout.js'
import { levelIn } from '../store/recover.js'
import { StoredMessage } from '../store/stored-message.js'

const LOOK_EVERY_MS = 200

/** New messages from an address on, until the signal fires. @param logEnd - a boundary between records */
export async function* followLog(layout: StoreLayout, logEnd: number, signal: AbortSignal): AsyncGenerator<StoredMessage> {
  const files = new OpenFiles(nodeDisk, 16)
  const load = (): SegmentChain =>
    SegmentChain.load({ disk: nodeDisk, files, directory: layout.commitLog, segmentBytes: undefined, writable: false })
  try {
    let chain = load()
    const ranges = decodeRanges(readWhole(nodeDisk, layout.ranges))
    let address = logEnd
    while (!signal.aborted) {
      // A store that was empty has no segment to know the length of.
      if (chain.segmentBytes > 0) chain.refresh()
      else chain = load()
      const scanner = new LogScanner({ chain, levelAt: levelIn(ranges) })
      const found: StoredMessage[] = []
      address = Math.max(address, chain.start)
      const stop = await scanner.scan(address, Math.min(chain.end, address + chain.segmentBytes), (block, at, size, start) => {
        const isMessage = (block.view.getInt32(at + RecordAt.sysFlag) & SysFlag.transactionPrepared) === 0
        if (!isMessage || isStandIn(block, at)) return
        found.push(StoredMessage.fromRecord(blockOf(Buffer.from(block.bytes.subarray(at, at + size))), 0, start))
      })
      const isIdle = stop.address === address
      address = stop.address
      yield* found
      if (isIdle) await sleep(LOOK_EVERY_MS, signal)
    }
  } finally {
    files.closeAll()
  }
}
