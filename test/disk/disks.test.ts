/** Every disk against the same suite. */

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { NodeDisk, nodeDisk } from '../../lib/disk/node-disk.js'
import { SimDisk } from '../support/sim-disk.js'
import { type DiskUnderTest, diskConformance } from './conformance.js'

const onRealDisk = (disk: NodeDisk) => (): DiskUnderTest => ({
  disk,
  root: mkdtempSync(join(tmpdir(), 'mqlite-disk-')),
  placeLink: (path, target) => symlinkSync(target, path),
})
const removeRoot = ({ root }: DiskUnderTest) => rmSync(root, { recursive: true, force: true })

diskConformance('real disk', onRealDisk(nodeDisk as NodeDisk), removeRoot)
diskConformance('real disk without fs-ext', onRealDisk(new NodeDisk({ nativeLocks: false })), removeRoot)

diskConformance('disk in memory', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/root')
  return { disk, root: '/root', placeLink: (path) => disk.placeLink(path) }
})

diskConformance('simulated disk', () => {
  const disk = new SimDisk()
  disk.makeDirectory('/root')
  return { disk, root: '/root', placeLink: (path) => disk.live.placeLink(path) }
})

diskConformance('simulated disk after a crash', () => {
  const before = new SimDisk()
  before.makeDirectory('/root')
  before.settle()
  const disk = before.crash()
  return { disk, root: '/root', placeLink: (path) => disk.live.placeLink(path) }
})
