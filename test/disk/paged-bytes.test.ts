/** The bytes of files in memory against plain arrays: copies must never see one another's changes. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PagedBytes, pageBytes } from '../../lib/disk/paged-bytes.js'
import { Random } from '../support/random.js'

interface Pair {
  readonly content: PagedBytes
  readonly model: { bytes: Uint8Array; size: number }
}

test('any history of writes, cuts, copies and taken pages gives the bytes that plain arrays give', () => {
  for (let seed = 0; seed < 60; seed += 1) {
    const random = new Random(seed)
    const capacity = pageBytes * 6
    const pairs: Pair[] = [{ content: new PagedBytes(), model: { bytes: new Uint8Array(capacity), size: 0 } }]
    for (let step = 0; step < 120; step += 1) {
      const { content, model } = random.pick(pairs)
      const position = random.int(capacity)
      const action = random.int(5)
      if (action <= 1) {
        const bytes = random.bytes(random.int(Math.min(capacity - position, 3 * pageBytes)))
        content.write(bytes, position)
        model.bytes.set(bytes, position)
        if (bytes.length > 0) model.size = Math.max(model.size, position + bytes.length)
      } else if (action === 2) {
        content.resize(position)
        model.bytes.fill(0, position)
        model.size = position
      } else if (action === 3 && pairs.length < 8) {
        pairs.push({ content: content.fork(), model: { bytes: model.bytes.slice(), size: model.size } })
      } else {
        const other = random.pick(pairs)
        const index = random.int(6)
        if (other.model.size !== model.size) continue
        content.takePage(other.content, index)
        model.bytes.set(other.model.bytes.slice(index * pageBytes, (index + 1) * pageBytes), index * pageBytes)
      }
    }
    for (const { content, model } of pairs) {
      assert.equal(content.size, model.size, `seed ${seed}`)
      const bytes = new Uint8Array(model.size)
      assert.equal(content.read(bytes, 0), model.size)
      assert.ok(Buffer.compare(bytes, model.bytes.subarray(0, model.size)) === 0, `seed ${seed}`)
    }
  }
})

test('a page exists only where something was written', () => {
  const content = new PagedBytes()
  content.resize(2 ** 40)
  assert.equal(content.allocatedBytes, 0)
  assert.equal(content.newPages(pageBytes - 1, 2), 2)
  content.write(new Uint8Array(2), pageBytes - 1)
  assert.equal(content.allocatedBytes, 2 * pageBytes)
  assert.equal(content.newPages(pageBytes - 1, 2), 0)
  assert.equal(content.newPages(5, 0), 0)
  assert.ok(content.hasPageAt(pageBytes) && !content.hasPageAt(2 * pageBytes))
  content.write(new Uint8Array([9]), 2 ** 40 - 1)
  const byte = new Uint8Array(1)
  content.read(byte, 2 ** 40 - 1)
  assert.equal(byte[0], 9)
})
