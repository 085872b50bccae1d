/** Free ports of 127.0.0.1 for servers that must be told which to take. */
import { createServer } from 'node:net'

// Below those that the system gives to connections by itself: none of these takes one before its server does.
const LOWEST_PORT = 15_000
const PORTS = 15_000

/** Ports that were free a moment ago, one for each number: they lie so far above the first. */
export async function freePorts(...distances: readonly number[]): Promise<number[]> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = LOWEST_PORT + Math.floor(Math.random() * PORTS)
    const ports = distances.map((distance) => first + distance)
    const free = await Promise.all(ports.map(isFree))
    if (free.every((one) => one)) return ports
  }
  throw new Error('no ports are free')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
