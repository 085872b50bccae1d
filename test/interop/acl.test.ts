/**
 * RocketMQ's own clients and administration program, with keys, against `mqlite serve --acl` and against a broker of
 * RocketMQ that reads the same accounts: who is served and who is refused is the same.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { cleanUp } from './clean-up.js'
import { generations } from './java-build.js'
import { type HomeFiles, mqadmin, runClient, startBroker, startNameServer } from './java-servers.js'
import { serve } from './served.js'

const TOPIC = 'signed'
const GROUP = 'signed_group'
const secretOf = (accessKey: string): string => `secret-of-${accessKey}`
const account = (accessKey: string, rights: Readonly<Record<string, unknown>>) => ({
  accessKey,
  secretKey: secretOf(accessKey),
  whiteRemoteAddress: '',
  admin: false,
  defaultTopicPerm: 'DENY',
  defaultGroupPerm: 'DENY',
  ...rights,
})

/** The accounts, in RocketMQ's own form: JSON is YAML. */
const accounts = {
  accounts: [
    account('administrator', { admin: true }),
    account('owner-of-all', { topicPerms: [`${TOPIC}=PUB|SUB`], groupPerms: [`${GROUP}=SUB`] }),
    account('writer-only', { topicPerms: [`${TOPIC}=PUB`], groupPerms: [`${GROUP}=SUB`] }),
    account('reader-only', { topicPerms: [`${TOPIC}=SUB`], groupPerms: [`${GROUP}=SUB`] }),
    account('other-group', { topicPerms: [`${TOPIC}=SUB`], groupPerms: ['another=SUB'] }),
    account('by-default', { defaultTopicPerm: 'PUB|SUB', defaultGroupPerm: 'SUB' }),
    account('denied-one', { defaultTopicPerm: 'PUB|SUB', defaultGroupPerm: 'SUB', topicPerms: [`${TOPIC}=DENY`] }),
  ],
}
const keyOf = (accessKey: string): string => `${accessKey}:${secretOf(accessKey)}`
const senders = [
  keyOf('administrator'),
  keyOf('writer-only'),
  keyOf('reader-only'),
  keyOf('other-group'),
  keyOf('by-default'),
  keyOf('denied-one'),
  'unknown-key:does-not-matter',
  'wrong-secret:',
  '-',
  keyOf('owner-of-all'),
].map((one) => (one === 'wrong-secret:' ? `writer-only:${secretOf('reader-only')}` : one))

/** Who may what: the outcomes of sending and of pulling, in the order of the senders. */
const expected = [
  ['administrator', true, true],
  ['writer-only', true, false],
  ['reader-only', false, true],
  ['other-group', false, false],
  ['by-default', true, true],
  ['denied-one', false, false],
  ['unknown-key', false, false],
  ['writer-only', false, false],
  ['-', false, false],
  ['owner-of-all', true, true],
] as const

function tools(accessKey: string): HomeFiles {
  return { 'conf/tools.yml': `accessKey: ${accessKey}\nsecretKey: ${secretOf(accessKey)}\n` }
}

/** The lines of `Signed`: who, what, whether it was done, and what was said. */
function outcomes(output: string): { who: string; deed: string; isDone: boolean; said: string }[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('OUTCOME '))
    .map((line) => {
      const [, who, deed, outcome, ...said] = line.trim().split(' ')
      return { who: who!, deed: deed!, isDone: outcome === 'done', said: said.join(' ') }
    })
}

function check(output: string): void {
  const found = outcomes(output)
  const deeds = expected.flatMap(([who, send, pull]) => [
    [who, 'send', send],
    [who, 'pull', pull],
  ])
  assert.deepEqual(
    found.map(({ who, deed, isDone }) => [who, deed, isDone]),
    [...deeds, ['owner-of-all', 'consume', true]],
    output,
  )
}

const SENT = expected.filter(([, send]) => send).length

async function serveWithAccounts(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-acl-'))
  cleanUp(t, () => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'acl.json')
  writeFileSync(path, JSON.stringify(accounts))
  chmodSync(path, 0o600)
  return serve(t, '--acl', path, '--topic', `${TOPIC}:1`)
}

for (const generation of generations) {
  describe(`clients of ${generation} with keys`, () => {
    test('send and consume what their accounts let them, and are refused the rest', async (t) => {
      const served = await serveWithAccounts(t)
      const output = await runClient(t, generation, 'Signed', [
        served.nameServer,
        TOPIC,
        'mqlite',
        GROUP,
        String(SENT),
        ...senders,
      ])
      check(output)
      const refused = outcomes(output).filter(({ isDone }) => !isDone)
      // Where the route was told, the broker refused; who is not known is told no route.
      for (const { who, said } of refused)
        if (who !== 'unknown-key' && who !== '-' && !said.startsWith('-'))
          assert.match(said, /^16 .*No permission for (Topic|Group):/)
      assert.ok(!output.includes('secret-of'), output)
    })
  })
}

test('a broker of RocketMQ 4.9.7 with the same accounts serves and refuses the same', async (t) => {
  const names = await startNameServer(t, '4.9.7')
  const settings = { brokerName: 'mqlite', namesrvAddr: names.address, aclEnable: true }
  const broker = await startBroker(t, '4.9.7', settings, { 'conf/plain_acl.yml': JSON.stringify(accounts) })
  const line = ['updateTopic', '-n', names.address, '-b', broker.address, '-t', TOPIC, '-r', '1', '-w', '1']
  assert.match(await mqadmin(t, '4.9.7', line, tools('administrator')), /success/)
  check(await runClient(t, '4.9.8', 'Signed', [names.address, TOPIC, 'mqlite', GROUP, String(SENT), ...senders]))
})

for (const release of ['4.9.7', '5.3.3'] as const) {
  test(`mqadmin of ${release} does everything with the keys of an administrator, and changes nothing with others`, async (t) => {
    const served = await serveWithAccounts(t)
    const names = ['-n', served.nameServer]
    const admin = (line: readonly string[], accessKey?: string): Promise<string> =>
      mqadmin(t, release, line, accessKey === undefined ? {} : tools(accessKey))
    const make = ['updateTopic', ...names, '-b', served.broker, '-t', 'made', '-r', '1', '-w', '1']
    assert.doesNotMatch(await admin(make, 'owner-of-all').catch(String), /success/)
    assert.doesNotMatch(await admin(make).catch(String), /success/)
    assert.match(await admin(make, 'administrator'), /success/)
    const list = (await admin(['topicList', ...names], 'administrator')).split('\n')
    assert.ok(list.includes('made') && list.includes(TOPIC), list.join('\n'))
    assert.match(await admin(['brokerStatus', ...names, '-b', served.broker], 'administrator'), /commitLogMaxOffset/)
    assert.doesNotMatch(
      await admin(['brokerStatus', ...names, '-b', served.broker], 'owner-of-all').catch(String),
      /commitLogMaxOffset/,
    )
    assert.match(await admin(['clusterList', ...names], 'administrator'), /^DefaultCluster\s+mqlite/m)
    const deletion = ['deleteTopic', ...names, '-c', 'DefaultCluster', '-t', TOPIC]
    assert.doesNotMatch(await admin(deletion, 'owner-of-all').catch(String), /success/)
    assert.match(await admin(deletion, 'administrator'), /success/)
    const store = await served.stop()
    assert.deepEqual(store.queues(), [])
  })
}
