/** An attack on a broker in a process of its own: its server, honest clients that must not notice, and sockets for the others. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { RemotingClient } from '../../lib/remoting/client.js'
import { type Command, request } from '../../lib/remoting/command.js'
import type { ServerLimits } from '../../lib/remoting/limits.js'
import { type AttackedInput, type AttackedPorts, type AttackedReport, attackedAccount } from './attacked-server.js'
import { startProgram } from './children.js'
import { testCertificate } from './tls-files.js'

/** What is attacked: without TLS, with it, and with accounts. */
export type Door = keyof AttackedPorts

const MIB = 1024 * 1024
/** What the process of the server may take, with Node, the store and all. */
const MOST_BYTES = 256 * MIB
/** What the server may do without looking at anything else: its main thread's time, so a busy machine decides nothing. */
const MOST_BUSY_MS = 50
const GET_MAX_OFFSET = 30

/** See the head of this file. */
export class Attack {
  readonly ports: AttackedPorts
  readonly #process: ReturnType<typeof startProgram>['process']
  readonly #clients: Readonly<Record<Door, RemotingClient>>
  readonly #sockets = new Set<Socket>()
  /** The longest of all reports. */
  #longestBusyMs = 0
  #longestLateMs = 0

  private constructor(ports: AttackedPorts, child: ReturnType<typeof startProgram>['process']) {
    this.ports = ports
    this.#process = child
    this.#clients = {
      plain: new RemotingClient(),
      tls: new RemotingClient({ tls: { ca: testCertificate } }),
      auth: new RemotingClient({ credentials: attackedAccount }),
    }
  }

  /** Starts the server; it ends with the test. */
  static async start(t: TestContext, limits: Partial<ServerLimits> = {}, messages = 1): Promise<Attack> {
    const input: AttackedInput = { limits, messages }
    const flags = ['--max-old-space-size=96', '--max-semi-space-size=4']
    const child = startProgram('attacked-server', input, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }, flags)
    assert.ok(await child.printed('\n'), 'the server did not start')
    const attack = new Attack(JSON.parse(child.stdoutSoFar()) as AttackedPorts, child.process)
    t.after(() => attack.#end())
    for (const door of ['plain', 'tls', 'auth'] as const) await attack.honest(door)
    // From here on it counts for how long it is busy.
    await attack.report()
    attack.#longestBusyMs = attack.#longestLateMs = 0
    return attack
  }

  /** A client that means well asks something, over the connection that it has, and is answered. */
  async honest(door: Door): Promise<void> {
    const { code, remark } = await this.ask(door, request(GET_MAX_OFFSET, { ext: { topic: 'T', queueId: 0 } }))
    assert.equal(code, 0, remark)
  }

  /** Such a client asks what it likes. */
  ask(door: Door, command: Command): Promise<Command> {
    return this.#clients[door].invoke(`127.0.0.1:${this.ports[door]}`, command, 60_000)
  }

  /** A socket of somebody who does not mean well. */
  open(door: Door): Socket {
    const port = this.ports[door]
    const socket = door === 'tls' ? connectTls({ port, host: '127.0.0.1', ca: testCertificate }) : connect(port, '127.0.0.1')
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    return socket
  }

  /** How the server fares. */
  async report(): Promise<AttackedReport> {
    const report = await new Promise<AttackedReport>((resolve, reject) => {
      this.#process.once('message', (message) => resolve(message as AttackedReport))
      this.#process.send('report', (error) => {
        if (error !== null) reject(error)
      })
    })
    this.#longestBusyMs = Math.max(this.#longestBusyMs, report.longestBusyMs)
    this.#longestLateMs = Math.max(this.#longestLateMs, report.longestLateMs)
    return report
  }

  /** Whether all who mean no good have gone. */
  get isAlone(): boolean {
    return this.#sockets.size === 0
  }

  /** The server is alive, took little memory, was never busy for long since it began to count, and nothing of it failed. */
  async check(t: TestContext): Promise<AttackedReport> {
    for (const door of ['plain', 'tls', 'auth'] as const) await this.honest(door)
    const report = await this.report()
    // What is stored lies in memory here, as the disk does.
    const mostBytes = report.mostBytes - report.commitLogEnd
    const { faults, connections } = report
    const [busyMs, lateMs] = [Math.round(this.#longestBusyMs), Math.round(this.#longestLateMs)]
    t.diagnostic(
      `${Math.round(mostBytes / MIB)} MiB at most, busy for ${busyMs} ms at most, ${lateMs} by the clock, ${connections} left`,
    )
    assert.deepEqual(faults, [])
    assert.ok(mostBytes < MOST_BYTES, `the server took ${Math.round(mostBytes / MIB)} MiB`)
    assert.ok(this.#longestBusyMs < MOST_BUSY_MS, `the server was busy for ${busyMs} ms`)
    return report
  }

  async #end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const client of Object.values(this.#clients)) await client.close(100)
    this.#process.kill('SIGKILL')
  }
}

/** Resolves when a socket is closed. */
export function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()))
}
