/** `mqlite/testing`: a broker for the tests of others. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests, nameServerRequests } from '../../lib/remoting/codes.js'
import { type Command, request } from '../../lib/remoting/command.js'
import { ManualClock, startTestBroker, type TestBroker, type TestBrokerOptions } from '../../lib/testing.js'
import { type GivenMessage, inLetters } from '../support/client-messages.js'

async function started(t: TestContext, options?: TestBrokerOptions): Promise<TestBroker> {
  const broker = await startTestBroker(options)
  t.after(() => broker.close())
  return broker
}

async function send(t: TestContext, { brokerAddress }: TestBroker, given: GivenMessage): Promise<Command> {
  const client = new RemotingClient()
  t.after(() => client.close(100))
  return client.invoke(brokerAddress, request(brokerRequests.SEND_MESSAGE_V2, inLetters(given)))
}

test('it takes messages to any topic, and clients find it by its name server', async (t) => {
  const test = await started(t)
  assert.equal((await send(t, test, { topic: 'any', body: 'x' })).code, 0)
  const client = new RemotingClient()
  t.after(() => client.close(100))
  const route = request(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: 'any' } })
  assert.ok((await client.invoke(test.nameServerAddress, route)).body.toString().includes(test.brokerAddress))
  const { messages } = await test.broker.store.get({ topic: 'any', offset: 0 })
  assert.deepEqual(
    messages.map(({ body }) => body.toString()),
    ['x'],
  )
})

test('several run beside each other, and each is empty at its start', async (t) => {
  const [one, other] = [await started(t, { topics: { T: {} } }), await started(t, { topics: { T: {} } })]
  assert.notEqual(one.brokerAddress, other.brokerAddress)
  await one.broker.send({ topic: 'T', body: 'x' })
  assert.deepEqual(other.broker.store.queues(), [])
})

test('with a clock of its own, a delay of two hours passes when the clock is moved', async (t) => {
  const clock = new ManualClock(Date.UTC(2030, 0, 1))
  const test = await started(t, { clock, topics: { T: { queues: 1 } } })
  assert.equal((await send(t, test, { body: 'late', properties: { DELAY: '18' } })).code, 0)
  await clock.advance(2 * 3600 * 1000 - 2000)
  assert.equal(test.broker.store.bounds('T').maxOffset, 0)
  await clock.advance(4000)
  const { messages } = await test.broker.store.get({ topic: 'T', offset: 0 })
  assert.deepEqual(
    messages.map(({ body }) => body.toString()),
    ['late'],
  )
  assert.equal(clock.now(), Date.UTC(2030, 0, 1, 2, 0, 2))
})

test('a timer of the clock runs when it is due, in order, and not when it is called off', async () => {
  const clock = new ManualClock(0)
  const ran: string[] = []
  clock.after(20, () => ran.push(`b${clock.now()}`))
  clock.after(10, () => clock.after(5, () => ran.push(`a${clock.monotonic()}`)))
  clock.after(12, () => ran.push('never')).cancel()
  await clock.advance(19)
  assert.deepEqual(ran, ['a15'])
  await clock.advance(1)
  assert.deepEqual(ran, ['a15', 'b20'])
})

test('in a directory, a later broker finds what an earlier one kept', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-testing-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const first = await startTestBroker({ directory })
  await first.broker.send({ topic: 'T', body: 'kept', queueId: 0 })
  await first.close()
  await first.close()
  const second = await startTestBroker({ directory })
  assert.equal(second.broker.store.bounds('T').maxOffset, 1)
  await second.close()
})

test('a port that cannot be had leaves no broker behind', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-testing-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const { server } = await started(t)
  await assert.rejects(startTestBroker({ directory, server: { port: server.endpoint.port } }), { code: 'EADDRINUSE' })
  const again = await startTestBroker({ directory })
  await again[Symbol.asyncDispose]()
})

test('an option that there is not is told with all that there are, those of the broker and its own', async () => {
  const given = { topic: {} } as TestBrokerOptions
  for (const known of ['topics', 'clock', 'directory', 'server', 'store'])
    await assert.rejects(
      startTestBroker(given),
      new RegExp(`^TypeError: .* test broker has an unknown field "topic"; .*\\b${known}\\b`),
    )
  await assert.rejects(startTestBroker({ server: { prot: 0 } as never }), /unknown field "prot"/)
  await assert.rejects(startTestBroker({ clock: 5 as never }), /^TypeError: clock must be a ManualClock, got 5$/)
})
