/**
 * The servers that are compared, each in processes of its own with an empty directory: RocketMQ's name server and
 * broker, and `mqlite serve` with its name server inside. Both make a topic when its first message comes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../test/support/free-ports.js'
import { javaLine } from '../java.js'
import { firstMessage, isUp } from './probe.js'

const MQLITE = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
/** What production settings are, scaled to a machine with two cores; the collector is the one of RocketMQ's scripts. */
const BROKER_HEAP = ['-Xms512m', '-Xmx1g', '-XX:+UseG1GC']
const NAME_SERVER_HEAP = ['-Xms128m', '-Xmx256m', '-XX:+UseG1GC']
const CLOCK_TICKS_PER_SECOND = 100

/** A server under load. */
export interface RunningServer {
  /** `host:port` of the name server. */
  readonly nameServer: string
  /** From the start of the broker's process to the answer to a message, milliseconds. */
  readonly startMs: number
  readonly broker: ServerProcess
  /** Ends all its processes. */
  stop(): Promise<void>
}

/** A process with what the system knows of it. */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>
  #complaints = ''

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env })
    this.#gone = once(this.#child, 'exit')
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-10_000)
    })
  }

  /** What it wrote to its standard error. */
  get complaints(): string {
    return this.#complaints
  }

  /** Whether it has ended. */
  get isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Resident memory, MiB: all of it, and without what is mapped from files. */
  memory(): { residentMiB: number; anonymousMiB: number } {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    const mib = (name: string): number => Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]) / 102.4) / 10
    return { residentMiB: mib('VmRSS'), anonymousMiB: mib('RssAnon') }
  }

  /** Processor time of all its threads so far, milliseconds. */
  cpuMs(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND
  }

  async stop(): Promise<void> {
    if (!this.isGone) this.#child.kill('SIGKILL')
    await this.#gone
  }
}

/** Starts ours. */
export async function startMqlite(directory: string): Promise<RunningServer> {
  const [port, namesPort] = await freePorts(0, 1)
  const ports = ['--port', String(port), '--name-server-port', String(namesPort)]
  const started = performance.now()
  const line = [MQLITE, 'serve', directory, ...ports, '--auto-create-topics', '--json']
  const broker = new ServerProcess(process.execPath, line)
  const nameServer = `127.0.0.1:${namesPort}`
  try {
    await firstMessage(nameServer, () => broker.isGone)
    return { nameServer, startMs: performance.now() - started, broker, stop: () => broker.stop() }
  } catch (error) {
    await broker.stop()
    throw new Error(`mqlite serve: ${broker.complaints}`, { cause: error })
  }
}

/** Starts RocketMQ's. Its name server is up before the broker starts, and is not waited for in the figure. */
export async function startRocketMq(directory: string): Promise<RunningServer> {
  const [namesPort, fast, , ha] = await freePorts(0, 1, 3, 5)
  const nameServer = `127.0.0.1:${namesPort}`
  const conf = settingsIn(directory)
  const names = conf.start('org.apache.rocketmq.namesrv.NamesrvStartup', NAME_SERVER_HEAP, {
    listenPort: namesPort!,
    kvConfigPath: join(directory, 'kvConfig.json'),
  })
  const processes = [names]
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((one) => one.stop()))
  }
  try {
    while (!(await isUp(namesPort!))) await sleep(5)
    const started = performance.now()
    const broker = conf.start('org.apache.rocketmq.broker.BrokerStartup', BROKER_HEAP, {
      brokerName: 'bench',
      brokerClusterName: 'bench',
      brokerId: 0,
      brokerIP1: '127.0.0.1',
      namesrvAddr: nameServer,
      listenPort: fast! + 2,
      haListenPort: ha!,
      storePathRootDir: join(directory, 'store'),
      storePathCommitLog: join(directory, 'store', 'commitlog'),
      flushDiskType: 'ASYNC_FLUSH',
    })
    processes.push(broker)
    await firstMessage(nameServer, () => broker.isGone)
    return { nameServer, startMs: performance.now() - started, broker, stop }
  } catch (error) {
    await stop()
    throw new Error(`RocketMQ's servers: ${processes.map(({ complaints }) => complaints).join('\n')}`, { cause: error })
  }
}

/** A home of RocketMQ's servers. */
function settingsIn(home: string) {
  mkdirSync(join(home, 'conf'))
  const start = (main: string, heap: readonly string[], settings: Readonly<Record<string, string | number>>): ServerProcess => {
    const file = join(home, `${main.slice(main.lastIndexOf('.') + 1)}.conf`)
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
    writeFileSync(file, `${lines.join('\n')}\n`)
    // A disk that others have filled is no reason to refuse messages.
    const disk = ['WarningLevelRatio', 'CleanForciblyRatio'].map((name) => `-Drocketmq.broker.diskSpace${name}=0.99`)
    return new ServerProcess('java', javaLine(home, main, ['-c', file], [...heap, ...disk]), {
      ...process.env,
      ROCKETMQ_HOME: home,
    })
  }
  return { start }
}
