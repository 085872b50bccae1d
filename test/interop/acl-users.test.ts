/**
 * A broker of RocketMQ 5.3.3 that asks who sends and what they may do, and ours with the same users and rules: who is served
 * and who is refused is the same, and RocketMQ's administration program lists the same users and rules.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { AuthSettings } from '../../lib/remoting/auth/settings.js'
import { printBody } from '../../lib/remoting/body-json.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests, accountRequests as codes, nameServerRequests } from '../../lib/remoting/codes.js'
import { type CommandParts, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { normalized, type RunAdmin, startAdmin } from './admin-process.js'
import { cleanUp } from './clean-up.js'
import { startBroker, startNameServer } from './java-servers.js'
import { BROKER, dueDeeds, GROUP, plainDeeds, runSigned, type Sender, TOPIC } from './signed-clients.js'

const passwordOf = (name: string): string => `password-of-${name}`
const administrator = { accessKey: 'administrator', secretKey: passwordOf('administrator') }

type Entry = readonly [resource: string, actions: readonly string[], decision?: 'Allow' | 'Deny']
const both = ['Pub', 'Sub']

/** The rules of each user. */
const rules: Readonly<Record<string, readonly Entry[]>> = {
  'owner-of-all': [
    [`Topic:${TOPIC}`, both],
    [`Group:${GROUP}`, ['Sub']],
  ],
  'writer-only': [
    [`Topic:${TOPIC}`, ['Pub']],
    [`Group:${GROUP}`, ['Sub']],
  ],
  'reader-only': [
    [`Topic:${TOPIC}`, ['Sub']],
    [`Group:${GROUP}`, ['Sub']],
  ],
  'other-group': [
    [`Topic:${TOPIC}`, ['Sub']],
    ['Group:another', ['Sub']],
  ],
  'by-prefix': [
    ['Topic:sig*', both],
    ['Group:*', ['Sub']],
  ],
  'denied-one': [
    ['Topic:*', both],
    ['Group:*', ['Sub']],
    [`Topic:${TOPIC}`, both, 'Deny'],
  ],
  'shut-out': [
    ['Topic:*', both],
    ['Group:*', ['Sub']],
  ],
}
const users = Object.keys(rules).map((username) => {
  const userStatus = username === 'shut-out' ? ('disable' as const) : ('enable' as const)
  return { username, password: passwordOf(username), userType: 'Normal' as const, userStatus }
})
const acls = Object.entries(rules).map(([username, all]) => {
  const entries = all.map(([resource, actions, decision = 'Allow' as const]) => ({ resource, actions, decision, sourceIps: [] }))
  return { subject: `User:${username}`, policies: [{ policyType: 'Custom' as const, entries }] }
})
const root = {
  username: administrator.accessKey,
  password: administrator.secretKey,
  userType: 'Super' as const,
  userStatus: 'enable' as const,
}

/** Who sends, in the order in which they do; whether they may send, and pull. */
const senders: readonly Sender[] = [
  ...(
    [
      ['administrator', true, true],
      ['writer-only', true, false],
      ['reader-only', false, true],
      ['other-group', false, false],
      ['by-prefix', true, true],
      ['denied-one', false, false],
      ['shut-out', false, false],
      ['unknown-key', false, false],
    ] as const
  ).map(([name, ...may]) => [`${name}:${passwordOf(name)}`, ...may] as const),
  [`writer-only:${passwordOf('reader-only')}`, false, false],
  ['-', false, false],
  [`owner-of-all:${passwordOf('owner-of-all')}`, true, true],
]

interface Side {
  readonly names: string
  readonly broker: string
}

async function startOurs(t: TestContext): Promise<Side> {
  const auth: AuthSettings = { users: [root, ...users], acls }
  const options = { topics: { [TOPIC]: { queues: 1 } }, store: { brokerName: BROKER } }
  const { server } = await serveBroker(t, { options, server: { auth } })
  return { names: endpointText(server.nameServerEndpoint!), broker: endpointText(server.endpoint) }
}

