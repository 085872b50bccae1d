/** Consumers of RocketMQ's client library in a process of their own, told by lines what to do. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cleanUp, type Scope } from './clean-up.js'
import { clientClassPath, type Generation } from './java-build.js'

/**
 * How a consumer behaves: `failing` fails twice with each message, `refusing` always, with one more try. The last four let
 * the broker share the queues, and may be told to pop; with each message `slow` takes too long the first time, and `late`
 * fails once. `brief` tells once what it wants, and then only that it is there.
 */
export type ConsumerKind =
  | 'concurrent'
  | 'failing'
  | 'refusing'
  | 'ordered'
  | 'broadcast'
  | 'lite'
  | 'brief'
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

/** One process with any number of consumers. */
export interface JavaConsumers {
  /** What they were given, in order. */
  readonly got: readonly Got[]
  /** Starts a consumer; a filter that begins with `sql:` is one. */
  start(name: string, kind: ConsumerKind, group: string, topic: string, filter?: string): Promise<void>
  stop(name: string): Promise<void>
  /** Ends the process as a crash would. */
  kill(): Promise<void>
}

const WAIT_MS = 60_000

/** Starts the process; it ends with the test. */
export async function startConsumers(t: Scope, generation: Generation, names: string): Promise<JavaConsumers> {
  const classPath = clientClassPath(generation)
  const home = mkdtempSync(join(tmpdir(), 'mqlite-consumers-'))
  cleanUp(t, () => rmSync(home, { recursive: true, force: true }))
  mkdirSync(join(home, 'conf'))
  const silence = join(home, 'conf', 'silent.xml')
  writeFileSync(silence, '<configuration><root level="OFF"/></configuration>')
  const flags = ['-Xmx128m', '-XX:-UsePerfData', '-XX:TieredStopAtLevel=1', `-Duser.home=${home}`, `-Djava.io.tmpdir=${home}`]
  const logs = [`-Drmq.logback.configurationFile=${silence}`, '-Drocketmq.client.logUseSlf4j=true']
  const child = spawn('java', [...flags, ...logs, '-cp', classPath, 'Consumers', names], { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  }
  cleanUp(t, kill)
  child.stdin.on('error', () => {})
  const got: Got[] = []
  const said = new Set<string>()
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-20_000)
  })
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (!line.startsWith('@ ')) continue
      const told = line.slice(2)
      const one = gotOf(told)
      if (one === undefined) said.add(told)
      else got.push(one)
    }
  })
  const heard = (what: string): Promise<void> =>
    until(
      () => said.delete(what),
      () => `no "${what}" from the consumers:\n${errors}`,
    )
  await heard('up')
  return {
    got,
    async start(name, kind, group, topic, filter = '*') {
      child.stdin.write(`start ${name} ${kind} ${group} ${topic} ${filter}\n`)
      await heard(`started ${name}`)
    },
    async stop(name) {
      child.stdin.write(`stop ${name}\n`)
      await heard(`stopped ${name}`)
    },
    kill,
  }
}

/** A message as it is told, or nothing when something else is. */
function gotOf(told: string): Got | undefined {
  const [name = '', topic = '', queueId, queueOffset, reconsumeTimes, body] = told.split(' ')
  if (body === undefined) return undefined
  return {
    name,
    topic,
    queueId: Number(queueId),
    queueOffset: Number(queueOffset),
    reconsumeTimes: Number(reconsumeTimes),
    body,
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
