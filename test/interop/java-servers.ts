/**
 * RocketMQ's own servers and its administration program, each in a process of its own, on free ports of 127.0.0.1.
 * They end with the test, and their directories go with them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../support/free-ports.js'
import { cleanUp, type Scope } from './clean-up.js'
import { cannotRun, clientClassPath, type Generation, type ServerRelease, serverClassPath } from './java-build.js'

/** A server of RocketMQ that runs. */
export interface JavaServer {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Ends it; as a crash would when told so. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const OPENS = ['java.nio', 'sun.nio.ch', 'java.lang', 'jdk.internal.ref'].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
)
const EXPORTS = ['java.lang', 'jdk.internal.ref'].map((name) => `--add-exports=java.base/${name}=ALL-UNNAMED`)
const BOOT_MS = 120_000

/** Starts a name server. */
export async function startNameServer(t: Scope, release: ServerRelease): Promise<JavaServer> {
  const [port] = await freePorts(0)
  const settings = (home: string): Record<string, string | number> => ({
    listenPort: port!,
    kvConfigPath: join(home, 'kvConfig.json'),
  })
  return start(t, release, 'org.apache.rocketmq.namesrv.NamesrvStartup', port!, settings, /Name Server boot success/)
}

/** What makes one broker different from another. */
export interface BrokerSettings {
  readonly brokerName: string
  readonly brokerClusterName?: string
  readonly brokerId?: number
  /** Addresses with `;` between them. */
  readonly namesrvAddr: string
  readonly [name: string]: string | number | boolean | undefined
}

/** Further files of a Java program, such as `conf/tools.yml`: what they hold, by their paths in its directory. */
export type HomeFiles = Readonly<Record<string, string>>

/** Options of a store whose files are as large as those of the brokers that `startBroker` starts. */
export const brokerSizes = {
  segmentBytes: 1 << 20,
  queueSegmentEntries: 300,
  index: { slots: 1000, entries: 4000 },
} as const

/** Starts a broker with small files. */
export async function startBroker(
  t: Scope,
  release: ServerRelease,
  given: BrokerSettings,
  files: HomeFiles = {},
): Promise<JavaServer> {
  // The second port is taken by the broker too: two below the first.
  const [fast, port, ha] = await freePorts(0, 2, 4)
  const settings = (home: string): Record<string, string | number | boolean | undefined> => ({
    brokerClusterName: 'cluster',
    brokerId: 0,
    brokerIP1: '127.0.0.1',
    listenPort: fast! + 2,
    haListenPort: ha,
    storePathRootDir: join(home, 'store'),
    storePathCommitLog: join(home, 'store', 'commitlog'),
    mappedFileSizeCommitLog: brokerSizes.segmentBytes,
    mappedFileSizeConsumeQueue: brokerSizes.queueSegmentEntries * 20,
    maxHashSlotNum: brokerSizes.index.slots,
    maxIndexNum: brokerSizes.index.entries,
    timerWheelEnable: false,
    ...given,
  })
  return start(t, release, 'org.apache.rocketmq.broker.BrokerStartup', port!, settings, /boot success/, files)
}

/** Runs a command of `mqadmin`. @returns what it printed, lines without blanks at their ends */
export async function mqadmin(
  t: Scope,
  release: ServerRelease,
  given: readonly string[],
  files: HomeFiles = {},
): Promise<string> {
  const home = makeHome(t, files)
  const child = spawnJava(release, home, 'org.apache.rocketmq.tools.command.MQAdminStartup', given)
  const output = collect(child)
  const code = await new Promise((resolve) => child.once('close', resolve).once('error', resolve))
  if (code !== 0) throw new Error(`mqadmin ${given.join(' ')} ended with ${String(code)}:\n${output()}`)
  const lines = output()
    .split('\n')
    .filter((line) => !/WARNING|OpenJDK|log4j|RocketMQLog|^[0-9:,]+ \|-/.test(line))
  return lines.map((line) => line.trimEnd()).join('\n')
}

/** Runs one of the programs that use RocketMQ's client. @returns what it printed */
export async function runClient(t: Scope, generation: Generation, main: string, given: readonly string[]): Promise<string> {
  const home = makeHome(t)
  const child = spawnProgram(clientClassPath(generation), home, main, given)
  cleanUp(t, () => {
    child.kill('SIGKILL')
  })
  const output = collect(child)
  const code = await new Promise((resolve) => child.once('close', resolve).once('error', resolve))
  if (code !== 0) throw new Error(`${main} with ${generation} ended with ${String(code)}:\n${output()}`)
  return output()
}

type Settings = (home: string) => Record<string, string | number | boolean | undefined>

async function start(
  t: Scope,
  release: ServerRelease,
  main: string,
  port: number,
  settings: Settings,
  up: RegExp,
  files: HomeFiles = {},
): Promise<JavaServer> {
  const home = makeHome(t, files)
  const lines = Object.entries(settings(home)).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const file = join(home, 'server.conf')
  writeFileSync(file, `${lines.join('\n')}\n`)
  const child = spawnJava(release, home, main, ['-c', file])
  const output = collect(child)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  cleanUp(t, () => stop())
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${main} ${why}:\n${output()}`))
    const late = setTimeout(() => fail('does not come up'), BOOT_MS)
    child.once('error', (error) => fail(`${cannotRun('java')}: ${error.message}`))
    child.once('close', () => fail('ended'))
    child.stdout!.on('data', () => {
      if (!up.test(output())) return
      clearTimeout(late)
      resolve()
    })
  })
  return { address: `127.0.0.1:${port}`, stop }
}

/** A directory of a Java program, with settings by which it logs nothing. */
export function makeHome(t: Scope, files: HomeFiles = {}): string {
  const home = mkdtempSync(join(tmpdir(), 'mqlite-rocketmq-'))
  cleanUp(t, () => rmSync(home, { recursive: true, force: true }))
  mkdirSync(join(home, 'conf'))
  for (const part of ['namesrv', 'broker', 'tools', 'client']) {
    for (const name of [`logback_${part}.xml`, `rmq.${part}.logback.xml`]) {
      writeFileSync(join(home, 'conf', name), '<configuration><root level="OFF"/></configuration>')
    }
  }
  for (const [path, text] of Object.entries(files)) writeFileSync(join(home, path), text)
  return home
}

function spawnJava(release: ServerRelease, home: string, main: string, given: readonly string[]): ChildProcess {
  return spawnProgram(serverClassPath(release), home, main, given)
}

/** Runs a Java program that has lines on stdin. */
export function spawnProgram(classPath: string, home: string, main: string, given: readonly string[]): ChildProcess {
  const flags = [
    ...OPENS,
    ...EXPORTS,
    '-Xmx512m',
    '-XX:-UsePerfData',
    '-XX:TieredStopAtLevel=1',
    '-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99',
    '-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.99',
    `-Drmq.logback.configurationFile=${join(home, 'conf', 'rmq.tools.logback.xml')}`,
    `-Duser.home=${home}`,
    `-Djava.io.tmpdir=${home}`,
  ]
  const env = { ...process.env, ROCKETMQ_HOME: home }
  return spawn('java', [...flags, '-cp', classPath, main, ...given], { stdio: ['pipe', 'pipe', 'pipe'], env, cwd: home })
}

/** What a process has printed so far; only the end when it is long. */
function collect(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-100_000)
    })
  }
  return () => text
}
