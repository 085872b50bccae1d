/**
 * Signatures of requests, against values that openssl computed: `printf 'AK-testerorders3hello' | openssl dgst -sha1 -hmac
 * SK-tester`.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isSignedWith, signed, unsigned } from '../../../lib/remoting/auth/signature.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { encodeFrame, FrameDecoder } from '../../../lib/remoting/frame.js'
import { standardLimits } from '../../../lib/remoting/limits.js'
import { commands } from '../../support/commands.js'

const credentials = { accessKey: 'AK-tester', secretKey: 'SK-tester' }
const parts: CommandParts = { ext: { b: 'orders', e: 3 }, body: Buffer.from('hello') }

function withFields(command: Command, fields: Readonly<Record<string, string>>): Command {
  return { ...command, extFields: { ...command.extFields, ...fields } }
}

describe('a signature', () => {
  test('is that of the values of all ext fields in the order of their names, and of the body', () => {
    const command = signed(request(310, parts), credentials)
    assert.equal(command.extFields['Signature'], 'FnNcTdoYAFeOpm/Wyhig9w3HqRc=')
    assert.equal(command.extFields['AccessKey'], 'AK-tester')
    assert.ok(isSignedWith('SK-tester', command))
  })

  test('may leave out or count the field by which unique keys are asked for, as clients before and after 4.9.4 do', () => {
    const ext = { b: 'orders', e: 3, _UNIQUE_KEY_QUERY: true }
    const asked = signed(request(12, { ...parts, ext }), credentials)
    assert.ok(isSignedWith('SK-tester', asked))
    assert.equal(asked.extFields['Signature'], 'HFdzPuxFmPH1+Dfm2nTVSBKtyaA=')
    assert.ok(isSignedWith('SK-tester', withFields(asked, { Signature: 'FnNcTdoYAFeOpm/Wyhig9w3HqRc=' })))
  })

  test('is that of no other secret, no other value, no other body, and of no request without one', () => {
    const command = signed(request(310, parts), credentials)
    assert.ok(!isSignedWith('SK-teste', command))
    assert.ok(!isSignedWith(undefined, command))
    assert.ok(!isSignedWith('SK-tester', { ...command, body: Buffer.from('Hello') }))
    for (const fields of [
      { b: 'order' },
      { e: '4' },
      { further: 'x' },
      { Signature: '' },
      { Signature: 'FnNcTdoYAFeOpm/Wyhig9w3HqRc==' },
    ])
      assert.ok(!isSignedWith('SK-tester', withFields(command, fields)), JSON.stringify(fields))
    assert.ok(!isSignedWith('SK-tester', request(310, parts)))
    // What stands in for the secret of an unknown key lets nobody in either.
    assert.ok(!isSignedWith(undefined, signed(request(310, parts), { accessKey: 'x', secretKey: 'there is no such key' })))
  })

  test('counts a security token', () => {
    const command = signed(request(310, parts), { ...credentials, securityToken: 'token' })
    assert.equal(command.extFields['SecurityToken'], 'token')
    assert.ok(isSignedWith('SK-tester', command))
    assert.ok(!isSignedWith('SK-tester', withFields(command, { SecurityToken: 'other' })))
  })

  test('does not sign the code, nor where one value ends: such a request can be sent again as another', () => {
    // RocketMQ's scheme, which clients bring along. This test says what it does not do; TLS is what helps.
    const command = signed(request(310, { ext: { a: 'group', b: 'orders' } }), credentials)
    assert.ok(isSignedWith('SK-tester', { ...command, code: 215, opaque: 7 }))
    assert.ok(isSignedWith('SK-tester', withFields(command, { a: 'grouporde', b: 'rs' })))
  })

  test('holds after the way through a frame, and is gone from what is passed on', () => {
    for (const encoding of ['json', 'binary'] as const) {
      fc.assert(
        fc.property(commands(encoding), (command) => {
          const decoder = new FrameDecoder(standardLimits)
          decoder.add(Buffer.concat(encodeFrame(signed(command, credentials))))
          const came = decoder.next()!.command
          assert.ok(isSignedWith('SK-tester', came))
          const { AccessKey, Signature, SecurityToken, ...rest } = command.extFields
          assert.deepEqual({ ...unsigned(came).extFields }, rest)
        }),
        { numRuns: 100 },
      )
    }
  })
})
