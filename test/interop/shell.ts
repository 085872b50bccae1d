/**
 * A store in a process of its own: RocketMQ's behind `java/common/Shell.java`, or ours behind
 * `mqlite-shell.ts`. Both speak one protocol: a command per line, answered by any number of `item` lines
 * and then one `ok` or `error` line. The process can be killed at any moment.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { cleanUp, type Scope } from './clean-up.js'
import type { Described, Receipt, Spec } from './data.js'
import { toJava } from './data.js'
import { cannotRun, type Generation, javaClassPath } from './java-build.js'

/** Sizes and modes of a store, for both sides. Without sizes: RocketMQ's own. */
export interface Sizes {
  readonly segmentBytes?: number
  readonly queueSegmentEntries?: number
  readonly indexSlots?: number
  readonly indexEntries?: number
  readonly flush?: 'async' | 'sync'
  /** Records carry a CRC of the whole record. */
  readonly recordCrc?: boolean
  /** Topics whose queues hold batches, for RocketMQ; mqlite finds them in `config/topics.json`. */
  readonly batchTopics?: readonly string[]
  /** RocketMQ dispatches to further queues. mqlite always does. */
  readonly lmq?: boolean
}

/** Messages of one queue that become one record, and the id that the client gave the batch. */
export interface Batch {
  readonly id: string
  readonly specs: readonly Spec[]
}

/** How a store of ours is to hurry, and when to die. */
export interface Pace {
  /** So many times as fast run its clock and its timers. */
  readonly speed: number
  /** The operation on a file other than the log before which its process kills itself; 0 for none. */
  readonly killAt: number
}

/** The bounds of one queue. */
export interface QueueState {
  readonly topic: string
  readonly queueId: number
  readonly minOffset: number
  readonly maxOffset: number
}

/** A time asked for in a queue. */
export interface TimeAsked {
  readonly topic: string
  readonly queueId: number
  readonly time: number
  readonly boundary: 'lower' | 'upper'
}

interface Answer {
  readonly item?: unknown
  readonly ok?: unknown
  readonly error?: string
}

interface Pending {
  readonly onItem: (item: unknown) => void
  readonly resolve: (ok: unknown) => void
  readonly reject: (error: Error) => void
}

const JAVA_OPENS = ['java.nio', 'sun.nio.ch', 'java.lang', 'jdk.internal.ref']
const JAVA_EXPORTS = ['java.lang', 'jdk.internal.ref']

/** See the head of this file. */
export class Shell {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #pending: Pending[] = []
  readonly #exited: Promise<void>
  readonly #prepare: (spec: Spec) => unknown
  #errors = ''
  #isGone = false

