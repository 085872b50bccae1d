/** What waits comes in spite of a fault: a copy that cannot be made, while another one cannot be stored. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import type { Message } from '../../lib/store/message.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { StoredMessage } from '../../lib/store/stored-message.js'
import { arrived, openSite, pass } from '../support/delays.js'

/** From now on the copy of one message cannot be made, and that of another one not be stored. @returns what ends that */
function fail(t: TestContext, unmade: string, unstored: string): () => void {
  const { values } = StoredMessage.prototype
  const { put } = MessageStore.prototype
  const broken = t.mock.method(
    StoredMessage.prototype,
    'values',
    function (this: StoredMessage, names: Parameters<typeof values>[0]) {
      if (this.body.toString() === unmade) throw new TypeError('broken')
      return values.call(this, names)
    },
  )
  const full = t.mock.method(MessageStore.prototype, 'put', async function (this: MessageStore, message: Message) {
    if (message.topic !== 't' || Buffer.from(message.body).toString() !== unstored) return put.call(this, message)
    // Later than everything that fails at once.
    await new Promise((resolve) => setImmediate(resolve))
    throw new MessageStoreError('DISK_FULL', 'no space')
  })
  return () => {
    broken.mock.restore()
    full.mock.restore()
  }
}

test('a message for a time ahead whose copy cannot be made keeps no other one back, and comes when it can', async (t) => {
  const site = await openSite()
  t.after(() => site.broker.close())
  for (const body of ['a', 'b', 'c', 'd']) await site.broker.send({ topic: 't', body, delayMs: 500 })
  await site.broker.send({ topic: 't', body: 'e', delayMs: 3000 })
  const mend = fail(t, 'b', 'c')
  await pass(site.time, 5000)
  assert.deepEqual(await arrived(site), ['a', 'd', 'e'])
  const told = site.problems.map(String)
  assert.ok(told.length > 1 && told.every((one) => /cannot be delivered now|no space/.test(one)), told.join())
  mend()
  await pass(site.time, 2000)
  assert.deepEqual((await arrived(site)).sort(), ['a', 'b', 'c', 'd', 'e'])
})

test('a message of a delay level whose copy cannot be made comes when it can, and those behind it after it, once', async (t) => {
  const site = await openSite()
  t.after(() => site.broker.close())
  for (const body of ['a', 'b', 'c']) await site.broker.send({ topic: 't', body, delayLevel: 1 })
  const mend = fail(t, 'c', 'a')
  await pass(site.time, 5000)
  assert.deepEqual(await arrived(site), [])
  mend()
  await pass(site.time, 2000)
  assert.deepEqual(await arrived(site), ['a', 'b', 'c'])
})
