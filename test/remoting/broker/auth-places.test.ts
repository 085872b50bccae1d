/** Requests whose need hangs on what they name, a message by its place or a queue of retries; and what is told unasked. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { printBody } from '../../../lib/remoting/body-json.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { brokerRequests, clientRequests, responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../../lib/remoting/commands/consume-codes.js'
import type { HandlerTable } from '../../../lib/remoting/handling.js'
import { serveBroker } from '../../support/serve-broker.js'

const { SUCCESS, NO_PERMISSION } = responseCodes
const admin = { accessKey: 'administrator', secretKey: 'secret-of-the-administrator' }
const reader = { accessKey: 'the-reader', secretKey: 'secret-of-the-reader' }

async function serve(t: TestContext) {
  const accounts = [
    { ...admin, admin: true },
    { ...reader, topicPerms: ['T=SUB'], groupPerms: ['G=SUB'] },
  ]
  const options = { topics: { T: { queues: 1 }, secrets: { queues: 1 } } }
  const { broker, address } = await serveBroker(t, { options, server: { auth: { accounts } } })
  const as = (credentials: typeof admin, handlers: HandlerTable = new Map()) => {
    const client = new RemotingClient({ credentials, handlers })
    t.after(() => client.close(100))
    return (code: number, parts: CommandParts): Promise<Command> => client.invoke(address, request(code, parts))
  }
  return { broker, as }
}

test('nobody is shown a message that was not there yet when it was asked who may see it', async (t) => {
  const { as, broker } = await serve(t)
  const send = (): Promise<{ commitLogOffset: number }> => broker.send({ topic: 'secrets', body: 'secret', queueId: 0 })
  const [first, second] = [await send(), await send()]
  const next = { ext: { offset: second.commitLogOffset + 20 * (second.commitLogOffset - first.commitLogOffset) } }
  const ask = as(reader)
  const answers = Promise.all(Array.from({ length: 200 }, () => ask(brokerRequests.VIEW_MESSAGE_BY_ID, next)))
  let isAnswered = false
  void answers.finally(() => {
    isAnswered = true
  })
  for (let i = 0; i < 20 || !isAnswered; i++) {
    await send()
    await turn()
  }
  for (const { code } of await answers) assert.notEqual(code, SUCCESS)
  assert.equal((await as(admin)(brokerRequests.VIEW_MESSAGE_BY_ID, next)).code, SUCCESS)
})

test('only producers that may send to a topic are asked what became of a message of it', async (t) => {
  const { as, broker } = await serve(t)
  const asked: string[] = []
  const heartbeat = (clientID: string) => ({ body: printBody({ clientID, producerDataSet: [{ groupName: 'P' }] }) })
  const told = [reader, admin].map((who) => {
    const ask = as(who, new Map([[clientRequests.CHECK_TRANSACTION_STATE, () => void asked.push(who.accessKey)]]))
    return async () => assert.equal((await ask(consumeRequests.HEART_BEAT, heartbeat(who.accessKey))).code, SUCCESS)
  })
  for (const beat of told) await beat()
  const { commitLogOffset } = await broker.send({ topic: 'secrets', body: 'secret' })
  const half = await broker.store.lookup({ commitLogOffset })
  const producers = broker.served.registry.producers('P')
  assert.equal(producers.length, 2)
  for (const producer of producers) producer.askTransaction(half!)
  // What was sent before an answer is there before it.
  for (const beat of told) await beat()
  assert.deepEqual(asked, [admin.accessKey])
})

test('who may consume for a group may settle what it popped a second time, and that alone', async (t) => {
  const { as } = await serve(t)
  const ask = as(reader)
  const own = { consumerGroup: 'G', topic: '%RETRY%G_T', queueId: 0, offset: 0, extraInfo: '0 1 1000 0 1 b 0 0' }
  for (const code of [popRequests.ACK_MESSAGE, popRequests.CHANGE_MESSAGE_INVISIBLETIME]) {
    const may = async (ext: CommandParts['ext']): Promise<boolean> =>
      (await ask(code, { ext: { ...own, invisibleTime: 1000, ...ext } })).code !== NO_PERMISSION
    assert.ok(await may({}))
    assert.ok(!(await may({ topic: '%RETRY%G_secrets' })))
    assert.ok(!(await may({ topic: '%RETRY%H_T' })))
    assert.ok(!(await may({ topic: '%RETRY%H_T', consumerGroup: 'H' })))
  }
})
