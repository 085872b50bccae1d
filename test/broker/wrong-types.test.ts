/** Wrong types of arguments, over the whole interface of the broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Broker,
  byConfig,
  consistentHash,
  machineRoom,
  machineRoomNearby,
  prometheusText,
  registerPrometheus,
} from '../../lib/index.js'
import { openTestBroker, take } from '../support/open-broker.js'
import { bad, freshDisk, openStore, root } from '../support/open-store.js'
import { checkPlaces, type Place } from '../support/wrong-types.js'

const optional = 'undefined' as const

test('every option of a broker of a wrong type is named', async (t) => {
  const disk = freshDisk()
  const store = await openStore(t)
  const open = (options: object): unknown => Broker.open(root, options, { disk })
  const numbers = [
    ...['defaultQueues', 'offsetIntervalMs', 'delayOffsetIntervalMs', 'maxDelayMs', 'compressOverBytes', 'maxInflatedBytes'],
    ...['backlog.maxMessages', 'transactions.checkIntervalMs', 'transactions.timeoutMs', 'transactions.maxChecks'],
    ...['quotas.maxTopics', 'quotas.maxQueues', 'quotas.maxGroups', 'idempotence.windowMs', 'idempotence.maxKeys'],
  ].map((path): Place => {
    const [group = '', name] = path.split('.')
    return [path, [optional, 'number'], (value) => open({ [group]: name === undefined ? value : { [name]: value } })]
  })
  const groups = ['topics', 'groups', 'backlog', 'transactions', 'quotas', 'idempotence'].map(
    (name): Place => [name, [optional, 'object', 'date'], (value) => open({ [name]: value })],
  )
  await checkPlaces(
    [
      ['directory', ['string'], (directory) => Broker.open(directory, {}, { disk })],
      ['options', [optional, 'object', 'date'], (options) => Broker.open(root, options, { disk })],
      ['ports', [optional, 'object', 'date'], (ports) => Broker.open('/dev/null/no', {}, ports)],
      ['store', [], (other) => Broker.over(other)],
      ['options', [optional, 'object', 'date'], (options) => Broker.over(store, options)],
      ['options', [optional, 'object', 'date'], (own) => open({ store: own })],
      ...numbers,
      ...groups,
      ['autoCreateTopics', [optional, 'boolean'], (autoCreateTopics) => open({ autoCreateTopics })],
      ['autoCreateGroups', [optional, 'boolean'], (autoCreateGroups) => open({ autoCreateGroups })],
      ['clusterName', [optional, 'string'], (clusterName) => open({ clusterName })],
      ['backlog.whenFull', [optional, 'string'], (whenFull) => open({ backlog: { whenFull } })],
      ['settings', [optional, 'object', 'date'], (orders) => open({ topics: { orders } })],
      ['settings', [optional, 'object', 'date'], (billing) => open({ groups: { billing } })],
    ],
    new Set(['directory']),
  )
})

test('every field of what is sent of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t, { options: { topics: { a: {} } } })
  const send = (field: object): unknown => broker.send({ topic: 'a', body: 'x', ...field })
  const cancel = (field: object): unknown => broker.cancel({ topic: 'a', uniqueKey: 'k', deliverAt: 1, ...field })
  await checkPlaces(
    [
      ['message|topic', [], (message) => broker.send(message)],
      ['messages', ['array'], (messages) => broker.sendBatch(messages)],
      ['message|topic', [], (message) => broker.sendBatch([message])],
      ['topic', ['string'], (topic) => send({ topic })],
      ['body', ['string'], (body) => send({ body })],
      ['tags', [optional, 'string'], (tags) => send({ tags })],
      ['keys', [optional, 'string', 'array'], (keys) => send({ keys })],
      ['properties', [optional, 'object', 'date', 'function'], (properties) => send({ properties })],
      ['own', ['string'], (own) => send({ properties: { own } })],
      ['flag', [optional, 'number'], (flag) => send({ flag })],
      ['queueId', [optional, 'number'], (queueId) => send({ queueId })],
      ['shardingKey', [optional, 'string'], (shardingKey) => send({ shardingKey })],
      ['idempotencyKey', [optional, 'string'], (idempotencyKey) => send({ idempotencyKey })],
      ['delayLevel', [optional, 'number'], (delayLevel) => send({ delayLevel })],
      ['delayMs', [optional, 'number'], (delayMs) => send({ delayMs })],
      ['deliverAt', [optional, 'number', 'date'], (deliverAt) => send({ deliverAt })],
      ['receipt|topic', [], (receipt) => broker.cancel(receipt)],
      ['uniqueKey|topic', ['string'], (topic) => cancel({ topic })],
      ['uniqueKey', ['string'], (uniqueKey) => cancel({ uniqueKey })],
      ['deliverAt', [optional, 'number'], (deliverAt) => cancel({ deliverAt })],
    ],
    new Set(['body', 'uniqueKey', 'uniqueKey|topic', 'shardingKey']),
  )
  await assert.rejects(broker.send({ topic: 'a', body: 'x', deliverAt: new Date(Number.NaN) }), bad(RangeError, 'deliverAt'))
})

test('every option of a consumer of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t, { options: { topics: { a: {} } } })
  const consumer = (field: object): unknown => broker.consumer({ group: 'g', subscribe: { a: '*' }, ...field })
  const once = (field: object): unknown => consumer({ once: { by: 'key', windowMs: 5, ...field } })
  const pop = (field: object): unknown => broker.popConsumer({ group: 'p', subscribe: { a: '*' }, ...field })
  const both = [consumer, pop].flatMap((call): Place[] => [
    ['group', ['string'], (group) => call({ group })],
    ['subscribe', ['object', 'date'], (subscribe) => call({ subscribe })],
    ['filter', ['string', 'object'], (a) => call({ subscribe: { a } })],
    ['filter', ['string'], (sql) => call({ subscribe: { a: { sql } } })],
    ['startAt', [optional, 'string', 'number', 'date'], (startAt) => call({ startAt })],
    ['ordered', [optional, 'boolean'], (ordered) => call({ ordered })],
    ['signal', [optional], (signal) => call({ signal })],
    ['handOverMs', [optional, 'number'], (handOverMs) => call({ handOverMs })],
  ])
  await checkPlaces(
    [
      ['options|group', [], (options) => broker.consumer(options)],
      ['options|group', [], (options) => broker.popConsumer(options)],
      ...both,
      ...['maxRetries', 'consumeTimeoutMs', 'maxInFlight', 'suspendMs'].map(
        (name): Place => [name, [optional, 'number'], (value) => consumer({ [name]: value })],
      ),
      ['model', [optional, 'string'], (model) => consumer({ model })],
      ['name', [optional, 'string'], (name) => consumer({ name })],
      ['strategy', [optional], (strategy) => consumer({ strategy })],
      ['once', [optional], (value) => consumer({ once: value })],
      ['once.by', ['string', 'function'], (by) => once({ by })],
      ['once.windowMs', ['number'], (windowMs) => once({ windowMs })],
      ['once.maxKeys', [optional, 'number'], (maxKeys) => once({ maxKeys })],
      ['invisibleMs', [optional, 'number'], (invisibleMs) => pop({ invisibleMs })],
    ],
    new Set(['filter']),
  )
})

test('every argument of the calls of a consumer of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t, { options: { topics: { a: { queues: 1 }, b: { queues: 1 } } } })
  await broker.send({ topic: 'a', body: 'x' })
  await broker.send({ topic: 'b', body: 'x' })
  const consumer = broker.consumer({ group: 'g', subscribe: { a: '*' } })
  const popper = broker.popConsumer({ group: 'p', subscribe: { b: '*' } })
  const [delivery] = await take(consumer, 1)
  const [popped] = await popper.pop({ waitMs: 1000 })
  const seek = (field: object): unknown => consumer.seek({ topic: 'a', to: 'first', ...field })
  const run = [consumer, popper].flatMap((one): Place[] => [
    ['handler', ['function'], (handler) => one.run(handler)],
    ['options', [optional, 'object', 'date'], (options) => one.run(() => {}, options)],
    ['concurrency', [optional, 'number'], (concurrency) => one.run(() => {}, { concurrency })],
  ])
  await checkPlaces(
    [
      ...run,
      ['event', [], (name) => consumer.on(name, () => {})],
      ['listener', ['function'], (listener) => consumer.on('failed', listener)],
      ['event', [], (name) => popper.on(name, () => {})],
      ['listener', ['function'], (listener) => popper.on('failed', listener)],
      ['handler', ['function'], (handler) => consumer.runBatches(handler)],
      ['options', [optional, 'object', 'date'], (options) => consumer.runBatches(() => {}, options)],
      ['maxMessages', [optional, 'number'], (maxMessages) => consumer.runBatches(() => {}, { maxMessages })],
      ['target|topic', [], (target) => consumer.seek(target)],
      ['topic', ['string'], (topic) => seek({ topic })],
      ['queueId', [optional, 'number'], (queueId) => seek({ queueId })],
      ['to', ['string', 'date'], (to) => seek({ to })],
      ['offset', ['number'], (offset) => seek({ to: { offset } })],
      ['options', [optional, 'object', 'date'], (options) => delivery!.retry(options)],
      ['delayLevel', [optional, 'number'], (delayLevel) => delivery!.retry({ delayLevel })],
      ['options', [optional, 'object', 'date'], (options) => popper.pop(options)],
      ['maxMessages', [optional, 'number'], (maxMessages) => popper.pop({ maxMessages })],
      ['waitMs', [optional, 'number'], (waitMs) => popper.pop({ waitMs })],
      ['signal', [optional], (signal) => popper.pop({ signal })],
      ['options', [optional, 'object', 'date'], (options) => popped!.retry(options)],
      ['delayMs', [optional, 'number'], (delayMs) => popped!.retry({ delayMs })],
      ['ms', ['number'], (ms) => popped!.extend(ms)],
    ],
    new Set(['topic']),
  )
  await delivery!.ack()
  await popped!.ack()
})

test('every argument of administering a broker of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t, { options: { topics: { a: {} }, groups: { g: {} } } })
  const { topics, groups } = broker
  const reset = (field: object): unknown => broker.resetOffsets({ group: 'g', topic: 'a', to: 'first', ...field })
  const redrive = (field: object): unknown => broker.redrive({ group: 'g', ...field })
  const topic = (field: object): unknown => topics.update('a', field)
  const settings = [topic, (field: object): unknown => topics.create('a', field)].flatMap((call): Place[] => [
    ...['queues', 'readQueues', 'writeQueues'].map(
      (name): Place => [name, [optional, 'number'], (value) => call({ [name]: value })],
    ),
    ['permission', [optional, 'string'], (permission) => call({ permission })],
    ['isOrdered', [optional, 'boolean'], (isOrdered) => call({ isOrdered })],
    ['attributes', [optional, 'object', 'date'], (attributes) => call({ attributes })],
    ['message.type', [optional, 'string'], (messageType) => call({ messageType })],
    ['queue.type', [optional, 'string'], (queueType) => call({ queueType })],
  ])
  await checkPlaces(
    [
      ...['find', 'get', 'delete'].flatMap((name): Place[] => [
        ['topic', ['string'], (value) => topics[name as 'get'](value)],
        ['group', ['string'], (value) => groups[name as 'get'](value)],
      ]),
      ['topic', ['string'], (value) => topics.create(value)],
      ['topic', ['string'], (value) => topics.update(value, {})],
      ['settings', [optional, 'object', 'date'], (value) => topics.create('a', value)],
      ['settings', ['object', 'date'], (value) => topics.update('a', value)],
      ...settings,
      ['options', [optional, 'object', 'date'], (options) => topics.list(options)],
      ['system', [optional, 'boolean'], (system) => topics.list({ system })],
      ['options', [optional, 'object', 'date'], (options) => groups.list(options)],
      ['system', [optional, 'boolean'], (system) => groups.list({ system })],
      ['group', ['string'], (value) => groups.create(value)],
      ['group', ['string'], (value) => groups.update(value, {})],
      ['settings', [optional, 'object', 'date'], (value) => groups.create('g', value)],
      ['settings', ['object', 'date'], (value) => groups.update('g', value)],
      ...['mayConsume', 'mayBroadcast', 'isOrdered', 'notifiesMembers'].map(
        (name): Place => [name, [optional, 'boolean'], (value) => groups.update('g', { [name]: value })],
      ),
      ...['retryQueues', 'maxRetries'].map(
        (name): Place => [name, [optional, 'number'], (value) => groups.update('g', { [name]: value })],
      ),
      ['request|group', [], (request) => broker.resetOffsets(request)],
      ['group', ['string'], (group) => reset({ group })],
      ['topic', ['string'], (value) => reset({ topic: value })],
      ['queueId', [optional, 'number'], (queueId) => reset({ queueId })],
      ['to', ['string', 'date'], (to) => reset({ to })],
      ['offset', ['number'], (offset) => reset({ to: { offset } })],
      ['request|group', [], (request) => broker.redrive(request)],
      ['group', ['string'], (group) => redrive({ group })],
      ['topic', [optional, 'string'], (value) => redrive({ topic: value })],
      ['filter', [optional, 'string', 'function'], (filter) => redrive({ filter })],
      ['maxMessages', [optional, 'number'], (maxMessages) => redrive({ maxMessages })],
      ['event', [], (name) => broker.on(name, () => {})],
      ['listener', ['function'], (listener) => broker.on('closed', listener)],
    ],
    new Set(['topic', 'group', 'filter']),
  )
  assert.equal(groups.get('g').maxRetries, 16, 'undefined stands for what it was')
})

test('every argument of a transaction producer of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t, { options: { topics: { a: {} } } })
  const check = (): 'commit' => 'commit'
  const producer = broker.transactionProducer({ group: 'g', check })
  t.after(() => producer.close())
  const make = (field: object): unknown => broker.transactionProducer({ group: 'g', check, ...field })
  await checkPlaces([
    ['options|group', [], (options) => broker.transactionProducer(options)],
    ['group', ['string'], (group) => make({ group })],
    ['check', ['function'], (value) => make({ check: value })],
    ['immunitySeconds', [optional, 'number'], (immunitySeconds) => make({ immunitySeconds })],
    ['message|topic', [], (message) => producer.send(message, check)],
    ['topic', ['string'], (topic) => producer.send({ topic, body: 'x' }, check)],
    ['transaction', ['function'], (transaction) => producer.send({ topic: 'a', body: 'x' }, transaction)],
    ['transaction', ['string'], (decision) => producer.send({ topic: 'a', body: 'x' }, () => decision)],
  ])
})

test('every argument of the strategies and of the metrics of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t)
  const queue = { topic: 'a', brokerName: 'b', queueId: 0 }
  const rooms = { brokerRoom: () => 'r', clientRoom: () => 'r' }
  await checkPlaces(
    [
      ['placesEach', [optional, 'number'], (placesEach) => consistentHash(placesEach)],
      ['queues', ['array'], (queues) => byConfig(queues)],
      ['rooms', [], (value) => machineRoom(value)],
      ['inner', [], (inner) => machineRoomNearby(inner, rooms)],
      ['rooms', [], (value) => machineRoomNearby(byConfig([queue]), value)],
      ['broker', [], (value) => prometheusText(value)],
      ['client', [], (client) => registerPrometheus(client, broker)],
      ['options', [optional, 'object', 'date'], (options) => prometheusText(broker, options)],
      ['cluster', [optional, 'string'], (cluster) => prometheusText(broker, { cluster })],
    ],
    new Set(['cluster']),
  )
})
