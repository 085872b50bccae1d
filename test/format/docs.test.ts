/** `docs/format.md` says what the code does: its tables are the declared ones, its bytes those of a real store. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { blockOf } from '../../lib/format/block.js'
import { CheckLevel, checkRecord, Finding } from '../../lib/format/record.js'
import * as tables from '../../lib/format/tables.js'
import { exampleStore, fillDocument, generatedParts } from '../support/format-docs.js'

process.env['TZ'] = 'UTC'
const text = readFileSync(new URL('../../../docs/format.md', import.meta.url), 'utf8')

describe('docs/format.md', () => {
  test('has every table of the code, word for word', () => {
    for (const table of Object.values(tables)) assert.ok(text.includes(table.describe()), `${table.name} is missing or differs`)
  })

  test('has the bytes that its example makes; node build/test/format/write-docs.js brings them up to date', async () => {
    const parts = await generatedParts()
    for (const [name, part] of parts) assert.ok(text.includes(`<!-- ${name} -->\n\n${part}\n\n<!-- end -->`), name)
    assert.equal(await fillDocument(text), text)
  })

  test('has an example whose log is three good records and nothing else', async () => {
    const disk = await exampleStore()
    const block = blockOf(disk.bytesOf('/data/commitlog/00000000000000000000'))
    let at = 0
    for (let record = 0; record < 3; record++) at += checkRecord(block, at, 1024, 1024, at, CheckLevel.record)
    assert.equal(checkRecord(block, at, 1024, 1024, at, CheckLevel.record), Finding.unwritten)
    assert.ok(block.bytes.subarray(at).every((byte) => byte === 0))
  })

  test('fills only parts that somebody generates', async () => {
    await assert.rejects(fillDocument('<!-- nothing -->\n<!-- end -->'), RangeError)
  })
})
