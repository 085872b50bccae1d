/** Requests with any fields and bodies: each is answered, none is a failure inside, and the broker goes on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { brokerRequests as codes } from '../../../lib/remoting/codes.js'
import { checkAsync } from '../../support/cases.js'
import { inLetters, inWords, propertyText } from '../../support/client-messages.js'
import { serveBroker } from '../../support/serve-broker.js'

const RUNS = 400

const names = [
  ...new Set([...Object.keys(inWords().ext!), ...Object.keys(inLetters().ext!)]),
  'key',
  'maxNum',
  'beginTimestamp',
  'endTimestamp',
  'offset',
  'timestamp',
  'readQueueNums',
  'writeQueueNums',
  'perm',
  'topicFilterType',
  'attributes',
  'groupName',
  'group',
  'tranStateTableOffset',
  'commitLogOffset',
  'commitOrRollback',
]
const texts = fc.oneof(
  fc.constantFrom('T', 'T', '%RETRY%G', '%DLQ%G', 'TBW102', 'DefaultCluster', '__proto__', 'constructor', '', ' ', '..', '*'),
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '8',
    '12',
    '2147483647',
    '-2147483648',
    '9223372036854775807',
    '1e9',
    'NaN',
    'true',
    'SINGLE_TAG',
  ),
  fc.constantFrom(
    propertyText({ DELAY: '3' }),
    propertyText({ DELAY: '-7', TRAN_MSG: 'true', REAL_QID: 'x' }),
    propertyText({ INNER_BASE: '9', INNER_NUM: '-1', KEYS: ' ', TIMER_DELAY_MS: 'never' }),
    '\u0001\u0002\u0001',
    '+message.type=FIFO,+message.type=DELAY',
  ),
  fc.string({ maxLength: 20 }),
)
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      '',
      '{}',
      '[]',
      '{"groupName":"G"}',
      '{"groupName":{"a":[1]}}',
      '{"topicConfigList":[{"topicName":"T","perm":99}]}',
    )
    .map((text) => Buffer.from(text)),
  fc.constantFrom('[', '{"a":').map((text) => Buffer.from(text.repeat(2000))),
)
const whole = fc.constantFrom(inWords().ext!, inLetters().ext!, {})

test('any fields and any body get an answer, and none is a failure inside the broker', async (t) => {
  // The server of the test fails it when a handler throws what is no refusal.
  const { ask, broker } = await serveBroker(t, { options: { topics: { T: { queues: 2 } } } })
  const command = fc.tuple(
    fc.constantFrom(...Object.values(codes)),
    whole,
    fc.dictionary(fc.constantFrom(...names), texts, { maxKeys: 8 }),
    bodies,
  )
  await checkAsync(
    RUNS,
    fc.asyncProperty(command, async ([code, fields, others, body]) => {
      const { remark, code: given } = await ask(code, { ext: { ...fields, ...others }, body })
      assert.ok(
        given === 0 || (remark !== undefined && remark !== '' && remark !== 'internal error'),
        `${code}: ${given} ${remark}`,
      )
    }),
  )
  assert.equal(
    (
      await ask(codes.UPDATE_AND_CREATE_TOPIC, {
        ext: { topic: 'last', defaultTopic: '', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicFilterType: 'SINGLE_TAG' },
      })
    ).code,
    0,
  )
  await broker.send({ topic: 'last', body: 'x' })
  assert.deepEqual((await broker.store.verify()).findings, [])
})
