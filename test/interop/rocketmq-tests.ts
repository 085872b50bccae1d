/**
 * RocketMQ's own integration tests for clients against three brokers of mqlite: `mqlite serve` thrice, as one cluster
 * behind one name server, which tests may stop and start by a line over a connection.
 *
 * The tests are not here and on no registry: the variable ROCKETMQ_TEST_CLASSES names their compiled classes, those of
 * the module `test` of RocketMQ 5.3.3, as a class path. Before them stand classes of our own that tell them of servers
 * in other processes, where theirs start servers in the same one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { NameServer } from '../../lib/remoting/name-server/name-server.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { cleanUp, type Scope } from './clean-up.js'

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const OPENS = ['java.base/java.lang', 'java.base/java.util'].map((name) => `--add-opens=${name}=ALL-UNNAMED`)

/** Where the servers are: `host:port` each. */
export interface Servers {
  readonly nameServer: string
  /** Takes a line `stop NAME` or `start NAME`, and answers `done` when it is. */
  readonly control: string
}

/** What became of one method. */
export interface Outcome {
  readonly method: string
  readonly status: 'passed' | 'failed' | 'ignored' | 'stuck'
  readonly reason: string
}

/** Starts them; they go with the test, and their directories too. */
export async function threeBrokers(t: Scope): Promise<Servers> {
  const names = new NameServer()
  const nameServer = await RemotingServer.listen({ port: 0, handlers: names.handlers })
  cleanUp(t, async () => {
    await nameServer.close(100)
    names.close()
  })
  const address = endpointText(nameServer.endpoint)
  const brokers = new Map<string, ServedBroker>()
  for (const name of ['TestBrokerName_1', 'TestBrokerName_2', 'TestBrokerName_3']) {
    const broker = new ServedBroker(t, name, address)
    await broker.start()
    brokers.set(name, broker)
  }
  return { nameServer: address, control: await listenForOrders(t, brokers) }
}

class ServedBroker {
  readonly #name: string
  readonly #nameServer: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'mqlite-rocketmq-tests-'))
  #child: ChildProcess | undefined
  #port = '0'

  constructor(t: Scope, name: string, nameServer: string) {
    this.#name = name
    this.#nameServer = nameServer
    cleanUp(t, async () => {
      await this.stop()
      rmSync(this.#directory, { recursive: true, force: true })
    })
  }

  /** Starts it, at the port that it had before. */
  async start(): Promise<void> {
    const given = [
      '--port',
      this.#port,
      '--no-name-server',
      '--name-servers',
      this.#nameServer,
      '--auto-create-topics',
      '--json',
      '--log-level',
      'error',
    ]
    // As many messages in one answer as their own servers are configured to give.
    const own = ['--broker-name', this.#name, '--cluster', 'DefaultCluster', '--pull-messages', '1024']
    const child = spawn(process.execPath, [main, 'serve', this.#directory, ...given, ...own], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#port = await new Promise((resolve, reject) => {
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
        const found = /"broker": ?"[^"]*:([0-9]+)"/.exec(said)
        if (found !== null) resolve(found[1]!)
      })
      child.once('close', (code) => reject(new Error(`mqlite serve ended with ${String(code)}`)))
    })
  }

  /** Ends it as an administrator does. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGTERM')
    await ended
  }
}

function listenForOrders(t: Scope, brokers: ReadonlyMap<string, ServedBroker>): Promise<string> {
  const carryOut = async (line: string): Promise<string> => {
    const [verb, name = ''] = line.split(' ')
    const broker = brokers.get(name)
    if (broker === undefined) return `there is no broker ${name}`
    await (verb === 'stop' ? broker.stop() : broker.start())
    return 'done'
  }
  const server = createServer((socket) => {
    createInterface(socket).once('line', (line) => {
      void carryOut(line).then(
        (reply) => socket.end(`${reply}\n`),
        (error: unknown) => socket.end(`${String(error)}\n`),
      )
    })
  })
  cleanUp(t, () => void server.close())
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as { port: number }).port}`))
  })
}

/** Runs the tests of a class, in a process that is ended when its time is over. */
export async function runClass(classPath: string, name: string, servers: Servers, timeoutMs: number): Promise<Outcome[]> {
  const home = mkdtempSync(join(tmpdir(), 'mqlite-rocketmq-home-'))
  const properties = {
    'mqlite.nameServer': servers.nameServer,
    'mqlite.control': servers.control,
    'user.home': home,
    'rocketmq.client.logRoot': home,
    'java.io.tmpdir': home,
  }
  const settings = Object.entries(properties).map(([key, value]) => `-D${key}=${value}`)
  const child = spawn(
    'java',
    [...OPENS, '-Xmx768m', ...settings, '-cp', classPath, 'RunClass', `org.apache.rocketmq.test.${name}`],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  try {
    return await outcomesOf(child, name)
  } finally {
    clearTimeout(timer)
    rmSync(home, { recursive: true, force: true })
  }
}

async function outcomesOf(child: ChildProcess, name: string): Promise<Outcome[]> {
  const begun = new Set<string>()
  const outcomes = new Map<string, Outcome>()
  let isComplete = false
  const lines = createInterface(child.stdout!)
  lines.on('line', (line) => {
    const [word = '', method = '', reason = ''] = line.split('\t')
    if (word === 'end') isComplete = true
    else if (word === 'begun') begun.add(method)
    else if (word === 'passed' || word === 'failed' || word === 'ignored') outcomes.set(method, { method, status: word, reason })
  })
  await Promise.all([
    new Promise((resolve) => lines.once('close', resolve)),
    new Promise((resolve, reject) => {
      child.once('close', resolve)
      child.once('error', reject)
    }),
  ])
  for (const method of begun) {
    if (!outcomes.has(method)) outcomes.set(method, { method, status: 'stuck', reason: 'its time was over' })
  }
  if (!isComplete && [...outcomes.values()].every(({ status }) => status !== 'stuck')) {
    throw new Error(`the process that ran ${name} ended early`)
  }
  return [...outcomes.values()]
}
