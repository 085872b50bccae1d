/** Whether a program ends that has a store or a broker open and nothing else to do. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inDirectory } from '../support/scratch.js'
import { root } from '../support/source-tree.js'

const library = pathToFileURL(join(root, 'build/lib/index.js')).href

/** What a program prints that has a moment to end by itself before it closes what it opened. */
function printed(directory: string, opening: string): string {
  const program = `
    import { Broker, MessageStore } from ${JSON.stringify(library)}
    const opened = await ${opening}
    process.once('beforeExit', () => console.log('ends'))
    setTimeout(() => opened.close().then(() => console.log('closed')), 300).unref()`
  const args = ['--input-type=module', '--eval', program]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', timeout: 60_000 })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout
}

test('an open broker keeps its program running until it is closed, an open store does not', async () => {
  await inDirectory('keeps-running', async (directory) => {
    assert.equal(printed(directory, "Broker.open('broker')"), 'closed\nends\n')
    assert.equal(printed(directory, "MessageStore.open('store')"), 'ends\n')
  })
})
