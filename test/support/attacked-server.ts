/**
 * A broker in a process of its own, there to be attacked: it listens without TLS, with TLS, and with accounts, and tells
 * how much memory it ever took and for how long it ever was busy with one thing.
 *
 * `node attacked-server.js JSON`, see {@link AttackedInput}. Says the ports as a line of JSON; answers each message of its
 * parent with an {@link AttackedReport}.
 */
import { Broker } from '../../lib/broker/broker.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { BrokerServer, type BrokerServerOptions } from '../../lib/remoting/broker-server.js'
import type { ServerLimits } from '../../lib/remoting/limits.js'
import { type Busyness, BusyWatch } from './busy-watch.js'
import { testCertificate, testKey } from './tls-files.js'

/** What the process is told. */
export interface AttackedInput {
  readonly limits: Partial<ServerLimits>
  /** Messages of 64 KiB in the topic `T`, which the group `G` may consume. */
  readonly messages: number
}

/** Where it listens. */
export interface AttackedPorts {
  readonly plain: number
  readonly tls: number
  readonly auth: number
}

/** How it fares, and how busy it was since the last report. */
export interface AttackedReport extends Busyness {
  /** The most memory that it ever had, bytes. */
  readonly mostBytes: number
  /** Connections that there are now. */
  readonly connections: number
  /** Faults of handlers, which are faults of ours. */
  readonly faults: readonly string[]
  /** End of the log: what was stored. */
  readonly commitLogEnd: number
}

/** The account that may do everything where senders are asked. */
export const attackedAccount = { accessKey: 'administrator', secretKey: 'of-the-administrator' }

const TICK_MS = 5

if (process.argv[1]?.endsWith('attacked-server.js')) await main(JSON.parse(process.argv[2] ?? '') as AttackedInput)

async function main({ limits, messages }: AttackedInput): Promise<void> {
  const store = {
    segmentBytes: 1 << 24,
    queueSegmentEntries: 30_000,
    index: { slots: 10_000, entries: 40_000 },
    readCacheBytes: 1 << 20,
  }
  const broker = await Broker.open('/attacked', { topics: { T: { queues: 1 } }, store }, { disk: new MemoryDisk() })
  for (let i = 0; i < messages; i++) await broker.send({ topic: 'T', queueId: 0, body: Buffer.alloc(64 * 1024, i) })
  const faults: string[] = []
  let connections = 0
  const listen = (options: BrokerServerOptions): Promise<BrokerServer> =>
    BrokerServer.listen(broker, {
      port: 0,
      limits,
      ...options,
      onConnection: (connection) => {
        connections++
        connection.onClose(() => connections--)
      },
      // Peers that are cut off are no faults.
      onFault: (error) => {
        if (!('code' in error)) faults.push(String(error.stack))
      },
    })
  const tls = { key: testKey, cert: testCertificate }
  const servers = [
    await listen({}),
    await listen({ tls }),
    await listen({ auth: { accounts: [{ ...attackedAccount, admin: true }] } }),
  ]
  const [plain, withTls, auth] = servers.map(({ endpoint }) => endpoint.port)
  const busy = new BusyWatch(TICK_MS)
  process.on('message', async () => {
    const report: AttackedReport = {
      mostBytes: process.resourceUsage().maxRSS * 1024,
      ...(await busy.take()),
      connections,
      faults,
      commitLogEnd: broker.store.metrics.snapshot()['commitLogEnd'] ?? 0,
    }
    process.send!(report)
  })
  process.stdout.write(`${JSON.stringify({ plain, tls: withTls, auth } as AttackedPorts)}\n`)
}