async function startTheirs(t: TestContext): Promise<Side> {
  const names = await startNameServer(t, '5.3.3')
  const inPackage = (name: string): string => `org.apache.rocketmq.auth.${name}`
  const broker = await startBroker(t, '5.3.3', {
    brokerName: BROKER,
    brokerClusterName: 'DefaultCluster',
    namesrvAddr: names.address,
    authenticationEnabled: true,
    authenticationProvider: inPackage('authentication.provider.DefaultAuthenticationProvider'),
    authenticationMetadataProvider: inPackage('authentication.provider.LocalAuthenticationMetadataProvider'),
    initAuthenticationUser: JSON.stringify({ username: root.username, password: root.password }),
    innerClientAuthenticationCredentials: JSON.stringify(administrator),
    authorizationEnabled: true,
    authorizationProvider: inPackage('authorization.provider.DefaultAuthorizationProvider'),
    authorizationMetadataProvider: inPackage('authorization.provider.LocalAuthorizationMetadataProvider'),
  })
  await prepare(t, broker.address, names.address)
  return { names: names.address, broker: broker.address }
}

/** Makes the topic, the users and the rules, as an administrator does, and waits until the name server knows of the topic. */
async function prepare(t: TestContext, address: string, names: string): Promise<void> {
  const client = new RemotingClient({ credentials: administrator })
  cleanUp(t, () => client.close(100))
  const ask = async (code: number, parts: CommandParts): Promise<void> => {
    const answered = await client.invoke(address, request(code, parts))
    assert.equal(answered.code, 0, `${code}: ${answered.remark}`)
  }
  const queues = { readQueueNums: 1, writeQueueNums: 1, perm: 6, topicFilterType: 'SINGLE_TAG', order: false }
  await ask(brokerRequests.UPDATE_AND_CREATE_TOPIC, { ext: { topic: TOPIC, defaultTopic: 'TBW102', ...queues } })
  for (const user of users) {
    const { username } = user
    await ask(codes.AUTH_CREATE_USER, { ext: { username }, body: printBody(user) })
    // A new one is let in at first, whatever is said.
    await ask(codes.AUTH_UPDATE_USER, { ext: { username }, body: printBody(user) })
  }
  for (const acl of acls) await ask(codes.AUTH_CREATE_ACL, { ext: { subject: acl.subject }, body: printBody(acl) })
  const route = request(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: TOPIC } })
  while ((await client.invoke(names, route)).code !== 0) await new Promise((resolve) => setTimeout(resolve, 100))
}

test('a broker of RocketMQ 5.3.3 with the same users and rules serves and refuses the same', async (t) => {
  const sides = await Promise.all([startOurs(t), startTheirs(t)])
  const [ours, theirs] = await Promise.all(
    sides.map(async ({ names }) => plainDeeds((await runSigned(t, '5.3.3', names, senders)).deeds)),
  )
  assert.deepEqual(theirs, dueDeeds(senders))
  assert.deepEqual(ours, theirs)
  const keys = `accessKey: ${administrator.accessKey}\nsecretKey: ${administrator.secretKey}\n`
  const runs = sides.map((side): [RunAdmin, Side] => [startAdmin(t, '5.3.3', { 'conf/tools.yml': keys }), side])
  for (const command of [
    ['listUser'],
    ['getUser', '-u', 'shut-out'],
    ['listAcl'],
    ['listAcl', '-s', 'writer', '-r', 'Topic'],
    ['getAcl', '-s', 'User:denied-one'],
  ]) {
    const [name, ...words] = command
    const [own, real] = await Promise.all(
      runs.map(async ([run, { names, broker }]) => normalized(await run(name!, '-n', names, '-b', broker, ...words))),
    )
    // This release shows what requests are signed with.
    const hidden = real!.map((text) => text.replace(/password-of-\S+/, 'null'))
    assert.deepEqual(own, hidden, command.join(' '))
  }
  const [run, { names, broker }] = runs[0]!
  const refused = await run('createUser', '-n', names, '-b', broker, '-u', 'new-one', '-p', 'secret', '-t', 'Super')
  assert.match(refused, /CODE: 604 .*users and their rights are changed in the ACL file of the server alone/)
})
