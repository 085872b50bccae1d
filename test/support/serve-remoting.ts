/** A server that knows two requests: 1 is answered with its body, 2 with what the client answers to 9. */
import type { TestContext } from 'node:test'
import { answer, request } from '../../lib/remoting/command.js'
import type { Handler, HandlerTable } from '../../lib/remoting/handling.js'
import { RemotingServer, type RemotingServerOptions } from '../../lib/remoting/server.js'

export const handlers: HandlerTable = new Map<number, Handler>([
  [1, (command) => answer(command, 0, { body: command.body })],
  [2, async (command, connection) => answer(command, 0, { body: (await connection.invoke(request(9), 3000)).body })],
])

/** Closed when the test is over. */
export async function serveRemoting(t: TestContext, options: Partial<RemotingServerOptions> = {}): Promise<RemotingServer> {
  const server = await RemotingServer.listen({ port: 0, handlers, ...options })
  t.after(() => server.close(100))
  return server
}
