/** The ACL file of `mqlite serve`: what it must be, and that no secret of it is ever said. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { UsageError } from '../../lib/cli/command.js'
import { readAclFile, readCredentialsFile } from '../../lib/cli/serve-auth.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests } from '../../lib/remoting/codes.js'
import { request } from '../../lib/remoting/command.js'
import { inLetters } from '../support/client-messages.js'
import { outcomeOf, run, start, temporary } from '../support/command-line.js'

const producer = { accessKey: 'producer', secretKey: 'canary-of-the-producer' }
const settings = { accounts: [{ ...producer, topicPerms: ['T=PUB'] }] }

function fileOf(t: TestContext, text: string, mode = 0o600): string {
  const path = join(temporary(t), 'acl.json')
  writeFileSync(path, text, { mode })
  chmodSync(path, mode)
  return path
}

describe('a file with secrets', () => {
  test('is JSON with accounts, users and rules, and is read by its owner alone', (t) => {
    assert.deepEqual(readAclFile(fileOf(t, JSON.stringify(settings))).accounts?.[0]?.topicPerms, ['T=PUB'])
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o666]) {
      const path = fileOf(t, JSON.stringify(settings), mode)
      assert.throws(
        () => readAclFile(path),
        (error: Error) => error instanceof UsageError && /chmod 600/.test(error.message),
      )
    }
  })

  test('that cannot be is refused with the place and without secrets', (t) => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['', /no JSON/],
      [`{"accounts":[{"accessKey":"producer","secretKey":"${producer.secretKey}"`, /no JSON at line 1, column/],
      [`{"accounts":[{"accessKey":"producer","secretKey":"${producer.secretKey}","Admin":true}]}`, /unknown field "Admin"/],
      [
        `{"accounts":[{"accessKey":"producer","secretKey":["${producer.secretKey}"]}]}`,
        /accounts\[0\]\.secretKey must be a text/,
      ],
      [`"${producer.secretKey}"`, /must be an object/],
      [JSON.stringify({ accounts: [{ ...producer, topicPerms: ['T=PUBB'] }] }), /acl\.json: a permission is one of DENY, PUB/],
      [JSON.stringify({ acls: [{ subject: 'auditor', policies: [] }] }), /acl\.json: .* rules for "auditor", which is no User:/],
    ]
    for (const [text, words] of wrong) {
      assert.throws(
        () => readAclFile(fileOf(t, text)),
        (error: Error) => error instanceof UsageError && words.test(error.message) && !error.message.includes('canary'),
        text,
      )
    }
    assert.throws(() => readAclFile(join(temporary(t), 'none')), UsageError)
  })

  test('may be one of credentials, which sign what name servers are told', (t) => {
    assert.deepEqual(readCredentialsFile(fileOf(t, JSON.stringify(producer))), producer)
    assert.throws(() => readCredentialsFile(fileOf(t, JSON.stringify(settings))), UsageError)
    assert.throws(() => readCredentialsFile(fileOf(t, JSON.stringify(producer), 0o644)), UsageError)
  })

  test('decides who may send to mqlite serve, which says nothing of its secrets', async (t) => {
    const path = fileOf(t, JSON.stringify(settings))
    const child = start(
      'serve',
      temporary(t),
      '--port',
      '0',
      '--name-server-port',
      '0',
      '--json',
      '--topic',
      'T:1',
      '--acl',
      path,
    )
    const outcome = outcomeOf(child)
    let text = ''
    for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
      text += String(chunk)
      if (text.endsWith('}\n')) break
    }
    const { broker } = JSON.parse(text) as { broker: string }
    const codes: number[] = []
    for (const credentials of [producer, { ...producer, secretKey: 'another' }, undefined]) {
      const client = new RemotingClient(credentials === undefined ? {} : { credentials })
      codes.push((await client.invoke(broker, request(brokerRequests.SEND_MESSAGE_V2, inLetters()))).code)
      await client.close(100)
    }
    assert.deepEqual(codes, [0, 16, 16])
    child.kill('SIGTERM')
    const { code, out, error } = await outcome
    assert.equal(code, 0, error)
    assert.match(error, /Check signature failed/)
    assert.ok(!(text + out + error).includes('canary'))
  })

  test('that others may read is refused at the start, as are accounts that cannot be', async (t) => {
    const open = fileOf(t, JSON.stringify(settings), 0o644)
    const short = fileOf(t, JSON.stringify({ accounts: [{ accessKey: 'short', secretKey: producer.secretKey }] }))
    for (const path of [open, short]) {
      const { code, error } = await run('serve', temporary(t), '--port', '0', '--name-server-port', '0', '--acl', path)
      assert.equal(code, 2, error)
      assert.ok(!error.includes('canary') && /chmod 600|more than 6/.test(error), error)
    }
  })
})
