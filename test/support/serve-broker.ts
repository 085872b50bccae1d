/** A broker behind RocketMQ's protocol for tests, on a disk in memory, with a client that asks it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'
import type { BrokerPorts } from '../../lib/broker/parts.js'
import type { Disk } from '../../lib/disk/disk.js'
import { BrokerServer, type BrokerServerOptions } from '../../lib/remoting/broker-server.js'
import { RemotingClient, type RemotingClientOptions } from '../../lib/remoting/client.js'
import { type Command, type CommandParts, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { openTestBroker } from './open-broker.js'

/** A broker that can be asked. */
export interface ServedForTest {
  readonly broker: Broker
  readonly server: BrokerServer
  readonly client: RemotingClient
  /** The broker's `host:port`. */
  readonly address: string
  /** Asks the broker. */
  ask(code: number, parts?: CommandParts): Promise<Command>
  /** Asks the name server beside it. */
  askNames(code: number, parts?: CommandParts): Promise<Command>
}

/** What is not as usual. */
export interface ServeOptions {
  readonly disk?: Disk
  readonly options?: BrokerOptions
  readonly ports?: Partial<BrokerPorts>
  readonly server?: BrokerServerOptions
  readonly client?: RemotingClientOptions
}

/** Serves a broker until the test ends; what goes wrong in a handler fails the test. */
export async function serveBroker(t: TestContext, given: ServeOptions = {}): Promise<ServedForTest> {
  const faults: Error[] = []
  const broker = await openTestBroker(t, given)
  const onFault = (error: Error): unknown => faults.push(error)
  const server = await BrokerServer.listen(broker, { port: 0, nameServer: { port: 0 }, onFault, ...given.server })
  const client = new RemotingClient(given.client)
  t.after(async () => {
    await client.close(100)
    await server.close()
    assert.deepEqual(faults, [])
  })
  const address = endpointText(server.endpoint)
  const ask = (code: number, parts?: CommandParts): Promise<Command> => client.invoke(address, request(code, parts))
  const askNames = (code: number, parts?: CommandParts): Promise<Command> =>
    client.invoke(endpointText(server.nameServerEndpoint!), request(code, parts))
  return { broker, server, client, address, ask, askNames }
}
