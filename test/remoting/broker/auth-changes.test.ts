/** Who may do what is changed while a server runs. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { principalsOf } from '../../../lib/remoting/auth/principals.js'
import type { AuthSettings } from '../../../lib/remoting/auth/settings.js'
import { printBody } from '../../../lib/remoting/body-json.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { brokerRequests, clientRequests, nameServerRequests, responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../../lib/remoting/commands/consume-codes.js'
import { endpointText } from '../../../lib/remoting/endpoint.js'
import type { HandlerTable } from '../../../lib/remoting/handling.js'
import { inWords } from '../../support/client-messages.js'
import { pull } from '../../support/consumer-requests.js'
import { serveBroker } from '../../support/serve-broker.js'

const { SUCCESS, NO_PERMISSION } = responseCodes
const first = { accessKey: 'the-first', secretKey: 'secret-of-the-first' }
const second = { accessKey: 'the-second', secretKey: 'secret-of-the-second' }
const of = (...accounts: AuthSettings['accounts'] & object): AuthSettings => ({ accounts })

async function serve(t: TestContext, auth: AuthSettings) {
  const served = await serveBroker(t, { options: { topics: { T: { queues: 1 } } }, server: { auth } })
  const as = (credentials: typeof first, handlers: HandlerTable = new Map()) => {
    const client = new RemotingClient({ credentials, handlers })
    t.after(() => client.close(100))
    const ask = (code: number, parts: CommandParts): Promise<Command> => client.invoke(served.address, request(code, parts))
    const names = endpointText(served.server.nameServerEndpoint!)
    const route = async (): Promise<number> =>
      (await client.invoke(names, request(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: 'T' } }))).code
    const send = async (): Promise<number> => (await ask(brokerRequests.SEND_MESSAGE, inWords())).code
    return { ask, route, send }
  }
  return { ...served, as }
}

test('what is said anew counts for the next request, at the name server too, over connections that are there', async (t) => {
  const { server, as } = await serve(t, of({ ...first, topicPerms: ['T=PUB'] }))
  const [one, two] = [as(first), as(second)]
  assert.deepEqual([await one.send(), await two.send(), await two.route()], [SUCCESS, NO_PERMISSION, NO_PERMISSION])
  server.changeAuth(of({ ...first, topicPerms: ['T=SUB'] }, { ...second, topicPerms: ['T=PUB'] }))
  assert.deepEqual([await one.send(), await two.send(), await two.route()], [NO_PERMISSION, SUCCESS, SUCCESS])
  server.changeAuth(of({ ...second, secretKey: 'another-secret', topicPerms: ['T=PUB'] }))
  assert.deepEqual([await one.send(), await one.route(), await two.send()], [NO_PERMISSION, NO_PERMISSION, NO_PERMISSION])
  server.changeAuth({ globalWhiteRemoteAddresses: ['127.0.0.1'] })
  assert.equal(await one.send(), SUCCESS)
})

test('what cannot be changes nothing, and a server that asks nobody, or asks elsewhere, cannot be told', async (t) => {
  const { server, as } = await serve(t, of({ ...first, topicPerms: ['T=PUB'] }))
  const one = as(first)
  assert.throws(() => server.changeAuth(of(first, first)), RangeError)
  assert.throws(() => server.changeAuth({ accounts: 1 } as unknown as AuthSettings), TypeError)
  assert.equal(await one.send(), SUCCESS)
  for (const auth of [undefined, () => first]) {
    const other = await serveBroker(t, { server: auth === undefined ? {} : { auth } })
    assert.throws(() => other.server.changeAuth(of(first)), TypeError)
  }
})

test('who may no longer send to a topic is not asked what became of its messages, and who may now is', async (t) => {
  const may = { topicPerms: ['T=PUB'] }
  const { broker, server, as } = await serve(t, of({ ...first, ...may }, second))
  const asked: string[] = []
  const clients = [first, second].map((who) => {
    const { ask } = as(who, new Map([[clientRequests.CHECK_TRANSACTION_STATE, () => void asked.push(who.accessKey)]]))
    const heartbeat = { body: printBody({ clientID: `c-${who.accessKey}`, producerDataSet: [{ groupName: 'P' }] }) }
    return async () => assert.equal((await ask(consumeRequests.HEART_BEAT, heartbeat)).code, SUCCESS)
  })
  for (const beat of clients) await beat()
  const { commitLogOffset } = await broker.send({ topic: 'T', body: 'x' })
  const half = await broker.store.lookup({ commitLogOffset })
  const askAll = async (): Promise<string[]> => {
    for (const producer of broker.served.registry.producers('P')) producer.askTransaction(half!)
    for (const beat of clients) await beat()
    return asked.splice(0)
  }
  assert.deepEqual(await askAll(), [first.accessKey])
  server.changeAuth(of(first, { ...second, ...may }))
  assert.deepEqual(await askAll(), [second.accessKey])
})

test('a client keeps its id when its address is trusted from now on, or no longer', async (t) => {
  const { server, as } = await serve(t, of(first, second))
  const heartbeat = { body: printBody({ clientID: 'c', producerDataSet: [{ groupName: 'P' }] }) }
  const [one, again, other] = [as(first), as(first), as(second)].map(
    ({ ask }) =>
      async () =>
        (await ask(consumeRequests.HEART_BEAT, heartbeat)).code,
  )
  assert.equal(await one!(), SUCCESS)
  const trusting = of({ ...first, whiteRemoteAddress: '127.0.0.1' }, second)
  for (const auth of [trusting, of(first, second), { ...of(first, second), globalWhiteRemoteAddresses: ['127.0.0.1'] }]) {
    server.changeAuth(auth)
    assert.equal(await one!(), SUCCESS)
  }
  server.changeAuth(of(first, second))
  assert.deepEqual([await one!(), await other!(), await again!()], [SUCCESS, NO_PERMISSION, SUCCESS])
  // Over two connections it is known again once it has spoken over both, as it does every thirty seconds.
  server.changeAuth(trusting)
  await one!()
  assert.deepEqual([await again!(), await one!(), await other!()], [SUCCESS, SUCCESS, NO_PERMISSION])
})

test('what waits for a message is refused in the moment in which its sender may no longer have it', async (t) => {
  const may = { topicPerms: ['T=ANY'], groupPerms: ['G=SUB'] }
  const { broker, server, as } = await serve(t, of({ ...first, ...may }, { ...second, ...may }))
  const waits = (who: typeof first) => {
    const { ask } = as(who)
    const pop = { ext: { ...popping, pollTime: 60_000 } }
    return [
      ask(consumeRequests.PULL_MESSAGE, pull({ waitMs: 60_000 })),
      ask(popRequests.POP_MESSAGE, pop),
      ask(popRequests.NOTIFICATION, pop),
    ]
  }
  const popping = { consumerGroup: 'G', topic: 'T', queueId: 0, maxMsgNums: 1, invisibleTime: 60_000, initMode: 0, bornTime: 0 }
  const [losing, staying, rotated] = [waits(first), waits(second), waits(first)]
  const probe = as(second)
  const held = async (): Promise<number> => {
    const { extFields } = await probe.ask(popRequests.POLLING_INFO, { ext: popping })
    return Number(extFields['pollingNum'])
  }
  while ((await held()) < 3) await new Promise((resolve) => setImmediate(resolve))
  server.changeAuth(of({ ...first, ...may, topicPerms: ['T=PUB'] }, { ...second, ...may }))
  for (const one of await Promise.all([...losing, ...rotated])) assert.equal(one.code, NO_PERMISSION)
  assert.equal(await held(), 1)
  // Rules that change nothing for who waits leave it waiting.
  server.changeAuth(of({ ...second, ...may, admin: true }))
  await broker.send({ topic: 'T', body: 'x' })
  assert.deepEqual(
    (await Promise.all(staying)).map(({ code }) => code),
    [SUCCESS, SUCCESS, SUCCESS],
  )
})

test('what waits is refused when its secret key is no longer in force, or its address no longer trusted', async (t) => {
  const may = { topicPerms: ['T=ANY'], groupPerms: ['G=SUB'] }
  const { server, as, ask } = await serve(t, of({ ...first, ...may }))
  const one = as(first)
  const asked = async () => (await one.ask(consumeRequests.PULL_MESSAGE, pull())).code
  const waiting = one.ask(consumeRequests.PULL_MESSAGE, pull({ waitMs: 60_000 }))
  assert.equal(await asked(), responseCodes.PULL_NOT_FOUND)
  server.changeAuth(of({ ...first, ...may, secretKey: 'another-secret' }))
  assert.equal((await waiting).code, NO_PERMISSION)
  server.changeAuth({ globalWhiteRemoteAddresses: ['127.0.0.1'] })
  const trusted = ask(consumeRequests.PULL_MESSAGE, pull({ waitMs: 60_000 }))
  assert.equal(await asked(), responseCodes.PULL_NOT_FOUND)
  server.changeAuth(of({ ...first, ...may }))
  assert.equal((await trusted).code, NO_PERMISSION)
})

test('somebody who was found elsewhere stays who it was found to be', () => {
  const found = principalsOf(() => first)
  const before = found.find(first.accessKey)
  assert.ok(before !== undefined && !(before instanceof Promise))
  assert.equal(found.still(first.accessKey, before), before)
})
