/**
 * S19: memory that was not written is neither sent nor stored. Whatever memory Node gives out unwritten is filled with
 * poison first; then every kind of work is done, and all that left is searched for it.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { MemoryDisk } from '../../../lib/disk/memory-disk.js'
import { brokerRequests as codes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../../lib/remoting/commands/consume-codes.js'
import { encodeFrame } from '../../../lib/remoting/frame.js'
import { batchBody, inLetters } from '../../support/client-messages.js'
import { heartbeat, pull } from '../../support/consumer-requests.js'
import { serveBroker } from '../../support/serve-broker.js'

/** A byte that nothing here writes, and so many of it in a row that neither chance nor a checksum explains them. */
const POISON = 0xa5
const RUN = Buffer.alloc(6, POISON)

/** From now on until the test ends. */
function poison(t: TestContext): void {
  const { allocUnsafe, allocUnsafeSlow } = Buffer
  Buffer.allocUnsafe = (size) => allocUnsafe(size).fill(POISON)
  Buffer.allocUnsafeSlow = (size) => allocUnsafeSlow(size).fill(POISON)
  t.after(() => Object.assign(Buffer, { allocUnsafe, allocUnsafeSlow }))
}

function filesBelow(disk: MemoryDisk, path: string): Buffer[] {
  return disk.list(path).flatMap(({ name, kind }) => {
    const at = `${path === '/' ? '' : path}/${name}`
    if (kind === 'directory') return filesBelow(disk, at)
    const file = disk.open(at, { write: false, create: false })
    const bytes = Buffer.alloc(file.size())
    file.readAt(bytes, 0)
    file.close()
    return [bytes]
  })
}

describe('memory that was not written', () => {
  for (const encoding of ['json', 'binary'] as const)
    test(`is neither sent nor stored, with headers in ${encoding}`, async (t) => {
      poison(t)
      const disk = new MemoryDisk()
      const store = { segmentBytes: 1 << 16, queueSegmentEntries: 20, index: { slots: 7, entries: 20 } }
      const options = { topics: { T: { queues: 2 } }, groups: { G: {} }, autoCreateTopics: true, store }
      const { broker, server } = await serveBroker(t, { disk, options })
      const socket = connect(server.endpoint.port, '127.0.0.1')
      t.after(() => socket.destroy())
      const came: Buffer[] = []
      socket.on('data', (chunk: Buffer) => came.push(Buffer.from(chunk)))
      const ask = (code: number, parts: CommandParts = {}): void => {
        const asked: Command = { ...request(code, parts), encoding }
        socket.write(Buffer.concat(encodeFrame(asked)))
      }
      const place = { topic: 'T', queueId: 0, consumerGroup: 'G', group: 'G' }
      for (let round = 0; round < 40; round++) {
        ask(codes.SEND_MESSAGE_V2, inLetters({ body: 'x'.repeat(round * 37), properties: { KEYS: `k${round}`, DELAY: '' } }))
        ask(codes.SEND_MESSAGE_V2, inLetters({ body: 'later', properties: { DELAY: '1' } }))
        ask(codes.SEND_BATCH_MESSAGE, { ...inLetters({ isBatch: true }), body: batchBody([{ body: 'a' }, { body: 'bb' }]) })
        ask(consumeRequests.HEART_BEAT, heartbeat())
        ask(consumeRequests.PULL_MESSAGE, pull())
        ask(codes.VIEW_MESSAGE_BY_ID, { ext: { offset: 0 } })
        ask(codes.QUERY_MESSAGE, { ext: { topic: 'T', key: `k${round}`, maxNum: 32, beginTimestamp: 0, endTimestamp: 9e12 } })
        ask(codes.GET_MAX_OFFSET, { ext: place })
        ask(codes.GET_TOPIC_STATS_INFO, { ext: place })
        ask(consumeRequests.GET_CONSUMER_LIST_BY_GROUP, { ext: place })
        ask(4999)
        if (encoding === 'json')
          ask(popRequests.POP_MESSAGE, {
            ext: { ...place, maxMsgNums: 4, invisibleTime: 1000, pollTime: 0, bornTime: 0, initMode: 0, order: false },
          })
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      const answers = 40 * (encoding === 'json' ? 12 : 11)
      const framesIn = (bytes: Buffer): number => {
        let frames = 0
        for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readInt32BE(at)) frames++
        return frames
      }
      while (framesIn(Buffer.concat(came)) < answers) await new Promise((resolve) => setTimeout(resolve, 5))
      // With that, everything that is derived is written too.
      await server.close()
      await broker.close()
      const files = filesBelow(disk, '/')
      assert.ok(files.length > 10 && files.some((bytes) => bytes.includes('later')), `${files.length} files`)
      for (const bytes of [Buffer.concat(came), ...files]) assert.equal(bytes.indexOf(RUN), -1)
    })

  test('is found where it is sent or stored: what a client sends is', async (t) => {
    poison(t)
    const disk = new MemoryDisk()
    const { ask, broker } = await serveBroker(t, { disk, options: { topics: { T: { queues: 1 } } } })
    await ask(codes.SEND_MESSAGE_V2, inLetters({ body: Buffer.allocUnsafe(100) as never }))
    await broker.store.flush()
    assert.ok(filesBelow(disk, '/').some((bytes) => bytes.includes(RUN)))
    assert.ok((await ask(consumeRequests.PULL_MESSAGE, pull())).body.includes(RUN))
  })
})
