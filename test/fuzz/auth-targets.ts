/** Targets that decide about who sends: requests as they come over the wire to a guard, and the file that it goes by. */
import assert from 'node:assert/strict'
import { ConfigSyntaxError, parseConfig } from '../../lib/format/config-json.js'
import { brokerRows } from '../../lib/remoting/auth/broker-rows.js'
import { Guard, type Rows } from '../../lib/remoting/auth/guard.js'
import { nameServerRows } from '../../lib/remoting/auth/name-server-rows.js'
import { principalsOf } from '../../lib/remoting/auth/principals.js'
import { readAuthSettings } from '../../lib/remoting/auth/settings.js'
import { isSignedWith, signed, unsigned } from '../../lib/remoting/auth/signature.js'
import { brokerRequests as codes, responseCodes } from '../../lib/remoting/codes.js'
import { type Command, request } from '../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../lib/remoting/commands/consume-codes.js'
import { MalformedFrame, Refusal } from '../../lib/remoting/errors.js'
import { encodeFrame, FrameDecoder } from '../../lib/remoting/frame.js'
import { standardLimits } from '../../lib/remoting/limits.js'
import type { Target } from './fuzzer.js'

const words = (...texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text))
const accounts = {
  nobody: { accessKey: 'may-nothing', secretKey: 'secret-0' },
  reader: { accessKey: 'may-read-T', secretKey: 'secret-1' },
  admin: { accessKey: 'may-all', secretKey: 'secret-2' },
}
const principals = principalsOf({
  accounts: [
    accounts.nobody,
    { ...accounts.reader, topicPerms: ['T=SUB'], groupPerms: ['G=SUB'] },
    { ...accounts.admin, admin: true },
  ],
})
/** What looks at messages is not asked: it takes turns of the event loop. */
const asking: ReadonlySet<number> = new Set([
  codes.END_TRANSACTION,
  codes.VIEW_MESSAGE_BY_ID,
  consumeRequests.CONSUMER_SEND_MSG_BACK,
  consumeRequests.CONSUME_MESSAGE_DIRECTLY,
])
const rows: Rows = new Map([...nameServerRows, ...brokerRows({ lookup: () => Promise.resolve(undefined) })])
const guard = new Guard(principals, rows, rows.keys())
const connection = { remote: { host: '127.0.0.1', port: 1 }, local: { host: '127.0.0.1', port: 2 } }
type Outcome = 'admitted' | 'refused' | 'unreadable'

function outcomeOf(command: Command): Outcome {
  try {
    guard.admit(command, connection)
    return 'admitted'
  } catch (error) {
    // Everything that can be wrong with a request is told to its sender.
    if (error instanceof Refusal) return error.code === responseCodes.NO_PERMISSION ? 'refused' : 'unreadable'
    throw error
  }
}

function checkRequest(command: Command): void {
  outcomeOf(command)
  assert.equal(outcomeOf(unsigned(command)), 'refused', 'a request that nobody signed was not refused')
  const [asNobody, asReader, asAdmin] = Object.values(accounts).map((one) => signed(command, one)) as [Command, Command, Command]
  for (const [i, one] of [asNobody, asReader, asAdmin].entries()) {
    assert.ok(isSignedWith(`secret-${i}`, one) && !isSignedWith('another', one) && !isSignedWith(undefined, one))
  }
  if (asking.has(command.code)) return
  const outcome = outcomeOf(asAdmin)
  assert.notEqual(outcome, 'refused', 'an administrator was refused')
  const [ofNobody, ofReader] = [outcomeOf(asNobody), outcomeOf(asReader)]
  assert.ok(ofNobody !== 'admitted' || ofReader === 'admitted', 'who may more was refused what who may less was not')
  assert.ok(ofReader !== 'admitted' || outcome === 'admitted')
}

