/** RocketMQ's own integration tests for clients, against three brokers of mqlite: `docs/rocketmq-tests.md` has the table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rocketmqTestsClassPath } from './java-build.js'
import { differences, testClasses } from './rocketmq-test-list.js'
import { runClass, threeBrokers } from './rocketmq-tests.js'

/** The longest class takes two minutes on an idle machine. */
const CLASS_MS = 480_000

test("RocketMQ's own tests of clients pass against our broker, or differ as the list says", async (t) => {
  const theirs = process.env['ROCKETMQ_TEST_CLASSES']
  assert(theirs, 'ROCKETMQ_TEST_CLASSES must be the class path of the compiled module `test` of RocketMQ 5.3.3')
  const classPath = rocketmqTestsClassPath(theirs)
  const servers = await threeBrokers(t)
  for (const name of testClasses) {
    await t.test(name, async (inner) => {
      const outcomes = await runClass(classPath, name, servers, CLASS_MS)
      assert(outcomes.length > 0, 'it has tests')
      const differs = outcomes.filter(({ status }) => status === 'failed' || status === 'stuck')
      const known = differences[name] ?? {}
      for (const { method, status, reason } of outcomes) inner.diagnostic(`${status} ${method} ${reason}`)
      assert.deepEqual(
        differs.filter(({ method }) => known[method] === undefined),
        [],
      )
      const passed = outcomes.filter(({ method, status }) => status === 'passed' && known[method] !== undefined)
      assert.deepEqual(passed, [], 'what is on the list of differences passes now')
    })
  }
})
