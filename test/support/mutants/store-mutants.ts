/** Faults in the store: groups of writes, marks, recovery's plan, upkeep, opening and closing, reading. */
import type { Mutant } from './mutant.js'

/** See the head of this file. */
export const storeMutants: readonly Mutant[] = [
  {
    fault: 'a sync put is acknowledged when it is written',
    file: 'store/writing/write-groups.ts',
    text: `if (policy === 'async') {`,
    replacement: 'if (true) {',
    tests: ['store/put'],
  },
  {
    fault: 'a flush acknowledges every put, those behind it as well',
    file: 'store/writing/write-groups.ts',
    text: 'while (count < puts.length && puts[count]!.end <= durableEnd) count++',
    replacement: 'while (count < puts.length) count++',
    tests: ['crash/order'],
  },
  {
    fault: 'a batch that makes its group large is written in two groups',
    file: 'store/writing/write-groups.ts',
    text: 'for (const put of puts) this.#unwritten.push(put)',
    replacement: 'for (const put of puts) this.add(put)',
    tests: ['store/sync-groups'],
  },
  {
    fault: 'a large group is written while the disk is busy, and the rest of its turn by itself',
    file: 'store/writing/write-groups.ts',
    text: ' && this.#options.flusher.isIdle',
    replacement: '',
    tests: ['store/sync-groups'],
  },
  {
    fault: 'the disk waits for the end of the turn however many put',
    file: 'store/writing/write-groups.ts',
    text: 'this.#unwritten.length) / 2)',
    replacement: 'this.#unwritten.length) * 2)',
    tests: ['store/sync-groups'],
  },
  {
    fault: 'recovery takes properties that only look like a checksum for one',
    file: 'store/views/plain-dispatch.ts',
    text: 'crcAt >= 0 && readCrcProperty(block, crcAt) >= 0 ? crcAt : end',
    replacement: 'crcAt >= 0 ? crcAt : end',
    tests: ['store/plain-dispatch'],
  },
  {
    fault: 'a put that found no space keeps its queue offset',
    file: 'store/writing/write-groups.ts',
    text: 'if (count > 0) queue.nextOffset = receipt.queueOffset',
    replacement: '',
    tests: ['store/lifecycle'],
  },
  {
    fault: 'a put that found no space is not taken back from the log',
    file: 'store/writing/write-groups.ts',
    text: 'const undone = this.#undo()',
    replacement: 'const undone = Promise.resolve()',
    tests: ['store/lifecycle'],
  },
  {
    fault: 'zeros over a refused message are not flushed before the refusal is told',
    file: 'store/writing/write-groups.ts',
    text: 'if (torn !== undefined) await log.chain.flush(torn.from, torn.to)',
    replacement: '',
    tests: ['crash/regress'],
  },
  {
    fault: 'puts go on after EIO',
    file: 'store/writing/write-groups.ts',
    text: `return error instanceof DiskError ? error.code === 'EIO' : !(error instanceof MessageStoreError)`,
    replacement: 'return false',
    tests: ['crash/order'],
  },
  {
    fault: 'a store that failed leaves its puts without an answer',
    file: 'store/writing/write-groups.ts',
    text: 'const puts = [...this.#undurable, ...this.#unwritten]',
    replacement: 'const puts = [...this.#unwritten]',
    tests: ['store/lifecycle'],
  },
  {
    fault: 'store times follow a clock that is set back',
    file: 'store/writing/writer.ts',
    text: 'Math.max(this.#lastTimestamp, now)',
    replacement: 'now',
    tests: ['store/put'],
  },
  {
    fault: 'a put that waited for room does not ask again whether the store may be written',
    file: 'store/writing/writer.ts',
    text: 'checkWritable()\n      return',
    replacement: 'return',
    tests: ['store/lifecycle'],
  },
  {
    fault: 'a store opened for writing keeps the mark of the clean close',
    file: 'store/keeping/bookkeeping.ts',
    text: 'disk.remove(layout.clean)',
    replacement: '',
    tests: ['crash/order'],
  },
  {
    fault: 'that the mark of the clean close is gone is not flushed before the first write',
    file: 'store/keeping/bookkeeping.ts',
    text: 'await disk.flushDirectory(layout.ext)',
    replacement: '',
    tests: ['crash/order'],
  },
  {
    fault: 'the mark of an open store is not flushed before the checkpoint and the clean mark change',
    file: 'store/keeping/bookkeeping.ts',
    text: 'this.#writeMark()\n    await this.#mark.flush()',
    replacement: 'this.#writeMark()',
    tests: ['crash/order'],
  },
  {
    fault: 'the manifest of the views is written before the mark tells of the times in it',
    file: 'store/keeping/bookkeeping.ts',
    text: 'await this.#announce(times)\n    await this.#writeManifest(viewsEnd, false)',
    replacement: 'await this.#writeManifest(viewsEnd, false)',
    tests: ['crash/order'],
  },
  {
    fault: "RocketMQ's checkpoint says that records are durable which are only written",
    file: 'store/keeping/bookkeeping.ts',
    text: 'while (count < this.#trail.length && this.#trail[count]!.end <= logEnd) count++',
    replacement: 'while (count < this.#trail.length) count++',
    tests: ['crash/order'],
  },
  {
    fault: "RocketMQ's checkpoint passes the index file that is not full",
    file: 'store/views/views.ts',
    text: 'Math.min(this.#oldestUnflushedMs, unsealed) - 1',
    replacement: 'this.#oldestUnflushedMs - 1',
    tests: ['store/checkpoint-bounds'],
  },
  {
    fault: 'dispatch leaves out the last key of a message',
    file: 'store/views/views.ts',
    text: 'for (let i = 0; i < keyHashes.length; i++) this.index.put(',
    replacement: 'for (let i = 1; i < keyHashes.length; i++) this.index.put(',
    tests: ['store/query'],
  },
  {
    fault: 'recovery skips the first record that it reads',
    file: 'store/recovery/recover.ts',
    text: 'views.dispatchRecord(block, at, size, address)',
    replacement: 'at > 0 && views.dispatchRecord(block, at, size, address)',
    tests: ['store/recovery'],
  },
  {
    fault: 'a clean mark is believed though the log goes on behind it',
    file: 'store/recovery/recover.ts',
    text: `if (origin === 'clean' && !endsThere) origin = 'crash'`,
    replacement: '',
    tests: ['crash/order'],
  },
  {
    fault: 'store times may go back over a restart',
    file: 'store/recovery/recover.ts',
    text: 'const lastKnown = newestKnown(found)',
    replacement: 'const lastKnown = 0',
    tests: ['crash/regress'],
  },
  {
    fault: 'segments are deleted before it is durably known how far the log was durable',
    file: 'store/keeping/upkeep.ts',
    text: 'await beforeDelete(segments[segments.length - 1]!.segment.start + log.segmentBytes)',
    replacement: '',
    tests: ['crash/order'],
  },
  {
    fault: 'several segments are deleted without a flush of the names between them',
    file: 'store/keeping/upkeep.ts',
    text: 'await log.chain.flushDirectory()',
    replacement: '',
    tests: ['crash/order'],
  },
  {
    fault: 'a segment goes though what stands behind it is not durable',
    file: 'store/keeping/segment-ages.ts',
    text: 'if (next >= durableEnd || ',
    replacement: 'if (',
    tests: ['crash/order'],
  },
  {
    fault: 'a full disk is not looked at again',
    file: 'store/keeping/upkeep.ts',
    text: 'if (this.#sawNoSpace && space.freeBytes >= RESUME_BYTES && catchUpMarks()) this.#sawNoSpace = false',
    replacement: '',
    tests: ['store/lifecycle'],
  },
  {
    fault: 'the lock is taken after recovery',
    file: 'store/open.ts',
    text: `  const lock = await prepare(layout, options, ports)
  const files = new OpenFiles(ports.disk, options.openFiles)
  // A reader replaces its views while it keeps its log.
  const viewFiles = options.readOnly ? new OpenFiles(ports.disk, options.openFiles) : files
  try {
    const tracesBefore = options.readOnly ? viewTraces(ports.disk, layout) : undefined
    const recovered = await recoverStore({ layout, options, ports, files, viewFiles })`,
    replacement: `  let lock
  const files = new OpenFiles(ports.disk, options.openFiles)
  // A reader replaces its views while it keeps its log.
  const viewFiles = options.readOnly ? new OpenFiles(ports.disk, options.openFiles) : files
  try {
    const tracesBefore = options.readOnly ? viewTraces(ports.disk, layout) : undefined
    const recovered = await recoverStore({ layout, options, ports, files, viewFiles })
    lock = await prepare(layout, options, ports)`,
    tests: ['crash/order'],
  },
  {
    fault: 'the directory is not locked at all',
    file: 'store/open.ts',
    text: 'if (options.readOnly) return undefined',
    replacement: 'return undefined',
    tests: ['crash/order', 'crash/double-open'],
  },
  {
    fault: 'close does not flush the log',
    file: 'store/open.ts',
    text: 'if (isSound) await makeDurable(base, writing)',
    replacement: '',
    tests: ['store/lifecycle'],
  },
  {
    fault: 'a store that failed is marked as cleanly closed',
    file: 'store/open.ts',
    text: 'if (state.failure !== undefined) throw state.failure\n  try {\n    const bounds',
    replacement: 'try {\n    const bounds',
    tests: ['crash/order'],
  },
  {
    fault: 'the filter looks at the hash of a tag alone',
    file: 'store/reading/reader.ts',
    text: 'if (filter !== undefined && !matches(cursor, filter)) {',
    replacement: 'if (false) {',
    tests: ['store/get'],
  },
  {
    fault: 'a get serves whatever message stands where its queue entry points',
    file: 'store/reading/reader.ts',
    text: 'found <= 0 || !isMessageOf(cursor, queue, queueOffset)',
    replacement: 'found <= 0',
    tests: ['store/damaged-queues'],
  },
  {
    fault: 'a query trusts the hash of a key',
    file: 'store/reading/search.ts',
    text: 'if (keys !== undefined && hasWord(bytes, keys.start, keys.end, key)) return [message]',
    replacement: 'if (keys !== undefined) return [message]',
    tests: ['store/query'],
  },
  {
    fault: 'verify does not compare sealed segments',
    file: 'store/checking/verify.ts',
    text: 'const crc = await seals.read(start, pause)',
    replacement: 'const crc = expected',
    tests: ['log/seals'],
  },
]
