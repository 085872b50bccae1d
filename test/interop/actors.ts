/**
 * A broker with a producer and consumers, RocketMQ's or ours, told what to do in the same words.
 *
 * RocketMQ: name server, broker and a program with its clients, three processes. Ours: one process.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cleanUp, type Scope } from './clean-up.js'
import { actorsClassPath, type ServerRelease } from './java-build.js'
import { type BrokerSettings, makeHome, spawnProgram, startBroker, startNameServer } from './java-servers.js'

/** A message to send. */
export interface MessageSpec {
  readonly body: string
  /** @default 0 */
  readonly queueId?: number
  readonly tags?: string
  readonly keys?: string
  readonly properties?: Readonly<Record<string, string>>
  readonly delayLevel?: number
}

/** A consumer that comes. Its name begins with its group's. */
export interface Joining {
  readonly member: string
  readonly group: string
  readonly subscribe: Readonly<Record<string, string | { readonly sql: string }>>
  readonly model?: 'broadcasting'
  readonly ordered?: boolean
  readonly startAt?: 'first' | 'last' | number
  readonly maxRetries?: number
  readonly suspendMs?: number
  /** How often messages fail, by body; -1 is always. */
  readonly fails?: Readonly<Record<string, number>>
  /** The delay level that a failing message asks for. @default 0, the one of its attempt */
  readonly delayLevel?: number
  /** Milliseconds that it takes over each message. @default 0 */
  readonly slowMs?: number
}

/** A line to the actors. */
export type JoinCommand = { readonly do: 'join' } & Joining
/** A line to the actors. */
export type ActorCommand =
  | { readonly do: 'topic'; readonly topic: string; readonly queues: number }
  | { readonly do: 'send'; readonly topic: string; readonly messages: readonly MessageSpec[] }
  | { readonly do: 'sendBatch'; readonly topic: string; readonly queueId: number; readonly messages: readonly MessageSpec[] }
  | JoinCommand
  | { readonly do: 'queues' | 'leave'; readonly member: string }
  | { readonly do: 'reset'; readonly group: string; readonly topic: string; readonly time: number }
  | { readonly do: 'now' | 'close' }

/** A message that a member was handed. */
export interface Delivered {
  readonly member: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly reconsumeTimes: number
  readonly body: string
}

const WAIT_MS = 120_000

/** See the head of this file. */
export class Actors {
  /** Everything that was delivered, in the order of its coming. */
  readonly deliveries: Delivered[] = []
  readonly #child: ChildProcess
  readonly #waiting = new Map<string, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  readonly #stop: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>
  readonly #ended: Promise<void>
  #errors = ''
  #isOver = false
  #next = 0

  constructor(child: ChildProcess, stop: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void> = () => Promise.resolve()) {
    this.#child = child
    this.#stop = stop
    child.stderr!.setEncoding('utf8').on('data', (more: string) => (this.#errors = (this.#errors + more).slice(-20_000)))
    // A line that is written to a process which is about to end is lost, and nobody waits for it.
    child.stdin!.on('error', () => {})
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()))
    void this.#ended.then(() => {
      this.#isOver = true
      for (const { reject } of this.#waiting.values()) reject(this.#over())
    })
    createInterface({ input: child.stdout! }).on('line', (line) => this.#hear(line))
  }

  /** Resolves when it can be told things. */
  ready(): Promise<void> {
    return this.#answer('ready')
  }

  /** Has something done. @returns the answer, whose type the caller knows */
  tell<Answer>(command: ActorCommand): Promise<Answer> {
    const id = this.#next++
    this.#child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`)
    return this.#answer(String(id))
  }

  /** Waits for a number of deliveries of the members whose names begin so, and a little for one too many. */
  async delivered(prefix: string, count: number): Promise<Delivered[]> {
    const found = (): Delivered[] => this.deliveries.filter(({ member }) => member.startsWith(prefix))
    await this.until(() => Promise.resolve(found().length >= count)).catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(found().length, count, `deliveries of ${prefix}: ${JSON.stringify(found())}`)
    return found()
  }

  /** Waits until something holds. */
  async until(holds: () => Promise<boolean>): Promise<void> {
    for (const end = performance.now() + WAIT_MS; performance.now() < end; ) {
      if (await holds()) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.fail(`it does not come about: ${this.#errors}`)
  }

  /** Waits until a member holds this many queues of a topic. */
  async holds(member: string, topic: string, count: number): Promise<void> {
    await this.until(async () => {
      const queues = await this.tell<string[]>({ do: 'queues', member })
      return queues.filter((queue) => queue.startsWith(`${topic}/`)).length === count
    })
  }

  /** The next full second of the other side: what is sent later is stored later, what was sent before, earlier. */
  async nextSecond(): Promise<number> {
    const now = (): Promise<number> => this.tell({ do: 'now' })
    const second = Math.floor((await now()) / 1000) + 1
    await this.until(async () => (await now()) > second * 1000)
    return second * 1000
  }

  /** Clients and broker end in good order. */
  async close(): Promise<void> {
    await this.tell({ do: 'close' })
    this.#child.stdin!.end()
    await this.#ended
    await this.#stop('SIGTERM')
  }

  /** Broker and clients die. */
  async kill(): Promise<void> {
    await this.#stop('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await this.#ended
  }

  #answer<Answer>(id: string): Promise<Answer> {
    if (this.#isOver) return Promise.reject(this.#over())
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #over(): Error {
    return new Error(`the process is over: ${this.#errors}`)
  }

  #hear(line: string): void {
    const heard = JSON.parse(line) as { id?: string | number; ok?: never; error?: string; delivery?: Delivered }
    if (heard.delivery !== undefined) this.deliveries.push(heard.delivery)
    if (heard.id === undefined) return
    const waiting = this.#waiting.get(String(heard.id))
    this.#waiting.delete(String(heard.id))
    if (heard.error === undefined) waiting?.resolve(heard.ok!)
    else waiting?.reject(new Error(`${heard.error}\n${this.#errors}`))
  }
}

/** RocketMQ's servers of a release on a directory, with clients of 5.3.3. */
export async function startJavaActors(
  t: Scope,
  directory: string,
  settings: Partial<BrokerSettings> = {},
  release: ServerRelease = '5.3.3',
): Promise<Actors> {
  const nameServer = await startNameServer(t, release)
  const broker = await startBroker(t, release, {
    brokerName: 'broker',
    namesrvAddr: nameServer.address,
    storePathRootDir: directory,
    storePathCommitLog: `${directory}/commitlog`,
    enablePropertyFilter: true,
    // A busy machine is no reason to refuse messages.
    brokerFastFailureEnable: false,
    ...settings,
  })
  const child = spawnProgram(actorsClassPath(), makeHome(t), 'Actors', [nameServer.address, broker.address, 'broker'])
  const actors = new Actors(child, async (signal) => {
    await broker.stop(signal)
    await nameServer.stop()
  })
  cleanUp(t, () => actors.kill())
  await actors.ready()
  return actors
}

/** Our broker on a directory. @param speed - how fast its time goes */
export async function startOurActors(t: Scope, directory: string, speed = 1): Promise<Actors> {
  const program = fileURLToPath(new URL('./mqlite-actors.js', import.meta.url))
  const child = spawn(process.execPath, [program, directory, String(speed)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const actors = new Actors(child)
  cleanUp(t, () => actors.kill())
  await actors.ready()
  return actors
}
