/** Replies to requests of clients: requests 324 and 325, and what the asker is pushed. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { printBody } from '../../../lib/remoting/body-json.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { brokerRequests as codes, responseCodes } from '../../../lib/remoting/codes.js'
import { answer, type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests } from '../../../lib/remoting/commands/consume-codes.js'
import type { StoredMessage } from '../../../lib/store/stored-message.js'
import { inLetters, inWords } from '../../support/client-messages.js'
import { type ServedForTest, serveBroker } from '../../support/serve-broker.js'

async function stored({ broker }: ServedForTest, topic: string): Promise<readonly StoredMessage[]> {
  return (await broker.store.get({ topic, queueId: 0, offset: 0 })).messages
}

describe('an answer to a message', () => {
  const topic = 'DefaultCluster_REPLY_TOPIC'
  const properties = { REPLY_TO_CLIENT: 'asker', CORRELATION_ID: 'c-1', UNIQ_KEY: 'A' }

  /** A broker with a client that waits, and what that client was sent. */
  const withAsker = async (t: TestContext) => {
    const pushed: Command[] = []
    const take = (command: Command): Command => {
      pushed.push(command)
      return answer(command, 0)
    }
    const served = await serveBroker(t, { client: { handlers: new Map([[326, take]]) } })
    const { local } = await served.client.connect(served.address)
    served.broker.served.registry.producerHeartbeat('PG', {
      clientId: 'asker',
      isLocal: false,
      address: `${local.host}:${local.port}`,
      language: 'JAVA',
      version: 479,
      isReady: () => true,
      notify: () => {},
      askTransaction: () => {},
    })
    return { served, pushed }
  }

  test('is stored, and pushed to the client that waits for it', async (t) => {
    const { served, pushed } = await withAsker(t)
    const { code, extFields } = await served.ask(codes.SEND_REPLY_MESSAGE_V2, inLetters({ topic, properties, body: 'yes' }))
    assert.equal(code, 0)
    const [message] = await stored(served, topic)
    assert.equal(extFields['msgId'], message?.messageId)
    assert.equal(pushed.length, 1)
    const { body, extFields: told } = pushed[0]!
    assert.equal(body.toString(), 'yes')
    const texts = told['properties']!.split('\u0002')
    assert.ok(texts.includes('CORRELATION_ID\u0001c-1'))
    assert.match(texts.at(-2)!, /^PUSH_REPLY_TIME.\d+$/)
    assert.deepEqual([told['topic'], told['producerGroup'], told['storeHost']], [topic, 'PG', served.address])
    assert.equal(told['storeTimestamp'], String(message?.storeTimestamp))
  })

  test('without a body is pushed and not stored', async (t) => {
    const { served, pushed } = await withAsker(t)
    const { code, extFields } = await served.ask(codes.SEND_REPLY_MESSAGE, inWords({ topic, properties, body: '' }))
    assert.deepEqual([code, extFields['msgId']], [0, '0'])
    assert.deepEqual(
      pushed.map(({ body, extFields: told }) => [body.length, told['topic']]),
      [[0, topic]],
    )
    assert.deepEqual(served.broker.store.queues(), [])
  })

  for (const [what, given, words] of [
    ['nobody of that name is there', properties, 'asker'],
    ['it does not say for whom it is', { UNIQ_KEY: 'A' }, 'REPLY_TO_CLIENT'],
  ] as const) {
    test(`is stored, and answered with 1, when ${what}`, async (t) => {
      const served = await serveBroker(t)
      const { code, remark, extFields } = await served.ask(codes.SEND_REPLY_MESSAGE, inWords({ topic, properties: given }))
      assert.equal(code, responseCodes.SYSTEM_ERROR)
      assert.ok(remark?.includes(words), remark)
      assert.equal(extFields['msgId'], (await stored(served, topic))[0]?.messageId)
    })
  }

  test('to an unknown topic is refused with 17', async (t) => {
    const served = await serveBroker(t)
    const { code, remark } = await served.ask(codes.SEND_REPLY_MESSAGE, inWords({ topic: 'unknown', properties }))
    assert.equal(code, 17)
    assert.match(remark ?? '', /unknown/)
  })
})

describe('where senders are asked who they are', () => {
  const [asker, other] = ['the-asker', 'the-other'].map((accessKey) => ({ accessKey, secretKey: `secret of ${accessKey}` }))
  const accounts = [asker!, other!].map((one) => ({ ...one, defaultTopicPerm: 'PUB|SUB' as const }))
  const heartbeat = { body: printBody({ clientID: 'c', producerDataSet: [{ groupName: 'P' }] }) }
  const topic = 'DefaultCluster_REPLY_TOPIC'
  const reply = inLetters({ topic, properties: { REPLY_TO_CLIENT: 'c', CORRELATION_ID: '1' }, body: 'yes' })

  test('a reply goes to the account that named the client first, and to another one only when that is gone', async (t) => {
    const { address, broker } = await serveBroker(t, { server: { auth: { accounts } } })
    const got: string[] = []
    const connected = (credentials: NonNullable<typeof asker>) => {
      const take = (command: Command): Command => {
        got.push(credentials.accessKey)
        return answer(command, 0)
      }
      const client = new RemotingClient({ credentials, handlers: new Map([[326, take]]) })
      t.after(() => client.close(100))
      const ask = (code: number, parts: CommandParts): Promise<Command> => client.invoke(address, request(code, parts))
      return { client, ask, beat: async () => ask(consumeRequests.HEART_BEAT, heartbeat) }
    }
    const [first, second] = [connected(asker!), connected(other!)]
    assert.equal((await first.beat()).code, 0)
    for (let i = 0; i < 2; i++) {
      const { code, remark } = await second.beat()
      assert.deepEqual([code, remark], [responseCodes.NO_PERMISSION, 'the client id "c" is in use by another account'])
      assert.equal((await second.ask(codes.SEND_REPLY_MESSAGE_V2, reply)).code, 0)
    }
    assert.equal((await first.beat()).code, 0)
    // Over a second connection it is the same client, and the newest way to it counts.
    const again = connected(asker!)
    assert.equal((await again.beat()).code, 0)
    await first.client.close(100)
    assert.equal((await second.beat()).code, responseCodes.NO_PERMISSION)
    assert.equal((await second.ask(codes.SEND_REPLY_MESSAGE_V2, reply)).code, 0)
    assert.deepEqual(got, [asker!.accessKey, asker!.accessKey, asker!.accessKey])
    await again.client.close(100)
    while (broker.served.registry.producerGroups.length > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal((await second.beat()).code, 0)
    assert.equal((await second.ask(codes.SEND_REPLY_MESSAGE_V2, reply)).code, 0)
    assert.deepEqual(got.slice(3), [other!.accessKey])
  })
})
