/** Wrong types of arguments, over the whole interface of the store. */
import { test } from 'node:test'
import { MessageStore, repairStore } from '../../lib/index.js'
import { freshDisk, openStore, root } from '../support/open-store.js'
import { checkPlaces, type Place } from '../support/wrong-types.js'

test('every field of a message of a wrong type is named', async (t) => {
  const store = await openStore(t)
  const put = (field: object): unknown => store.put({ topic: 'a', body: 'x', ...field })
  await checkPlaces(
    [
      ['message|topic', [], (value) => store.put(value)],
      ['messages', ['array'], (value) => store.putBatch(value)],
      ['message|topic', [], (value) => store.putBatch([value])],
      ['batchKey', ['undefined', 'string'], (value) => store.putBatch([{ topic: 'a', body: 'x' }], value)],
      ['topic', ['string'], (topic) => put({ topic })],
      ['body', ['string'], (body) => put({ body })],
      ['tags', ['undefined', 'string'], (tags) => put({ tags })],
      ['keys', ['undefined', 'string', 'array'], (keys) => put({ keys })],
      ['keys', ['string'], (key) => put({ keys: [key] })],
      ['properties', ['undefined', 'object', 'date', 'function'], (properties) => put({ properties })],
      ['own', ['string'], (own) => put({ properties: { own } })],
      ['uniqueKey', ['undefined', 'string'], (uniqueKey) => put({ uniqueKey })],
      ['encodedProperties', ['undefined'], (encodedProperties) => put({ encodedProperties })],
      ...['queueId', 'flag', 'sysFlag', 'reconsumeTimes', 'bornTimestamp', 'preparedTransactionOffset'].map(
        (name): Place => [name, ['undefined', 'number'], (value) => put({ [name]: value })],
      ),
      ...['bornHost', 'storeHost'].map(
        (name): Place => [`${name}|host`, ['undefined', 'string'], (value) => put({ [name]: value })],
      ),
    ],
    new Set(['body', 'batchKey']),
  )
})

test('every argument of a reading call of a wrong type is named', async (t) => {
  const store = await openStore(t)
  await store.put({ topic: 'a', body: 'x' })
  const get = (field: object): unknown => store.get({ topic: 'a', offset: 0, ...field })
  const follow = (field: object): unknown => store.follow({ topic: 'a', offset: 0, ...field }).next()
  const query = (field: object): unknown => store.query({ topic: 'a', key: 'k', ...field })
  const reading = [get, follow].flatMap((call): Place[] => [
    ['topic', ['string'], (topic) => call({ topic })],
    ['offset', ['number'], (offset) => call({ offset })],
    ['queueId', ['undefined', 'number'], (queueId) => call({ queueId })],
    ['maxMessages', ['undefined', 'number'], (maxMessages) => call({ maxMessages })],
    ['maxBytes', ['undefined', 'number'], (maxBytes) => call({ maxBytes })],
    ['tags', ['undefined', 'string', 'array'], (tags) => call({ tags })],
    ['tags[0]', ['string'], (tag) => call({ tags: [tag] })],
    ['signal', ['undefined'], (signal) => call({ signal })],
  ])
  const most = ['maxMessages', 'maxBytes', 'from', 'to'].map(
    (name): Place => [name, ['undefined', 'number'], (value) => query({ [name]: value })],
  )
  await checkPlaces(
    [
      ['request|topic', [], (request) => store.get(request)],
      ['request|topic', [], (request) => store.follow(request).next()],
      ['request|topic', [], (request) => store.query(request)],
      ...reading,
      ['waitMs', ['undefined', 'number'], (waitMs) => get({ waitMs })],
      ['topic', ['string'], (topic) => query({ topic })],
      ['key', ['string'], (key) => query({ key })],
      ...most,
      ['target|commitLogOffset|id', ['string'], (target) => store.lookup(target)],
      ['commitLogOffset', ['number'], (commitLogOffset) => store.lookup({ commitLogOffset })],
      ['topic', ['string'], (topic) => store.offsetByTime(topic, 0, 0)],
      ['queueId', ['number'], (queueId) => store.offsetByTime('a', queueId, 0)],
      ['timestampMs', ['number'], (timestampMs) => store.offsetByTime('a', 0, timestampMs)],
      ['boundary', ['undefined', 'string'], (boundary) => store.offsetByTime('a', 0, 0, boundary)],
      ['topic', ['string'], (topic) => store.bounds(topic)],
      ['queueId', ['undefined', 'number'], (queueId) => store.bounds('a', queueId)],
    ],
    // Nothing is under an unknown name.
    new Set(['topic', 'key', 'tags[0]', 'tags', 'from', 'to']),
  )
})

