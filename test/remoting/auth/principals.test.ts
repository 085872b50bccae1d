/**
 * Who there is and what they may do: address patterns, accounts as in RocketMQ 4.9, users as in RocketMQ 5.3, and what cannot be.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { addressTest } from '../../../lib/remoting/auth/address-pattern.js'
import { groupNeed, type Need, topicNeed } from '../../../lib/remoting/auth/needs.js'
import { type AccountSettings, PlainAccount } from '../../../lib/remoting/auth/plain-account.js'
import { principalsOf } from '../../../lib/remoting/auth/principals.js'
import type { AuthSettings } from '../../../lib/remoting/auth/settings.js'
import { type PolicyEntrySettings, User } from '../../../lib/remoting/auth/user.js'

const HERE = '127.0.0.1'
const secret = 'a secret that nobody may read'

describe('an address pattern', () => {
  const fits = (pattern: string, ...addresses: readonly string[]): boolean[] => addresses.map(addressTest(pattern))

  test('fits the addresses that it describes, and no others', () => {
    assert.deepEqual(fits('*', '1.2.3.4', '::1'), [true, true])
    assert.deepEqual(fits('', '1.2.3.4', '::1', ''), [false, false, false])
    assert.deepEqual(fits('1.2.3.4', '1.2.3.4', '1.2.3.5', '::ffff:1.2.3.4', '11.2.3.4'), [true, false, true, false])
    assert.deepEqual(fits('1.2.*.*', '1.2.3.4', '1.3.3.4', '1:2:3:4:5:6:7:8'), [true, false, false])
    assert.deepEqual(fits('1.2.3.10-20', '1.2.3.10', '1.2.3.20', '1.2.3.9', '1.2.3.21'), [true, true, false, false])
    assert.deepEqual(fits('1.2.3.{4,6}', '1.2.3.4', '1.2.3.5', '1.2.3.6'), [true, false, true])
    assert.deepEqual(fits('1.2.3.{4,6}, 9.9.9.9', '1.2.3.6', '9.9.9.9', '9.9.9.8'), [true, true, false])
    assert.deepEqual(fits('2001:db8::1', '2001:0db8:0:0:0:0:0:1', '2001:db8::2'), [true, false])
    assert.deepEqual(fits('2001:db8:0:0:0:0:0:1-ff', '2001:db8::fe', '2001:db8::100', '1.2.3.4'), [true, false, false])
  })

  test('that is none is refused', () => {
    for (const pattern of [
      '1.2.3',
      '1.2.3.256',
      '1.2.3.x',
      '1.2.3.4-',
      '1.2.3.{}',
      '1.2.3.1-2-3',
      'localhost',
      '1:2:3.*',
      '1:*',
      'a*',
    ])
      assert.throws(() => addressTest(pattern), RangeError, pattern)
  })
})

describe('an account', () => {
  const account = (settings: Partial<AccountSettings>): PlainAccount =>
    new PlainAccount({ accessKey: 'accessKey', secretKey: secret, ...settings })
  const may = (settings: Partial<AccountSettings>, ...needs: readonly Need[]): boolean[] =>
    needs.map((need) => account(settings).refusal(need, 1) === undefined)
  const cluster: Need = { kind: 'Cluster', name: '*', actions: ['Get'] }

  test('may nothing, unless it is said', () => {
    const all = [topicNeed('T', 'Pub'), topicNeed('T', 'Sub'), topicNeed('T', 'Get'), groupNeed('G', 'Sub'), cluster]
    assert.deepEqual(may({}, ...all), [false, false, false, false, false])
    assert.deepEqual(may({ admin: true }, ...all, topicNeed('T', 'Delete')), Array(6).fill(true))
  })

  test('may send or consume what is listed, and the default for what is not', () => {
    const settings = { topicPerms: ['a=PUB', 'b = SUB', 'c=PUB|SUB', 'd=DENY', 'e=ANY'], defaultTopicPerm: 'SUB' } as const
    const both = (topic: string): Need[] => [topicNeed(topic, 'Pub'), topicNeed(topic, 'Sub')]
    assert.deepEqual(may(settings, ...['a', 'b', 'c', 'd', 'e', 'f'].flatMap(both)), [
      ...[true, false],
      ...[false, true],
      ...[true, true],
      ...[false, false],
      ...[true, true],
      ...[false, true],
    ])
  })

  test('that may consume for a group may read and write its retry topic', () => {
    const settings = { groupPerms: ['G=SUB', 'H=PUB'], defaultTopicPerm: 'DENY' } as const
    const needs = ['G', 'H'].flatMap((group) => [topicNeed(`%RETRY%${group}`, 'Pub'), topicNeed(`%RETRY%${group}`, 'Sub')])
    assert.deepEqual(may(settings, ...needs), [true, true, false, false])
  })

  test('may ask about what it sends or consumes, and change nothing', () => {
    const settings = { topicPerms: ['T=PUB'], groupPerms: ['G=SUB'] }
    assert.deepEqual(may(settings, topicNeed('T', 'Get'), groupNeed('G', 'Get'), topicNeed('U', 'Get')), [true, true, false])
    assert.deepEqual(may(settings, topicNeed('T', 'Create'), groupNeed('G', 'Delete'), cluster), [false, false, false])
    assert.equal(
      account(settings).refusal(topicNeed('T', 'Create'), 17),
      'Need admin permission for request code=17, but accessKey=accessKey is not',
    )
  })

  test('may send traces, and consume what all wait for only where that is said by name', () => {
    const waiting = topicNeed('SCHEDULE_TOPIC_XXXX', 'Sub')
    assert.deepEqual(may({}, topicNeed('RMQ_SYS_TRACE_TOPIC', 'Pub'), topicNeed('RMQ_SYS_TRACE_TOPIC', 'Sub')), [true, false])
    assert.deepEqual(may({ defaultTopicPerm: 'ANY' }, waiting), [false])
    assert.deepEqual(may({ topicPerms: ['SCHEDULE_TOPIC_XXXX=SUB'] }, waiting), [true])
  })

  test('is trusted at its own addresses', () => {
    const { trusts } = { trusts: (address: string) => account({ whiteRemoteAddress: '10.0.0.*' }).trusts(address) }
    assert.deepEqual([trusts('10.0.0.7'), trusts('10.0.1.7'), account({}).trusts('10.0.0.7')], [true, false, false])
  })
})

describe('a user', () => {
  const rule = (resource: string, actions: string, decision: 'Allow' | 'Deny' = 'Allow', ...sourceIps: string[]) =>
    ({ resource, actions: actions.split(','), decision, sourceIps }) satisfies PolicyEntrySettings
  const may = (need: Need, address: string, ...entries: readonly PolicyEntrySettings[]): boolean => {
    const user = new User({ username: 'u', password: secret }, [{ subject: 'User:u', policies: [{ entries }] }])
    return user.refusal(need, 1, address) === undefined
  }
  const sub = topicNeed('orders', 'Sub')

  test('may nothing that no rule allows, and everything when it is of type Super', () => {
    assert.ok(!may(sub, HERE))
    assert.ok(!may(sub, HERE, rule('Topic:orders', 'Pub'), rule('Group:orders', 'Sub'), rule('Topic:other', 'All')))
    const boss = new User({ username: 'u', password: secret, userType: 'Super' }, [])
    assert.equal(boss.refusal(topicNeed('T', 'Delete'), 215, HERE), undefined)
    const user = new User({ username: 'u', password: secret }, [])
    assert.equal(user.refusal(sub, 11, HERE), 'User:u has no permission to access Topic:orders from 127.0.0.1')
  })

  test('may what the nearest rule allows: a name, a longer prefix, any name, any kind; of equal ones a denial counts', () => {
    const near = [rule('*', 'All'), rule('Topic:*', 'Sub', 'Deny'), rule('Topic:or*', 'Sub'), rule('Topic:ord*', 'Sub', 'Deny')]
    assert.deepEqual(
      near.map((_, i) => may(sub, HERE, ...near.slice(0, i + 1))),
      [true, false, true, false],
    )
    assert.ok(may(sub, HERE, ...near, rule('Topic:orders', 'Sub')))
    assert.ok(!may(sub, HERE, rule('Topic:orders', 'Sub'), rule('Topic:orders', 'Sub', 'Deny')))
  })

  test('may not do by one action what the nearest rule forbids by another', () => {
    const look = topicNeed('orders', 'Sub', 'Get')
    assert.ok(!may(look, HERE, rule('Topic:*', 'All'), rule('Topic:orders', 'Sub', 'Deny')))
    assert.ok(!may(look, HERE, rule('Topic:orders', 'Get'), rule('Topic:orders', 'Sub', 'Deny')))
    assert.ok(may(look, HERE, rule('Topic:*', 'Sub', 'Deny'), rule('Topic:orders', 'Get')))
    assert.ok(may(look, HERE, rule('Topic:orders', 'Pub', 'Deny'), rule('Topic:orders', 'Sub')))
  })

  test('may it from the addresses of the rule alone', () => {
    assert.ok(may(sub, '10.0.0.7', rule('Topic:orders', 'Sub', 'Allow', '10.0.0.*', '11.0.0.1')))
    assert.ok(!may(sub, '10.0.1.7', rule('Topic:orders', 'Sub', 'Allow', '10.0.0.*', '11.0.0.1')))
  })

  test('has rules by default only where the custom ones say nothing', () => {
    const policies = [
      { policyType: 'Default', entries: [rule('Topic:*', 'Sub', 'Allow')] },
      { policyType: 'Custom', entries: [rule('Topic:orders', 'Sub', 'Deny')] },
    ] as const
    const user = new User({ username: 'u', password: secret }, [{ subject: 'User:u', policies }])
    assert.deepEqual(
      ['orders', 'other'].map((topic) => user.refusal(topicNeed(topic, 'Sub'), 1, HERE) === undefined),
      [false, true],
    )
  })
})

describe('what is said of accounts and users', () => {
  const account = { accessKey: 'accessKey', secretKey: secret }
  const user = { username: 'u', password: secret }

  test('is refused where it cannot be, by naming the place and no secret', () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [[], /auth must be an object/],
      [{ acounts: [] }, /auth has an unknown field "acounts"/],
      [{ accounts: {} }, /auth\.accounts must be a list/],
      [{ accounts: [{ ...account, accessKey: 'short' }] }, /accessKey must have more than 6/],
      [{ accounts: [{ ...account, secretKey: 'short' }] }, /secretKey of "accessKey" must have more than 6/],
      [{ accounts: [{ accessKey: 'accessKey' }] }, /auth\.accounts\[0\]\.secretKey must be a text/],
      [{ accounts: [{ ...account, secretKey: [secret] }] }, /auth\.accounts\[0\]\.secretKey must be a text, got a list/],
      [{ accounts: [{ ...account, admin: 'true' }] }, /auth\.accounts\[0\]\.admin must be true or false/],
      [{ accounts: [{ ...account, topicPerms: ['T'] }] }, /a permission is such as/],
      [{ accounts: [{ ...account, topicPerms: ['T=READ'] }] }, /a permission is one of/],
      [{ accounts: [{ ...account, defaultGroupPerm: 'sub' }] }, /a permission is one of/],
      [{ accounts: [{ ...account, whiteRemoteAddress: '1.2' }] }, /address pattern/],
      [{ accounts: [account, account] }, /the access key "accessKey" twice/],
      [{ accounts: [account], users: [{ username: 'accessKey', password: secret }] }, /the access key "accessKey" twice/],
      [{ users: [{ ...user, userType: 'Root' }] }, /userType must be one of Normal, Super/],
      [{ users: [{ ...user, password: '' }] }, /the password of "u" must not be empty/],
      [{ acls: [{ subject: 'User:u', policies: [] }] }, /rules for "User:u"/],
      ...[{ resource: 'Topics:x' }, { resource: 'Topic:' }, { actions: ['Write'] }, { decision: 'allow' }].map((change) => {
        const entry = { resource: 'Topic:x', actions: ['Pub'], decision: 'Allow', ...change }
        return [
          { users: [user], acls: [{ subject: 'User:u', policies: [{ entries: [entry] }] }] },
          /resource|action|decision/,
        ] as const
      }),
    ]
    for (const [settings, words] of wrong) {
      assert.throws(
        () => principalsOf(settings as AuthSettings),
        (error: Error) => {
          assert.ok(error instanceof TypeError || error instanceof RangeError)
          assert.match(error.message, words)
          assert.ok(!error.message.includes(secret), error.message)
          return true
        },
      )
    }
  })

  test('may be the actions of a rule in one text, as the tools of RocketMQ write them', () => {
    const entries = [{ resource: 'Topic:x', actions: 'Pub, Sub', decision: 'Allow' }]
    const settings = { users: [user], acls: [{ subject: 'User:u', policies: [{ entries }] }] }
    const found = principalsOf(settings as unknown as AuthSettings).find('u')
    assert.ok(found !== undefined && !(found instanceof Promise))
    assert.equal(found.refusal(topicNeed('x', 'Sub'), 1, HERE), undefined)
  })

  test('does not show the secrets to who prints it', () => {
    const principals = principalsOf({ accounts: [account], users: [user] })
    const shown = [principals, principals.find('accessKey'), principals.find('u')]
    assert.ok(!inspect(shown, { depth: 10, showHidden: true }).includes(secret) && !JSON.stringify(shown).includes(secret))
  })
})
