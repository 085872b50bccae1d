/** What becomes of errors on their way to clients: the table of codes, in the code and in the document. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { MessageStoreError } from '../../../lib/base/errors.js'
import { BrokerError } from '../../../lib/broker/errors.js'
import { brokerRequests as codes, responseCodes } from '../../../lib/remoting/codes.js'
import type { Command } from '../../../lib/remoting/command.js'
import { brokerOutcomes, putOutcomes, refusalOf, storeOutcomes } from '../../../lib/remoting/commands/outcome.js'
import { Refusal } from '../../../lib/remoting/errors.js'
import type { StoreOptions } from '../../../lib/store/options.js'
import { inLetters } from '../../support/client-messages.js'
import { serveBroker } from '../../support/serve-broker.js'
import { root } from '../../support/source-tree.js'

test('the tables of docs/server.md are those of the code', () => {
  const text = readFileSync(join(root, 'docs/server.md'), 'utf8')
  const told = text.split('\n').filter((line) => /^\| [A-Z_]+ \| \d+ /.test(line))
  const names = new Map(Object.entries(responseCodes).map(([name, code]) => [code as number, name]))
  const rows = [brokerOutcomes, storeOutcomes, putOutcomes]
    .flatMap((table) => Object.entries(table))
    .map(([error, code]) => `| ${error} | ${code} ${names.get(code)} |`)
  assert.deepEqual(told, rows)
})

test('a client learns what it did wrong, of what failed here only the code, and of a mistake of ours nothing', () => {
  const told = (error: unknown): [number, string] => {
    const refusal = refusalOf(error)
    assert.ok(refusal instanceof Refusal)
    return [refusal.code, refusal.message]
  }
  assert.deepEqual(told(new BrokerError('TOPIC_UNKNOWN', 'there is no topic "x"')), [17, 'TOPIC_UNKNOWN: there is no topic "x"'])
  assert.deepEqual(told(new MessageStoreError('MESSAGE_TOO_LARGE', 'by 3')), [13, 'MESSAGE_TOO_LARGE: by 3'])
  const [code, remark] = told(new MessageStoreError('DISK_ERROR', 'EIO: read /secret/path'))
  assert.equal(code, 1)
  assert.ok(remark.startsWith('DISK_ERROR: ') && !remark.includes('secret'))
  const mistake = new TypeError('undefined is not a function')
  assert.equal(refusalOf(mistake), mistake)
})

async function sendTo(t: TestContext, store: StoreOptions): Promise<Command> {
  const { ask } = await serveBroker(t, { options: { topics: { T: {} }, store } })
  return ask(codes.SEND_MESSAGE_V2, inLetters())
}

test('a message that is stored without the replica that was asked for is answered with 11, and where it is', async (t) => {
  const { code, remark, extFields } = await sendTo(t, { replication: { ack: 'received', degrade: true } })
  assert.deepEqual([code, remark, extFields['queueOffset']], [responseCodes.SLAVE_NOT_AVAILABLE, 'SLAVE_NOT_AVAILABLE', '0'])
})

test('a message that is refused for want of replicas is answered with 1, after which producers try another broker', async (t) => {
  const { code, remark } = await sendTo(t, { replication: { ack: 'received' } })
  assert.equal(code, responseCodes.SYSTEM_ERROR)
  assert.match(remark!, /REPLICAS_NOT_ENOUGH/)
})
