/** The ACL file while a server runs: what is written into it counts soon, and what cannot be does not. */
import assert from 'node:assert/strict'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { AclWatch } from '../../lib/cli/acl-watch.js'
import { readAclFile } from '../../lib/cli/serve-auth.js'
import type { AuthSettings } from '../../lib/remoting/auth/settings.js'
import { temporary } from '../support/command-line.js'
import { ManualTime } from '../support/manual-time.js'

const account = (name: string) => ({ accessKey: `account-${name}`, secretKey: `canary-of-${name}` })

function watch(t: TestContext) {
  const path = join(temporary(t), 'acl.json')
  let writes = 0
  const write = (content: unknown, mode = 0o600): void => {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    // Never as long as before: the clock of some file systems is coarse.
    writeFileSync(path, text + ' '.repeat(++writes), { mode })
    chmodSync(path, mode)
  }
  write({ accounts: [account('first')] })
  const time = new ManualTime()
  const applied: string[][] = []
  const told: string[] = []
  const apply = ({ accounts = [] }: AuthSettings): void => void applied.push(accounts.map(({ accessKey }) => accessKey.slice(8)))
  const log = { tell: (level: string, what: string, fields?: object) => told.push(`${level} ${what} ${JSON.stringify(fields)}`) }
  const watched = new AclWatch({ path, first: readAclFile(path), apply, log, timers: time })
  t.after(() => watched.stop())
  const look = (times = 1): void => {
    for (let i = 0; i < times; i++) time.advance(1000)
  }
  return { path, write, applied, told, look, watched }
}

describe('the ACL file of a server that runs', () => {
  test('counts as it is written, once it stays the same for a second', (t) => {
    const { write, applied, told, look, watched } = watch(t)
    look(3)
    assert.deepEqual([applied, told], [[], []])
    write({ accounts: [account('first'), account('second')] })
    look()
    assert.deepEqual(applied, [])
    write({ accounts: [account('third')] })
    look()
    assert.deepEqual(applied, [])
    look()
    assert.deepEqual(applied, [['third']])
    assert.deepEqual(told, ['info the ACL file was read anew {"accounts":1,"users":0}'])
    look(5)
    watched.stop()
    write({ accounts: [] })
    look(5)
    assert.equal(applied.length, 1)
  })

  test('is not applied when nothing in it has changed', (t) => {
    const { write, applied, told, look } = watch(t)
    look(2)
    write({ accounts: [account('first')] })
    look(3)
    assert.deepEqual([applied, told], [[], []])
  })

  test('that cannot be is told of once and without secrets, and what was in force stays so', (t) => {
    const { path, write, applied, told, look } = watch(t)
    const wrong: readonly (readonly [() => void, RegExp])[] = [
      [() => write('{"accounts":[{"secretKey":"canary-of-x"'), /no JSON at line 1/],
      [() => write({ accounts: [{ ...account('x'), admin: 'yes' }] }), /admin must be true or false/],
      [() => write({ accounts: [account('x'), account('x')] }), /has the access key .*account-x.* twice/],
      [() => write({ accounts: [account('x')] }, 0o644), /chmod 600/],
      [() => rmSync(path), /there is no file/],
    ]
    for (const [spoil, words] of wrong) {
      spoil()
      look(4)
      const [line, ...more] = told.splice(0)
      assert.match(line!, words)
      assert.match(line!, /^error the ACL file cannot be used: what was in force stays so/)
      assert.deepEqual([more, applied], [[], []])
      assert.ok(!line!.includes('canary'), line)
    }
    write({ accounts: [account('x')] })
    look(2)
    assert.deepEqual(applied, [['x']])
  })
})