const heartbeat = Buffer.from(
  '{"clientID":"c","producerDataSet":[{"groupName":"P"}],"consumerDataSet":[{"groupName":"G","subscriptionDataSet":[{"topic":"T","subString":"a||b"}]}]}',
)
const seeds: readonly Command[] = [
  request(codes.SEND_MESSAGE_V2, { ext: { a: 'P', b: 'T', i: 'INNER_MULTI_DISPATCH\u0001%LMQ%a,%LMQ%b\u0002', m: 'true' } }),
  request(codes.SEND_MESSAGE, { ext: { topic: '%RETRY%G', properties: 'TAGS\u0001x\u0002' }, body: Buffer.from('b') }),
  request(consumeRequests.PULL_MESSAGE, { ext: { topic: 'T', consumerGroup: 'G', _UNIQUE_KEY_QUERY: true } }),
  request(consumeRequests.HEART_BEAT, { body: heartbeat }),
  request(consumeRequests.LOCK_BATCH_MQ, { body: Buffer.from('{"consumerGroup":"G","mqSet":[{"topic":"T"}]}') }),
  request(popRequests.BATCH_ACK_MESSAGE, { body: Buffer.from('{"acks":[{"c":"G","t":"T"}]}') }),
  request(codes.UPDATE_AND_CREATE_TOPIC_LIST, { body: Buffer.from('{"topicConfigList":[{"topicName":"T"}]}') }),
  request(105, { ext: { topic: 'T' } }),
]

/** Frames of requests, each signed by nobody, by one who may nothing, one who may read, and an administrator. */
const guarded: Target = {
  name: 'guarded-request',
  seeds: seeds.flatMap((command, i) => [
    Buffer.concat(encodeFrame(command)),
    ...(command.code > 32_767
      ? []
      : [Buffer.concat(encodeFrame({ ...signed(command, accounts.reader), encoding: i % 2 === 0 ? 'binary' : 'json' }))]),
  ]),
  words: words(
    '"AccessKey":"may-all"',
    '"Signature":"',
    '"SecurityToken":"',
    '"topic":"%RETRY%',
    '"acks":[',
    '"mqSet":[',
    '"code":',
  ),
  run(input) {
    const decoder = new FrameDecoder(standardLimits)
    decoder.add(Buffer.from(input))
    try {
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) checkRequest(frame.command)
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
    }
  },
}

/** The ACL file: it is read, or refused with a type of error that its reader turns into words. */
const aclFile: Target = {
  name: 'acl-file',
  seeds: words(
    '{"globalWhiteRemoteAddresses":["10.0.*.*","1.2.3.{4,5}"],"accounts":[{"accessKey":"account","secretKey":"canary-1","admin":true,"topicPerms":["T=PUB|SUB"]}]}',
    '{"users":[{"username":"u","password":"canary-2","userType":"Normal"}],"acls":[{"subject":"User:u","policies":[{"entries":[{"resource":"Topic:a*","actions":"Pub,Sub","sourceIps":["::1"],"decision":"Allow"}]}]}]}',
  ),
  words: words(
    '"defaultGroupPerm":"SUB"',
    '"whiteRemoteAddress":"',
    '1.2.3.1-9',
    '::ffff:',
    '"policyType":"Default"',
    'All',
    'DENY',
    '__proto__',
    '{',
    '}',
    '*',
  ),
  run(input) {
    try {
      const found = principalsOf(readAuthSettings(parseConfig(input.toString('utf8'), { maxBytes: 1 << 20 })))
      for (const address of ['127.0.0.1', '::1', '', 'x']) found.trusts(address)
    } catch (error) {
      if (!(error instanceof ConfigSyntaxError || error instanceof TypeError || error instanceof RangeError)) throw error
      const isOurs =
        error instanceof ConfigSyntaxError ||
        /must|address pattern|is such as|is one of|unknown field|twice|no User:|action is/.test(error.message)
      assert.ok(isOurs, `an error of nobody's: ${error.message}`)
      // Only secrets that stand where they belong are known to be such.
      assert.ok(!error.message.includes('canary'), error.message)
    }
  },
}

/** The targets of this file. */
export const authTargets: readonly Target[] = [guarded, aclFile]
