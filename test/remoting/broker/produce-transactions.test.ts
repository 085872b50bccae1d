/** Transactions of clients: half messages, their ends, and the question about those that nobody ended. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { blockOf } from '../../../lib/format/block.js'
import { brokerRequests as codes, responseCodes } from '../../../lib/remoting/codes.js'
import type { Command } from '../../../lib/remoting/command.js'
import { transactionQuestion } from '../../../lib/remoting/commands/transactions.js'
import { StoredMessage } from '../../../lib/store/stored-message.js'
import { inLetters } from '../../support/client-messages.js'
import { type ServedForTest, serveBroker } from '../../support/serve-broker.js'

const HALF = 'RMQ_SYS_TRANS_HALF_TOPIC'

async function serve(t: TestContext): Promise<ServedForTest> {
  return serveBroker(t, { options: { topics: { T: { queues: 2 } } } })
}

async function sendHalf({ ask, broker }: ServedForTest, more: Record<string, string> = {}): Promise<StoredMessage> {
  const properties = { TRAN_MSG: 'true', PGROUP: 'PG', UNIQ_KEY: 'A1', TAGS: 'x', ...more }
  const { code, extFields } = await ask(codes.SEND_MESSAGE_V2, inLetters({ properties, queueId: 1, sysFlag: 4 }))
  assert.equal(code, 0)
  assert.deepEqual([extFields['transactionId'], extFields['queueId']], ['A1', '0'])
  const half = await broker.store.lookup(extFields['msgId']!)
  assert.equal(half?.queueOffset, Number(extFields['queueOffset']))
  return half!
}

function end({ ask }: ServedForTest, half: StoredMessage, commitOrRollback: number, more: object = {}): Promise<Command> {
  const { queueOffset, commitLogOffset } = half
  const place = { tranStateTableOffset: queueOffset, commitLogOffset }
  return ask(codes.END_TRANSACTION, { ext: { producerGroup: 'PG', ...place, commitOrRollback, msgId: 'A1', ...more } })
}

async function delivered({ broker }: ServedForTest): Promise<readonly StoredMessage[]> {
  return (await broker.store.get({ topic: 'T', queueId: 1, offset: 0 })).messages
}

test('a message of a transaction waits until its producer commits it', async (t) => {
  const served = await serve(t)
  const half = await sendHalf(served)
  assert.deepEqual([half.topic, half.properties['REAL_TOPIC'], half.properties['REAL_QID']], [HALF, 'T', '1'])
  assert.deepEqual(await delivered(served), [])
  assert.equal((await end(served, half, 8)).code, 0)
  const [message] = await delivered(served)
  assert.deepEqual([message?.body.toString(), message?.tags, message?.uniqueKey], ['hello', 'x', 'A1'])
  assert.deepEqual([message?.preparedTransactionOffset, (message?.sysFlag ?? 0) & 0xc], [half.commitLogOffset, 8])
})

test('one that is rolled back is never delivered, and one that is unknown goes on waiting', async (t) => {
  const served = await serve(t)
  const half = await sendHalf(served)
  assert.equal((await end(served, half, 0)).code, 0)
  assert.equal(served.broker.served.transactions.pending, 1)
  assert.equal((await end(served, half, 12)).code, 0)
  assert.equal(served.broker.served.transactions.pending, 0)
  assert.deepEqual(await delivered(served), [])
})

test('an end that cannot be is refused: 1 for another group or place, 29 for no end, 604 when it comes too late', async (t) => {
  const served = await serve(t)
  const half = await sendHalf(served)
  for (const [flags, more, code] of [
    [8, { producerGroup: 'other' }, responseCodes.SYSTEM_ERROR],
    [8, { commitLogOffset: half.commitLogOffset + 1 }, responseCodes.SYSTEM_ERROR],
    [8, { tranStateTableOffset: 7 }, responseCodes.SYSTEM_ERROR],
    [3, {}, responseCodes.INVALID_PARAMETER],
  ] as const) {
    const { code: given, remark } = await end(served, half, flags, more)
    assert.equal(given, code, remark)
  }
  const late = await sendHalf(served, { CHECK_IMMUNITY_TIME_IN_SECONDS: '1' })
  assert.equal((await end(served, late, 8)).code, responseCodes.ILLEGAL_OPERATION)
  assert.equal((await end(served, late, 8, { fromTransactionCheck: true })).code, 0)
  assert.equal((await delivered(served)).length, 1)
})

test('the question about a transaction carries the message as its producer sent it', async (t) => {
  const served = await serve(t)
  const half = await sendHalf(served)
  const { code, extFields, body, flag } = transactionQuestion(half, 'mqlite')
  assert.deepEqual([code, flag], [39, 2])
  assert.deepEqual(
    { ...extFields },
    {
      topic: 'T',
      tranStateTableOffset: String(half.queueOffset),
      commitLogOffset: String(half.commitLogOffset),
      msgId: 'A1',
      transactionId: 'A1',
      offsetMsgId: half.messageId,
      bname: 'mqlite',
    },
  )
  const asked = StoredMessage.fromRecord(blockOf(body), 0, half.commitLogOffset)
  assert.deepEqual([asked.topic, asked.queueId, asked.size], ['T', 1, body.length])
  assert.deepEqual([asked.body, asked.properties, asked.bornHost], [half.body, half.properties, half.bornHost])
})

test('one that was given up is put back among those that wait, and no other message is', async (t) => {
  const served = await serve(t)
  const half = await sendHalf(served)
  const resume = async (msgId: string): Promise<number> =>
    (await served.ask(codes.RESUME_CHECK_HALF_MESSAGE, { ext: { msgId } })).code
  assert.equal(await resume(half.messageId), responseCodes.SYSTEM_ERROR)
  assert.equal(await resume('none'), responseCodes.MESSAGE_ILLEGAL)
  const { properties, body } = half
  const { messageId } = await served.broker.store.put({ topic: 'TRANS_CHECK_MAX_TIME_TOPIC', body, properties })
  assert.equal(await resume(messageId), 0)
  assert.equal(served.broker.served.transactions.pending, 2)
})
