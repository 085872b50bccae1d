/** What a broker learns of the queues of a topic on other brokers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { responseCodes } from '../../lib/remoting/codes.js'
import { answer, type Command, type CommandParts } from '../../lib/remoting/command.js'
import { ClusterQueues } from '../../lib/remoting/name-server/cluster-queues.js'
import { RouteState } from '../../lib/remoting/name-server/route-state.js'

type Said = (topic: string) => { readonly code: number; readonly body?: string }

/** Name servers that say what they are told to; one that is not here cannot be reached. */
function asking(said: Record<string, Said>, { own }: { own?: RouteState } = {}) {
  const problems: string[] = []
  const asked: string[] = []
  const state = { now: 0 }
  const queues = new ClusterQueues({
    brokerName: 'here',
    own,
    servers: ['one:1', 'two:2'],
    client: {
      invoke(server: string, command: Command): Promise<Command> {
        const topic = command.extFields['topic']!
        asked.push(`${server} ${topic}`)
        const found = said[server]?.(topic)
        if (found === undefined) return Promise.reject(new Error('away'))
        const parts: CommandParts = found.body === undefined ? {} : { body: Buffer.from(found.body) }
        return Promise.resolve(answer(command, found.code, parts))
      },
    },
    clock: { monotonic: () => state.now },
    onProblem: (error, during) => problems.push(`${during}: ${(error as Error).message}`),
  })
  const of = async (topic: string): Promise<string[]> =>
    (await queues.of(topic)).map(({ brokerName, queueId }) => `${brokerName} ${queueId}`)
  return { of, problems, asked, state }
}

const route = (...queueDatas: object[]) => ({ code: 0, body: JSON.stringify({ queueDatas }) })
const at = (brokerName: string, readQueueNums: number, perm = 6) => ({ brokerName, readQueueNums, writeQueueNums: 8, perm })

test('the queues that may be read on other brokers are told, not those of this one', async () => {
  const { of } = asking({ 'one:1': () => route(at('here', 4), at('there', 2), at('closed', 3, 2), at('far', 1, 4)) })
  assert.deepEqual(await of('T'), ['there 0', 'there 1', 'far 0'])
})

test('an answer is good for ten seconds, and stays while no name server answers', async () => {
  const said: Record<string, Said> = { 'one:1': () => route(at('there', 1)) }
  const { of, asked, problems, state } = asking(said)
  await Promise.all([of('T'), of('T'), of('U')])
  assert.deepEqual(asked, ['one:1 T', 'one:1 U'])
  state.now = 9999
  await of('T')
  assert.equal(asked.length, 2)
  delete said['one:1']
  state.now = 10_000
  assert.deepEqual(await of('T'), ['there 0'])
  assert.deepEqual(asked.slice(2), ['one:1 T', 'two:2 T'])
  assert.deepEqual(
    problems,
    ['one:1', 'two:2'].map((server) => `asking the name server ${server} where T is: away`),
  )
  said['two:2'] = () => route(at('there', 2))
  state.now = 20_000
  assert.deepEqual(await of('T'), ['there 0', 'there 1'])
})

test('a topic that the name servers do not know is nowhere else, and what cannot be read is a problem', async () => {
  const unknown = asking({ 'one:1': () => ({ code: responseCodes.TOPIC_NOT_EXIST }) })
  assert.deepEqual([await unknown.of('T'), unknown.problems], [[], []])
  const broken = asking({ 'one:1': () => ({ code: 0, body: '{' }), 'two:2': () => ({ code: responseCodes.SYSTEM_ERROR }) })
  assert.deepEqual(await broken.of('T'), [])
  assert.equal(broken.problems.length, 2)
})

test('what the name server of the process knows counts before what others say, however wrong they are', async () => {
  const own = new RouteState()
  own.topics.set('T', new Map([['near', { readQueueNums: 1, writeQueueNums: 1, perm: 6, topicSysFlag: 0 }]]))
  const { of } = asking({ 'one:1': () => route(at('near', -5), at('there', -1), { brokerName: 7 }, []) }, { own })
  assert.deepEqual(await of('T'), ['near 0'])
})