test('every argument of the other calls of a wrong type is named', async (t) => {
  const store = await openStore(t)
  const { replication, config } = store
  const feed = (field: object): unknown => replication.follow({ from: 0, ...field }).next()
  const link = replication.connect('r')
  await checkPlaces(
    [
      ['host', ['undefined', 'string'], (address) => store.standAt(address)],
      ['topic', ['string'], (topic) => store.purge(topic)],
      ['queueId', ['undefined', 'number'], (queueId) => store.purge('a', queueId)],
      ['topic', ['string'], (topic) => store.deleteTopic(topic)],
      ['floor', ['function'], (floor) => store.keepFrom(floor)],
      ['configuration file', ['string'], (name) => config.read(name)],
      ['configuration file', ['string'], (name) => config.write(name, {})],
      ['options', ['undefined', 'object', 'date'], (options) => store.verify(options)],
      ['onProgress', ['undefined', 'function'], (onProgress) => store.verify({ onProgress })],
      ['signal', ['undefined'], (signal) => store.verify({ signal })],
      ['event', [], (name) => store.on(name, () => {})],
      ['listener', ['function'], (listener) => store.on('closed', listener)],
      ['name', ['string'], (name) => replication.connect(name)],
      ['progress|receivedEnd', [], (progress) => link.acknowledge(progress)],
      ['receivedEnd', ['number'], (receivedEnd) => link.acknowledge({ receivedEnd, flushedEnd: 0 })],
      ['flushedEnd', ['number'], (flushedEnd) => link.acknowledge({ receivedEnd: 0, flushedEnd })],
      ['request|from', [], (request) => replication.follow(request).next()],
      ['from', ['number'], (from) => feed({ from })],
      ['maxBytes', ['undefined', 'number'], (maxBytes) => feed({ maxBytes })],
      ['signal', ['undefined'], (signal) => feed({ signal })],
      ['tail|from', ['undefined'], (tail) => feed({ tail })],
      ['from', ['number'], (from) => replication.digest(from, 0)],
      ['to', ['number'], (to) => replication.digest(0, to)],
    ],
    new Set(['name']),
  )
})

test('every argument of a replica of a wrong type is named', async (t) => {
  const replica = await openStore(t, { options: { role: 'replica' } })
  const apply = (field: object): unknown =>
    replica.replication.apply({ commitLogOffset: 0, bytes: Buffer.alloc(0), hasRecordCrc: true, ...field })
  await checkPlaces([
    ['chunk|commitLogOffset', [], (chunk) => replica.replication.apply(chunk)],
    ['commitLogOffset', ['number'], (commitLogOffset) => apply({ commitLogOffset })],
    ['bytes', [], (bytes) => apply({ bytes })],
    ['hasRecordCrc', ['boolean'], (hasRecordCrc) => apply({ hasRecordCrc })],
  ])
})

test('every option of a wrong type is named, when a store is opened and when one is mended', async () => {
  const disk = freshDisk()
  const open = (options: object): unknown => MessageStore.open(root, options, { disk })
  const numbers = [
    ...['flushIntervalMs', 'flushTimeoutMs', 'maxUnflushedBytes', 'maxPendingBytes', 'segmentBytes', 'maxMessageBytes'],
    ...['tailBytes', 'readCacheBytes', 'queueSegmentEntries', 'openFiles', 'retentionHours'],
  ].map((name): Place => [name, ['undefined', 'number'], (value) => open({ [name]: value })])
  const strings = ['flush', 'checksum', 'storeHost', 'delayLevels', 'role'].map(
    (name): Place => [name, ['undefined', 'string'], (value) => open({ [name]: value })],
  )
  const groups = ['index', 'disk', 'replication'].map(
    (name): Place => [name, ['undefined', 'object', 'date'], (value) => open({ [name]: value })],
  )
  const inner = [
    ['index', 'slots'],
    ['index', 'entries'],
    ['disk', 'cleanAt'],
    ['disk', 'forceAt'],
    ['disk', 'refuseAt'],
    ['replication', 'replicas'],
    ['replication', 'timeoutMs'],
  ].map(
    ([group = '', name = '']): Place => [
      `${group}.${name}`,
      ['undefined', 'number'],
      (value) => open({ [group]: { [name]: value } }),
    ],
  )
  await checkPlaces(
    [
      ['directory', ['string'], (directory) => MessageStore.open(directory, {}, { disk })],
      ['options', ['undefined', 'object', 'date'], (options) => MessageStore.open(root, options, { disk })],
      ['ports', ['undefined', 'object', 'date'], (ports) => MessageStore.open('/dev/null/no', {}, ports)],
      ...numbers,
      ...strings,
      ...groups,
      ...inner,
      ['deleteHour', ['undefined', 'number'], (deleteHour) => open({ deleteHour })],
      ['deleteHour', ['number'], (hour) => open({ deleteHour: [4, hour] })],
      ['brokerName', ['undefined', 'string'], (brokerName) => open({ brokerName })],
      ['ack', ['undefined', 'string'], (ack) => open({ replication: { ack } })],
      ['degrade', ['undefined', 'boolean'], (degrade) => open({ replication: { degrade } })],
      ['enabled', ['undefined', 'boolean'], (enabled) => open({ index: { enabled } })],
      ['verifyReads', ['undefined', 'boolean'], (verifyReads) => open({ verifyReads })],
      ['readOnly', ['undefined', 'boolean'], (readOnly) => open({ readOnly })],
      ['onProgress', ['undefined', 'function'], (onProgress) => open({ onProgress })],
      ['directory', ['string'], (directory) => repairStore(directory, {}, { disk })],
      ['options', ['undefined', 'object', 'date'], (options) => repairStore(root, options, { disk })],
      ['dryRun', ['undefined', 'boolean'], (dryRun) => repairStore(root, { dryRun }, { disk })],
      ['onProgress', ['undefined', 'function'], (onProgress) => repairStore(root, { onProgress }, { disk })],
      ['signal', ['undefined'], (signal) => repairStore(root, { signal }, { disk })],
    ],
    new Set(['directory', 'brokerName']),
  )
})