  private constructor(command: string, given: readonly string[], prepare: (spec: Spec) => unknown) {
    this.#prepare = prepare
    this.#child = spawn(command, given, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-20_000)
    })
    // A write may meet a process that was just killed; the exit tells what matters.
    this.#child.stdin.on('error', () => {})
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#receive(JSON.parse(line) as Answer))
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#gone(`${cannotRun(command)}: ${error.message}`, resolve))
      this.#child.once('close', (code, signal) => this.#gone(`exit ${code ?? signal}`, resolve))
    })
  }

  /** Starts RocketMQ; it ends with the test. @param compiled - for suites that fill no two index files in a row */
  static async java(t: Scope, generation: Generation, compiled = false): Promise<Shell> {
    const classPath = javaClassPath(generation)
    const home = mkdtempSync(join(tmpdir(), 'mqlite-java-'))
    const flags = [
      ...JAVA_OPENS.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
      ...JAVA_EXPORTS.map((name) => `--add-exports=java.base/${name}=ALL-UNNAMED`),
      '-Xmx512m',
      '-XX:-UsePerfData',
      // RocketMQ names index files by the millisecond, so of two that it fills within one the second takes the
      // place of the first and keys are lost. Compiled code is fast enough for that with files as small as ours.
      compiled ? '-XX:TieredStopAtLevel=1' : '-Xint',
      // RocketMQ refuses puts on a disk that is nearly full; ours needs only a few MiB.
      '-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99',
      '-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.99',
      `-Duser.home=${home}`,
      `-Djava.io.tmpdir=${home}`,
      `-Djna.tmpdir=${home}`,
    ]
    const shell = new Shell('java', [...flags, '-cp', classPath, 'Shell'], (spec) => toJava(spec, generation))
    return shell.#started(t, home)
  }

  /** Starts mqlite in a process of its own; it ends with the test. */
  static async mqlite(t: Scope): Promise<Shell> {
    const script = fileURLToPath(new URL('./mqlite-shell.js', import.meta.url))
    return new Shell(process.execPath, [script], (spec) => spec).#started(t, undefined)
  }

  async #started(t: Scope, home: string | undefined): Promise<Shell> {
    cleanUp(t, async () => {
      await this.kill()
      if (home !== undefined) rmSync(home, { recursive: true, force: true })
    })
    await new Promise<unknown>((resolve, reject) => {
      this.#pending.push({ onItem: () => {}, resolve, reject })
    })
    return this
  }

  /** Opens, and creates if need be, the store in a directory. */
  async open(directory: string, sizes: Sizes = {}, pace?: Pace): Promise<void> {
    await this.#ask({ do: 'open', directory, ...sizes, ...(pace === undefined ? {} : { pace }) })
  }

  /** Puts messages one after the other. Each acknowledgement is told as it comes. */
  async put(specs: readonly Spec[], onReceipt: (receipt: Receipt) => void = () => {}): Promise<Receipt[]> {
    const receipts: Receipt[] = []
    await this.#ask({ do: 'put', messages: specs.map(this.#prepare) }, (item) => {
      receipts.push(item as Receipt)
      onReceipt(item as Receipt)
    })
    return receipts
  }

  /** Puts messages of one queue as a batch. The receipt tells offset, address and ids of the first, ids of all. */
  async putBatch(specs: readonly Spec[]): Promise<Receipt> {
    return (await this.#ask({ do: 'putBatch', messages: specs.map(this.#prepare) })) as Receipt
  }

  /** Puts batches on topics whose queues hold batches. Each acknowledgement is told as it comes. */
  async putBatches(batches: readonly Batch[], onReceipt: (receipt: Receipt) => void = () => {}): Promise<void> {
    const messages = batches.map(({ specs }) => specs.map(this.#prepare))
    const ids = batches.map(({ id }) => id)
    await this.#ask({ do: 'putBatches', batches: messages, ids }, (item) => onReceipt(item as Receipt))
  }

  /** Every message with the queue it was found in, batches taken apart, and the bounds of the queues. Only RocketMQ's shell. */
  async readQueues(): Promise<{ found: { queue: string; message: Described }[]; queues: QueueState[] }> {
    const found: { queue: string; message: Described }[] = []
    const queues = await this.#ask({ do: 'readQueues' }, (item) => found.push(item as (typeof found)[number]))
    return { found, queues: queues as QueueState[] }
  }

  /** Reads the files below `config`, changes them and writes them. @returns what RocketMQ then has in memory */
  async saveConfig(directory: string, changes: object, lmq: boolean): Promise<Record<string, unknown>> {
    return (await this.#ask({ do: 'saveConfig', directory, lmq, ...changes })) as Record<string, unknown>
  }

  /** Reads the files below `config`. @returns what RocketMQ then has in memory */
  async loadConfig(directory: string, lmq: boolean): Promise<Record<string, unknown>> {
    return (await this.#ask({ do: 'loadConfig', directory, lmq })) as Record<string, unknown>
  }

  /** Every message of every queue, and the bounds of the queues. */
  async read(): Promise<{ messages: Described[]; queues: QueueState[] }> {
    const messages: Described[] = []
    const queues = (await this.#ask({ do: 'read' }, (item) => messages.push(item as Described))) as QueueState[]
    return { messages, queues }
  }

  /** Every record of the log, also what is in no queue. */
  async log(): Promise<Described[]> {
    const records: Described[] = []
    await this.#ask({ do: 'log' }, (item) => records.push(item as Described))
    return records
  }

  /** For each topic and key the log offsets of the messages found, ascending. */
  async query(asked: readonly { topic: string; key: string }[]): Promise<number[][]> {
    const answers = (await this.#ask({ do: 'query', asked })) as number[][]
    // RocketMQ enters the last record of its index again when it recovers, and then finds it twice.
    return answers.map((found) => [...new Set(found)].sort((a, b) => a - b))
  }

  /** For each queue and time the queue offset found. */
  async offsetByTime(asked: readonly TimeAsked[]): Promise<number[]> {
    return (await this.#ask({ do: 'offsetByTime', asked })) as number[]
  }

  /** Stops the store cleanly; the process lives on and can open another. */
  async close(): Promise<void> {
    await this.#ask({ do: 'close' })
  }

  /** Lets go of the store as a crash would; the process lives on and can open another. Only RocketMQ's shell. */
  async abandon(): Promise<void> {
    await this.#ask({ do: 'abandon' })
  }

  /** How many operations the paced store has done on its views. Only mqlite's shell. */
  async viewOperations(): Promise<number> {
    return (await this.#ask({ do: 'viewOperations' })) as number
  }

  /** Ends the process from inside without any shutdown. */
  async halt(): Promise<void> {
    await this.#ask({ do: 'halt' }).catch(() => {})
    await this.#exited
  }

  /** Kills the process, unless it is gone. */
  async kill(): Promise<void> {
    if (!this.#isGone) this.#child.kill('SIGKILL')
    await this.#exited
  }

  #ask(command: object, onItem: (item: unknown) => void = () => {}): Promise<unknown> {
    if (this.#isGone) return Promise.reject(new Error(`the process is gone\n${this.#errors}`))
    return new Promise((resolve, reject) => {
      this.#pending.push({ onItem, resolve, reject })
      this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    })
  }

  #receive(answer: Answer): void {
    const [pending] = this.#pending
    if (pending === undefined) return
    if (answer.item !== undefined) {
      pending.onItem(answer.item)
      return
    }
    this.#pending.shift()
    if (answer.error === undefined) pending.resolve(answer.ok)
    else pending.reject(new Error(`${answer.error}\n${this.#errors}`))
  }

  #gone(how: string, done: () => void): void {
    this.#isGone = true
    for (const { reject } of this.#pending.splice(0)) reject(new Error(`the process ended: ${how}\n${this.#errors}`))
    done()
  }
}
