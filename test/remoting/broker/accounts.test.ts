/** What administrators are told of users and rules: never a secret; and that these are changed in the file alone. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { AuthSettings } from '../../../lib/remoting/auth/settings.js'
import { printBody } from '../../../lib/remoting/body-json.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { accountRequests as codes, responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { accountReading } from '../../../lib/remoting/commands/accounts.js'
import { said } from '../../support/consumer-requests.js'
import { serveBroker } from '../../support/serve-broker.js'

const { ILLEGAL_OPERATION, NO_PERMISSION, SUCCESS, SYSTEM_ERROR, USER_NOT_EXIST } = responseCodes
const entry = (resource: string) => ({ resource, actions: ['Pub', 'Sub'], decision: 'Allow', sourceIps: ['10.0.0.*'] }) as const
const auth: AuthSettings = {
  accounts: [{ accessKey: 'old-account', secretKey: 'canary-of-old', admin: true }],
  users: [
    { username: 'root', password: 'canary-of-root', userType: 'Super' },
    { username: 'writer', password: 'canary-of-writer', userStatus: 'disable' },
    { username: 'reader', password: 'canary-of-reader' },
  ],
  acls: [
    { subject: 'User:writer', policies: [{ entries: [entry('Topic:orders'), entry('Group:g')] }] },
    { subject: 'User:writer', policies: [{ policyType: 'Default', entries: [entry('Topic:*')] }] },
    { subject: 'User:reader', policies: [{ entries: [{ resource: 'Topic:orders', actions: ['Sub'], decision: 'Deny' }] }] },
  ],
}

async function serve(t: TestContext, given: AuthSettings | undefined) {
  const { address, server } = await serveBroker(t, { server: given === undefined ? {} : { auth: given } })
  return {
    server,
    as: (accessKey: string, secretKey: string) => {
      const client = new RemotingClient({ credentials: { accessKey, secretKey } })
      t.after(() => client.close(100))
      return (code: number, ext: CommandParts['ext'] = {}, body?: Buffer): Promise<Command> =>
        client.invoke(address, request(code, { ext, body }))
    },
  }
}

test('administrators see users and rules, by name, by a part of it, and by a part of a resource, without secrets', async (t) => {
  const { as } = await serve(t, auth)
  const ask = as('root', 'canary-of-root')
  const users = [
    { username: 'root', userStatus: 'enable', userType: 'Super' },
    { username: 'writer', userStatus: 'disable', userType: 'Normal' },
    { username: 'reader', userStatus: 'enable', userType: 'Normal' },
  ]
  assert.deepEqual(said(await ask(codes.AUTH_LIST_USER)), users)
  assert.deepEqual(said(await ask(codes.AUTH_LIST_USER, { filter: 'rea' })), [users[2]])
  assert.deepEqual(said(await ask(codes.AUTH_GET_USER, { username: 'writer' })), users[1])
  const none = await ask(codes.AUTH_GET_USER, { username: 'old-account' })
  assert.deepEqual([none.code, none.body.length], [SUCCESS, 0])
  const custom = { entries: [entry('Topic:orders'), entry('Group:g')], policyType: 'Custom' }
  const standing = { entries: [entry('Topic:*')], policyType: 'Default' }
  const writer = { subject: 'User:writer', policies: [custom, standing] }
  const denial = { resource: 'Topic:orders', actions: ['Sub'], decision: 'Deny' }
  const reader = { subject: 'User:reader', policies: [{ entries: [denial], policyType: 'Custom' }] }
  assert.deepEqual(said(await ask(codes.AUTH_GET_ACL, { subject: 'User:writer' })), writer)
  assert.deepEqual(said(await ask(codes.AUTH_LIST_ACL)), [writer, reader])
  assert.deepEqual(said(await ask(codes.AUTH_LIST_ACL, { subjectFilter: 'writer', resourceFilter: 'Group' })), [
    { subject: 'User:writer', policies: [{ ...custom, entries: [entry('Group:g')] }] },
  ])
  const without = await ask(codes.AUTH_GET_ACL, { subject: 'User:root' })
  assert.deepEqual([without.code, without.body.length], [SUCCESS, 0])
  assert.equal((await ask(codes.AUTH_GET_ACL, { subject: 'User:nobody' })).code, USER_NOT_EXIST)
  for (const code of accountReading) {
    const { body } = await ask(code, { username: 'root', subject: 'User:writer' })
    assert.ok(!body.includes('canary'))
  }
})

test('others see nothing of it, and nobody changes it', async (t) => {
  const { as } = await serve(t, auth)
  const [root, reader] = [as('root', 'canary-of-root'), as('reader', 'canary-of-reader')]
  const ext = { username: 'new', subject: 'User:new' }
  const body = printBody({ username: 'new', password: 'x', userType: 'Super', userStatus: 'enable' })
  for (const code of Object.values(codes)) {
    assert.equal((await reader(code, ext, body)).code, NO_PERMISSION, String(code))
    if (accountReading.includes(code)) continue
    const refused = await root(code, ext, body)
    const why = 'users and their rights are changed in the ACL file of the server alone'
    assert.deepEqual([refused.code, refused.remark], [ILLEGAL_OPERATION, why])
  }
  assert.equal((said(await root(codes.AUTH_LIST_USER)) as unknown[]).length, 3)
})

test('what is said anew is seen, and where nobody is asked there is nothing to see', async (t) => {
  const { server, as } = await serve(t, auth)
  const ask = as('root', 'canary-of-root')
  server.changeAuth({ users: auth.users!.slice(0, 1) })
  assert.equal((said(await ask(codes.AUTH_LIST_USER)) as unknown[]).length, 1)
  const open = await serve(t, undefined)
  for (const code of accountReading)
    assert.equal((await open.as('root', 'x')(code, { username: 'a', subject: 'User:a' })).code, SYSTEM_ERROR)
})
