/**
 * BIG: stores whose log crosses 2^31, 2^32, 2^40, 2^43 and comes near 2^53, closed, killed and without power.
 * What files do at such positions is shown in `test/disk/big.test.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { segmentName } from '../../lib/format/names.js'
import type { PutReceipt } from '../../lib/store/message.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { SimDisk } from '../support/sim-disk.js'
import { messageOf, openSim, ROOT, readStore, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'

const SYNC: StoreOptions = { ...TINY, flush: 'sync' }
const SEGMENT = 4096
const edges = [2 ** 31, 2 ** 32, 2 ** 40, 2 ** 43, 2 ** 53 - 5 * SEGMENT]
const endings = ['closed', 'killed', 'without power'] as const
let cases = 0

/** A disk with an empty log that begins at an address. */
function diskAt(start: number): SimDisk {
  const disk = new SimDisk()
  disk.makeDirectory(`${ROOT}/commitlog`)
  const file = disk.open(`${ROOT}/commitlog/${segmentName(start)}`, { write: true, create: true })
  file.resize(SEGMENT)
  file.close()
  disk.settle()
  return disk
}

async function crossing(start: number, ending: (typeof endings)[number]): Promise<void> {
  const disk = diskAt(start)
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, SYNC))
  const receipts: PutReceipt[] = []
  // Three to a segment: four segments in all.
  for (let n = 0; n < 10; n++) receipts.push(await time.run(store.put(messageOf(n, 1000, 2))))
  assert.equal(receipts[0]!.commitLogOffset, start)
  assert.equal(receipts.at(-1)!.commitLogOffset, start + 3 * SEGMENT)
  if (ending === 'closed') await time.run(store.close())
  const left = ending === 'killed' ? disk.kill() : disk.crash()
  const later = new SimTime(1_700_050_000_000)
  const again = await later.run(openSim(left, later, SYNC))
  assert.equal(again.status, 'open')
  assert.deepEqual(again.recovery.corruption, [])
  // Reads all of it, by queue and by key.
  const { messages } = await readStore(again, SYNC)
  assert.deepEqual(
    messages.map(({ number, commitLogOffset }) => [number, commitLogOffset]),
    receipts.map(({ commitLogOffset }, number) => [number, commitLogOffset]),
  )
  for (const { messageId, commitLogOffset, queueOffset } of receipts) {
    assert.equal((await again.lookup(messageId))?.queueOffset, queueOffset)
    assert.equal((await again.lookup({ commitLogOffset }))?.messageId, messageId)
  }
  const { findings } = await later.run(again.verify())
  assert.deepEqual(
    findings.filter(({ severity }) => severity !== 'note'),
    [],
  )
  await later.run(again.close())
  cases++
}

for (const edge of edges) {
  test(`a log that crosses ${edge} is read as it was put, by queue, key and address`, async () => {
    for (const before of [3, 2, 1, 0]) for (const ending of endings) await crossing(edge - before * SEGMENT, ending)
  })
}

test('a log that comes to 2^53 refuses what would pass it, and keeps what it has', async () => {
  const start = 2 ** 53 - 2 * SEGMENT
  const disk = diskAt(start)
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, SYNC))
  let put = 0
  const refusal = await (async () => {
    for (; put < 10; put++) await time.run(store.put(messageOf(put, 1000, 2)))
    return undefined
  })().catch((error: unknown) => error)
  assert.ok(refusal instanceof MessageStoreError, String(refusal))
  assert.equal(refusal.code, 'OFFSET_OVERFLOW')
  const { messages } = await readStore(store, SYNC)
  assert.equal(messages.length, put)
  assert.ok(put >= 3)
  assert.ok(messages.every(({ commitLogOffset, size }) => Number.isSafeInteger(commitLogOffset + size)))
  cases++
})

test('there were at least sixty cases', () => assert.ok(cases >= 60, `${cases} cases`))
