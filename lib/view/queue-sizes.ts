/** How long the segments of the queues are. All queues of a store have one length, or RocketMQ refuses them. */
import { MessageStoreError } from '../base/errors.js'
import type { Disk } from '../disk/disk.js'
import { isTopic, parseQueueId, parseSegmentName } from '../format/names.js'
import { QUEUE_ENTRY_BYTES } from '../format/queue-entry.js'

/**
 * Entries of a segment: as in the files that are there, else as asked for, else the default.
 *
 * @throws {MessageStoreError} `STORE_INCOMPATIBLE` when the files have another length than was asked for
 */
export function queueSegmentEntries(disk: Disk, directory: string, asked: number | undefined, preset: number): number {
  const found = firstSegment(disk, directory)
  if (found === undefined) return asked ?? preset
  const entries = found.bytes / QUEUE_ENTRY_BYTES
  if (asked !== undefined && entries !== asked) {
    throw new MessageStoreError(
      'STORE_INCOMPATIBLE',
      `${found.path} has ${found.bytes} bytes, the option queueSegmentEntries ${asked} makes ${asked * QUEUE_ENTRY_BYTES}`,
    )
  }
  return entries
}

function firstSegment(disk: Disk, directory: string): { path: string; bytes: number } | undefined {
  for (const topic of disk.list(directory)) {
    if (topic.kind !== 'directory' || !isTopic(topic.name)) continue
    for (const queue of disk.list(`${directory}/${topic.name}`)) {
      if (queue.kind !== 'directory' || parseQueueId(queue.name) === undefined) continue
      const place = `${directory}/${topic.name}/${queue.name}`
      for (const { name, kind } of disk.list(place)) {
        const path = `${place}/${name}`
        const bytes = kind === 'file' && parseSegmentName(name) !== undefined ? (disk.stat(path)?.bytes ?? 0) : 0
        // What a crash left empty, or something foreign, says nothing.
        if (bytes > 0 && bytes % QUEUE_ENTRY_BYTES === 0) return { path, bytes }
      }
    }
  }
  return undefined
}
