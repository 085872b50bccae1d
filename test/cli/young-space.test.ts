/** The memory in which V8 makes new objects: how it grows, in a process of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startProgram } from '../support/children.js'

const MIB = 1024 * 1024

test('the memory for new objects grows to its bound, and again after V8 made it small', async () => {
  const child = startProgram('young-space-run', { mostBytes: 8 * MIB }, {}, ['--expose-gc'])
  const { code, stdout, stderr } = await child.exit
  assert.equal(code, 0, stderr)
  const { first, quiet, again } = JSON.parse(stdout) as { first: number; quiet: number; again: number }
  // By itself V8 comes to 32 MiB there. It grows twofold, once or twice before it can be told not to.
  for (const most of [first, again]) assert.ok(most >= 4 * MIB && most <= 16 * MIB, stdout)
  assert.ok(quiet <= first, stdout)
})
