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
import { type HomeFiles, mqadmin, startBroker, startNameServer } from './java-servers.js'
import { serve } from './served.js'
import { dueDeeds, GROUP, plainDeeds, runSigned, type Sender, TOPIC } from './signed-clients.js'

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

/** Who sends, in the order in which they do. */
const senders: readonly Sender[] = [
  [keyOf('administrator'), true, true],
  [keyOf('writer-only'), true, false],
  [keyOf('reader-only'), false, true],
  [keyOf('other-group'), false, false],
  [keyOf('by-default'), true, true],
  [keyOf('denied-one'), false, false],
  ['unknown-key:does-not-matter', false, false],
  [`writer-only:${secretOf('reader-only')}`, false, false],
  ['-', false, false],
  [keyOf('owner-of-all'), true, true],
]

function tools(accessKey: string): HomeFiles {
  return { 'conf/tools.yml': `accessKey: ${accessKey}\nsecretKey: ${secretOf(accessKey)}\n` }
}

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
      const { output, deeds } = await runSigned(t, generation, served.nameServer, senders)
      assert.deepEqual(plainDeeds(deeds), dueDeeds(senders), output)
      const refused = deeds.filter(({ isDone }) => !isDone)
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
  const { output, deeds } = await runSigned(t, '4.9.8', names.address, senders)
  assert.deepEqual(plainDeeds(deeds), dueDeeds(senders), output)
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
