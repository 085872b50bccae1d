/** A client that waits for a server to start: as light as can be, so that it is the server that is measured. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests, nameServerRequests, responseCodes } from '../../lib/remoting/codes.js'
import { request } from '../../lib/remoting/command.js'
import { BODY, QUEUES, TOPIC } from '../workload.js'

const POLL_MS = 2
const PATIENCE_MS = 120_000
/** The topic after which others are made: every broker has it that makes topics. */
const TEMPLATE = 'TBW102'

/** Whether somebody listens at a port of this machine. */
export function isUp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Asks a name server for the broker until it knows one, and sends this a message until it takes it, or is gone. */
export async function firstMessage(nameServer: string, isGone: () => boolean): Promise<void> {
  const client = new RemotingClient()
  const port = Number(nameServer.slice(nameServer.lastIndexOf(':') + 1))
  const deadline = performance.now() + PATIENCE_MS
  try {
    while (performance.now() < deadline && !isGone()) {
      // A bare connection first: a refused one costs less than one that is set up.
      if ((await isUp(port)) && (await sends(client, nameServer))) return
      await sleep(POLL_MS)
    }
  } finally {
    await client.close(0)
  }
  throw new Error('no message is taken')
}

async function sends(client: RemotingClient, nameServer: string): Promise<boolean> {
  try {
    const route = await client.invoke(
      nameServer,
      request(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: TEMPLATE } }),
    )
    if (route.code !== responseCodes.SUCCESS) return false
    const address = /"brokerAddrs":\{"?0"?:"([^"]+)"/.exec(route.body.toString())?.[1]
    if (address === undefined) return false
    const fields = { a: 'bench', b: TOPIC, c: TEMPLATE, d: QUEUES, e: 0, f: 0, g: Date.now(), h: 0, i: '', j: 0, k: false }
    const message = request(brokerRequests.SEND_MESSAGE_V2, { ext: { ...fields, m: false }, body: BODY })
    return (await client.invoke(address, message)).code === responseCodes.SUCCESS
  } catch {
    return false
  }
}
