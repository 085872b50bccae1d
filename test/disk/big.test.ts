/**
 * Addresses where 32-bit arithmetic, floating point and file systems have their edges, on real sparse files.
 *
 * Around 2^31, 2^32, 2^40 and up to 2^53 - 1: every byte must land where it was meant to and nowhere else.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { InvariantError } from '../../lib/base/errors.js'
import { DiskError } from '../../lib/disk/disk.js'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { SegmentChain } from '../../lib/disk/segment-chain.js'
import { codeIn } from './conformance.js'

const root = mkdtempSync(join(tmpdir(), 'mqlite-big-'))
after(() => rmSync(root, { recursive: true, force: true }))

const edges = [2 ** 31, 2 ** 32, 2 ** 33, 2 ** 40, 2 ** 43]
const deltas = [-4097, -2, -1, 0, 1, 2, 4095]
let cases = 0

describe('one file', () => {
  for (const edge of edges) {
    test(`bytes around 2^${Math.log2(edge)} land where they were meant to`, () => {
      for (const delta of deltas) {
        cases += 1
        const path = `${root}/${edge}${delta}`
        const file = nodeDisk.open(path, { write: true, create: true })
        file.writeAt(Buffer.from('start'), 0)
        file.writeAt(Buffer.from('abc'), edge + delta)
        assert.equal(file.size(), edge + delta + 3)
        const target = Buffer.alloc(5)
        assert.equal(file.readAt(target, edge + delta - 1), 4)
        assert.equal(target.toString('latin1'), '\0abc\0')
        file.readAt(target, 0)
        assert.equal(target.toString(), 'start')
        // What a 32-bit or 31-bit position would have hit.
        for (const wrong of [(edge + delta) % 2 ** 32, (edge + delta) % 2 ** 31]) {
          if (wrong < 8 || wrong === edge + delta) continue
          file.readAt(target.subarray(0, 3), wrong)
          assert.equal(target.toString('latin1', 0, 3), '\0\0\0', `at ${wrong}`)
        }
        file.close()
        const allocated = nodeDisk.stat(path)?.allocatedBytes ?? 0
        assert.ok(allocated <= 65_536, `takes ${allocated} bytes`)
        nodeDisk.remove(path)
      }
    })
  }

  test('past the limit of the file system the refusal is its own, and nothing is written elsewhere', () => {
    const file = nodeDisk.open(`${root}/limit`, { write: true, create: true })
    for (const position of [2 ** 53 - 4, 2 ** 53 - 5, 2 ** 52 - 1, 2 ** 52, 2 ** 52 + 1]) {
      cases += 1
      try {
        file.writeAt(Buffer.from('abc'), position)
        const target = Buffer.alloc(3)
        file.readAt(target, position)
        assert.equal(target.toString(), 'abc')
      } catch (error) {
        assert.ok(error instanceof DiskError, String(error))
        codeIn('EFBIG', 'EINVAL')(error)
        assert.equal(file.size(), 0)
      }
    }
    for (const position of [2 ** 53 - 3, 2 ** 53 - 2, 2 ** 53 - 1, 2 ** 53, 2 ** 63]) {
      cases += 1
      assert.throws(() => file.writeAt(Buffer.from('abc'), position), InvariantError)
    }
    file.close()
  })
})

describe('a chain', () => {
  test('addresses around each edge are held by the right file of 20 digits', () => {
    const segmentBytes = 2 ** 30
    for (const edge of [...edges, 2 ** 52, 2 ** 53 - 2 ** 30]) {
      const directory = `${root}/chain-${edge}`
      const files = new OpenFiles(nodeDisk, 4)
      const chain = SegmentChain.load({
        disk: nodeDisk,
        files,
        directory,
        segmentBytes,
        writable: true,
        tmpDirectory: `${root}/tmp`,
      })
      chain.writeAt(Buffer.from('0123456789'), edge - 10)
      for (const delta of [-10, -2, -1]) {
        cases += 1
        const target = Buffer.alloc(10)
        assert.equal(chain.readAt(target, edge + delta), -delta)
        assert.equal(target.toString('latin1', 0, -delta), '0123456789'.slice(delta))
      }
      if (edge < 2 ** 53 - 2 ** 30) {
        chain.writeAt(Buffer.from('wxyz'), edge - 2)
        const target = Buffer.alloc(4)
        assert.deepEqual([chain.readAt(target, edge - 2), chain.readAt(target.subarray(2), edge)], [2, 2])
        assert.equal(target.toString(), 'wxyz')
      }
      files.closeAll()
      const again = SegmentChain.load({
        disk: nodeDisk,
        files: new OpenFiles(nodeDisk, 4),
        directory,
        segmentBytes: undefined,
        writable: false,
      })
      assert.deepEqual(again.starts, chain.starts)
      assert.equal(again.starts[0], edge - segmentBytes)
      assert.equal(nodeDisk.list(directory)[0]?.name, String(edge - segmentBytes).padStart(20, '0'))
    }
  })

  test('there were at least sixty cases', () => assert.ok(cases >= 60, `${cases} cases`))
})
