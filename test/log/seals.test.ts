/** Seals of full segments: made when they are durable, compared by `verify`, broken by what changes a segment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { readWhole } from '../../lib/disk/replace.js'
import { SegmentChain } from '../../lib/disk/segment-chain.js'
import { segmentName } from '../../lib/format/names.js'
import { breakSeals, decodeSeals, Seals } from '../../lib/log/seals.js'
import { repairStore } from '../../lib/store/checking/repair.js'
import type { MessageStore } from '../../lib/store/message-store.js'
import { SimDisk } from '../support/sim-disk.js'
import { messageOf, openSim, ROOT, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'

function build() {
  const disk = new SimDisk()
  disk.makeDirectory('/ext')
  const chain = SegmentChain.load({ disk, files: new OpenFiles(disk), directory: '/log', segmentBytes: 1024, writable: true })
  chain.writeAt(Buffer.alloc(3000, 7), 0)
  const path = '/ext/seals'
  const load = () => new Seals({ disk, path, chain, pause: () => Promise.resolve() })
  return { disk, chain, path, load, seals: load() }
}

test('segments are sealed oldest first, one at a time, and none before it is durable to its end', async () => {
  const { seals, load } = build()
  assert.equal(await seals.sealNext(1023), false)
  assert.equal(await seals.sealNext(2047), true)
  assert.equal(await seals.sealNext(2047), false)
  assert.equal(await seals.sealNext(3072), true)
  assert.equal(await seals.sealNext(3072), true)
  assert.equal(await seals.sealNext(3072), false)
  const again = load()
  for (const start of [0, 1024, 2048]) {
    assert.equal(again.sumOf(start), await again.read(start))
    assert.notEqual(again.sumOf(start), undefined)
  }
})

test('a change breaks the seals of the segments that it touches and no other', async () => {
  const { disk, path, seals } = build()
  for (let n = 0; n < 3; n++) await seals.sealNext(3072)
  const kept = async (from: number, to: number) => {
    await breakSeals(disk, path, 1024, from, to)
    return [...decodeSeals(readWhole(disk, path)).keys()]
  }
  assert.deepEqual(await kept(1024, 1024), [0, 1024, 2048])
  assert.deepEqual(await kept(1023, 1025), [2048])
  assert.deepEqual(await kept(2047, 2048), [2048])
  assert.deepEqual(await kept(2048, 2049), [])
})

/** A closed store with sealed segments, whose records carry no checksum over all their bytes. */
async function sealedStore(): Promise<SimDisk> {
  const disk = new SimDisk()
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, { ...TINY, checksum: 'body' }))
  for (let n = 0; n < 16; n++) await time.run(store.put(messageOf(n, 1000, 2)))
  await time.run(store.flush())
  await time.pass(61_000)
  await time.run(store.close())
  assert.ok(decodeSeals(readWhole(disk, `${ROOT}/ext/seals`)).size >= 4)
  return disk
}

async function kindsFoundOn(disk: SimDisk): Promise<string[]> {
  const time = new SimTime(1_700_050_000_000)
  const store: MessageStore = await time.run(openSim(disk, time, { ...TINY, readOnly: true }))
  const { findings } = await time.run(store.verify())
  await time.run(store.close())
  return findings.filter(({ severity }) => severity !== 'note').map(({ kind }) => kind)
}

test('verify tells of rot in a sealed segment that no checksum of a record covers', async () => {
  const disk = await sealedStore()
  assert.deepEqual(await kindsFoundOn(disk), [])
  // A flag of the first record.
  disk.rot(`${ROOT}/commitlog/${segmentName(0)}`, 19, 1)
  assert.deepEqual(await kindsFoundOn(disk), ['sealBroken'])
})

test('a segment that was repaired is not told to be damaged, and the others keep their seals', async () => {
  const disk = await sealedStore()
  // In the body of the second record of the second segment.
  disk.rot(`${ROOT}/commitlog/${segmentName(4096)}`, 1800, 1)
  assert.ok((await kindsFoundOn(disk)).length > 0)
  await repairStore(ROOT, { index: TINY.index! }, { disk })
  assert.deepEqual(await kindsFoundOn(disk), [])
  const starts = [...decodeSeals(readWhole(disk, `${ROOT}/ext/seals`)).keys()]
  assert.ok(!starts.includes(4096) && starts.includes(0) && starts.includes(8192), String(starts))
})
