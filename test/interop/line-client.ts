/** A client of RocketMQ in a process of its own, told by lines what to do; what happens comes back as lines. */
import type { ChildProcess } from 'node:child_process'
import { cleanUp, type Scope } from './clean-up.js'

/**
 * How a consumer behaves: `failing` fails twice with each message, `refusing` always, with one more try. The last four let
 * the broker share the queues, and may be told to pop; with each message `slow` takes too long the first time, and `late`
 * fails once. `brief` tells once what it wants, and then only that it is there. `busy` is never done with its first two
 * messages, and pulls no more while it has these.
 */
export type ConsumerKind =
  | 'concurrent'
  | 'failing'
  | 'refusing'
  | 'ordered'
  | 'broadcast'
  | 'lite'
  | 'brief'
  | 'busy'
  | 'answering'
  | 'assigned'
  | 'popping'
  | 'slow'
  | 'late'

/** A message that a consumer was given. */
export interface Got {
  readonly name: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly reconsumeTimes: number
  readonly body: string
}

/** What a producer was answered. */
export interface Sent {
  readonly kind: string
  readonly number: number
  readonly status: string
  readonly uniqueKeys: readonly string[]
  readonly messageIds: readonly string[]
  readonly queueId: number
  readonly queueOffset: number
}

/** One process with any number of consumers and producers. */
export interface LineClient {
  /** What its consumers were given, in order. */
  readonly got: readonly Got[]
  /** What its producers were answered, in order. */
  readonly sent: readonly Sent[]
  /** Everything else that it said and that nobody waited for. */
  readonly said: readonly string[]
  /** Starts a consumer; a filter that begins with `sql:` is one. */
  start(name: string, kind: ConsumerKind, group: string, topic: string, filter?: string): Promise<void>
  stop(name: string): Promise<void>
  /** Gives another command. @returns when it says that it has done so */
  tell(...words: readonly (string | number)[]): Promise<void>
  /** Ends the process as a crash would. */
  kill(): Promise<void>
}

const WAIT_MS = 60_000

/** Talks to such a process, which ends with the test. @returns when it is up */
export async function talkTo(t: Scope, child: ChildProcess): Promise<LineClient> {
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  }
  cleanUp(t, kill)
  const input = child.stdin!
  input.on('error', () => {})
  const got: Got[] = []
  const sent: Sent[] = []
  const said: string[] = []
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000)
  })
  let rest = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (!line.startsWith('@ ')) continue
      const words = line.slice(2).split(' ')
      if (words[0] === 'sent') sent.push(sentOf(words))
      else if (words.length === 6) got.push(gotOf(words))
      else said.push(words.join(' '))
    }
  })
  const heard = (what: string): Promise<void> =>
    until(
      () => {
        if (said.includes(what)) return said.splice(said.indexOf(what), 1).length === 1
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the client is gone:\n${errors}`)
        return false
      },
      () => `no "${what}" from the client:\n${errors}`,
    )
  await heard('up')
  const write = (...words: readonly (string | number)[]): unknown => input.write(`${words.join(' ')}\n`)
  return {
    got,
    sent,
    said,
    async start(name, kind, group, topic, filter = '*') {
      write('start', name, kind, group, topic, filter)
      await heard(`started ${name}`)
    },
    async stop(name) {
      write('stop', name)
      await heard(`stopped ${name}`)
    },
    async tell(...words) {
      write(...words)
      await heard(`done ${words[0]}`)
    },
    kill,
  }
}

function gotOf([name = '', topic = '', queueId, queueOffset, reconsumeTimes, body = '']: readonly string[]): Got {
  return {
    name,
    topic,
    queueId: Number(queueId),
    queueOffset: Number(queueOffset),
    reconsumeTimes: Number(reconsumeTimes),
    body,
  }
}

/** What a line of a producer says, whose first word does not count. */
export function sentOf([, kind = '', number, status = '', keys = '', ids = '', queueId, queueOffset]: readonly string[]): Sent {
  return {
    kind,
    number: Number(number),
    status,
    uniqueKeys: keys.split(','),
    messageIds: ids.split(','),
    queueId: Number(queueId),
    queueOffset: Number(queueOffset),
  }
}

/** Waits until something holds, and no longer than a minute. */
export async function until(holds: () => boolean, otherwise: () => string = () => 'it does not come about'): Promise<void> {
  for (const end = performance.now() + WAIT_MS; performance.now() < end; ) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(otherwise())
}
