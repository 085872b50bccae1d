/** RocketMQ's first examples, unchanged but for the addresses, against `mqlite serve`: both sides are its own clients. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TRACE_TOPIC } from '../../lib/broker/config/system-topics.js'
import { generations } from './java-build.js'
import { mqadmin, runClient } from './java-servers.js'
import { serve } from './served.js'

const COUNT = 5

function texts(output: string, start: RegExp): string[] {
  return output
    .split('\n')
    .filter((line) => start.test(line))
    .map((line) => line.replace(start, '').trimEnd())
    .sort()
}

for (const generation of generations) {
  test(`the quick start of ${generation}: what is sent in four ways comes, the delayed ones later, and is traced`, async (t) => {
    const served = await serve(t, '--topic', 'TopicTest:4', '--topic', `${TRACE_TOPIC}:1`)
    const last = generation === '5.3.3' ? 'timed' : 'sync'
    const kinds = [...new Set(['async', 'later', 'oneway', 'sync', last])]
    const output = await runClient(t, generation, 'QuickStart', [served.nameServer, 'TopicTest', String(COUNT), last])
    const got = texts(output, /^GOT /).map((line) => line.split(' ') as [string, string])
    const expected = kinds.flatMap((kind) => Array.from({ length: COUNT }, (_, i) => `${kind}-${i}`))
    assert.deepEqual(
      got.map(([text]) => text),
      expected,
      output,
    )
    const least: Readonly<Record<string, number>> = { later: 4900, timed: 2900 }
    for (const [text, ms] of got) {
      const wait = least[text.split('-')[0]!] ?? 0
      assert.ok(Number(ms) >= wait, `${text} came after ${ms} ms`)
    }
    const [first] = texts(output, /^FIRST /)
    const trace = await mqadmin(t, '5.3.3', ['queryMsgTraceById', '-n', served.nameServer, '-i', first!])
    assert.match(trace, /Pub +quick_start_producer.*success/, trace)
    assert.match(trace, /quick_start_consumer.*success/, trace)
    const store = await served.stop()
    assert.deepEqual((await store.verify()).findings, [])
  })

  test(`questions of ${generation} are answered, by the client that waits for them`, async (t) => {
    const served = await serve(t, '--topic', 'Questions:2')
    const kinds = generation === '4.9.8' ? ['async', 'sync'] : ['async']
    const output = await runClient(t, generation, 'Replies', [served.nameServer, 'Questions', String(COUNT), kinds.at(-1)!])
    const expected = kinds.flatMap((kind) => Array.from({ length: COUNT }, (_, i) => `${kind}: answer to ${kind}-${i}`))
    assert.deepEqual(texts(output, /^TOLD /), expected, output)
    const answered = texts(output, /^ANSWERED /)
    assert.deepEqual(answered, Array(kinds.length * COUNT).fill('SEND_OK DefaultCluster_REPLY_TOPIC'), output)
    const store = await served.stop()
    assert.equal(store.bounds('DefaultCluster_REPLY_TOPIC').maxOffset, kinds.length * COUNT)
  })
}
