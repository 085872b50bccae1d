/**
 * A log is damaged, `repair` mends it, and RocketMQ takes over: it must find every intact message where it
 * was, get past the lost ones, and go on; then mqlite must agree with what RocketMQ added.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { repairStore } from '../../lib/index.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { type Generation, generations } from './java-build.js'
import { openOptions, openOurs, small, temporary } from './ours.js'
import { Shell, type Sizes } from './shell.js'
import { type Acknowledged, assertFound, snapshotJava, snapshotOurs } from './snapshot.js'
import { dataFor, fill } from './workload.js'

const writers: Readonly<Record<string, (t: TestContext, generation: Generation) => Promise<Shell>>> = {
  RocketMQ: (t, generation) => Shell.java(t, generation),
  mqlite: (t) => Shell.mqlite(t),
}
const segmentBytes = small.segmentBytes!

/** The first and the last message of the second segment, two neighbours, and one near the end of the log. */
function victimsOf(acknowledged: readonly Acknowledged[]): Acknowledged[] {
  const sorted = acknowledged.toSorted((a, b) => a.receipt.commitLogOffset - b.receipt.commitLogOffset)
  const second = sorted.filter(({ receipt }) => Math.floor(receipt.commitLogOffset / segmentBytes) === 1)
  return [sorted[10]!, sorted[11]!, second[0]!, second.at(-1)!, sorted.at(-3)!]
}

/** Breaks the magic of a record, which every check of every generation notices. */
function damage(directory: string, { receipt: { commitLogOffset } }: Acknowledged): void {
  const start = commitLogOffset - (commitLogOffset % segmentBytes)
  const file = nodeDisk.open(join(directory, 'commitlog', String(start).padStart(20, '0')), { write: true })
  file.writeAt(Buffer.from([0x55, 0x55]), commitLogOffset - start + 5)
  file.close()
}

for (const generation of generations) {
  describe(`RocketMQ ${generation} after a repair`, () => {
    for (const [writer, start] of Object.entries(writers)) {
      test(`of what ${writer} wrote reads every intact message, and goes on`, async (t) => {
        const directory = temporary(t)
        const sizes: Sizes = { ...small, flush: 'async' }
        const shell = await start(t, generation)
        await shell.open(directory, sizes)
        const acknowledged = await fill(shell, dataFor(generation), 6)
        await shell.close()
        const lost = victimsOf(acknowledged)
        for (const victim of lost) damage(directory, victim)

        const damaged = await MessageStore.open(directory, { ...openOptions(sizes), readOnly: true })
        assert.equal((await damaged.verify()).findings.filter(({ kind }) => kind === 'recordDamaged').length, 4)
        await damaged.close()
        const { index } = openOptions(sizes)
        const report = await repairStore(directory, index === undefined ? {} : { index })
        assert.deepEqual([report.ranges.length, report.verified.ok], [4, true], JSON.stringify(report.verified.findings))

        const intact = acknowledged.filter((one) => !lost.includes(one))
        const java = await Shell.java(t, generation)
        await java.open(directory, sizes)
        assertFound(await snapshotJava(java), intact)
        const more = await fill(java, dataFor(generation), 7)
        assertFound(await snapshotJava(java), [...intact, ...more])
        await java.close()

        const store = await openOurs(t, directory, sizes)
        assertFound(await snapshotOurs(store, sizes), [...intact, ...more])
      })
    }
  })
}
