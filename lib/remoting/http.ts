/**
 * Pages for programs that watch a server: `GET` and `HEAD` of a few paths, nothing else. The only file that speaks HTTP.
 *
 * 1. Whoever can connect can read them, but no web page that somebody looks at: a browser that was told that a name
 *    elsewhere is this machine's says that name in `Host`, and gets nothing.
 * 2. Who is slow, says too much or comes in crowds is cut off, so that watching never costs those who are watched more
 *    than a page.
 * 3. Node's own HTTP does not run on the ports for sockets and timers: what the world has tried is worth more here than
 *    an own reader of requests. So nothing behind this file depends on it, and tests of it use real sockets.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Endpoint } from './endpoint.js'

/** What a path answers. */
export interface Page {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** How to answer. */
export interface HttpOptions {
  /** Address to listen at. */
  readonly host: string
  /** Port; 0 takes a free one. */
  readonly port: number
  /** Names under which it is asked, beside `localhost`, addresses, and `host` if that is a name. @default none */
  readonly names?: readonly string[]
  /** Pages by path. What one throws is told to `onFault`, and answered with 500. */
  readonly pages: ReadonlyMap<string, () => Promise<Page> | Page>
  /** Told of each request that was answered. */
  readonly onAnswer?: (answered: { readonly method: string; readonly path: string; readonly status: number }) => void
  /** Told what a page threw. */
  readonly onFault?: (error: unknown, path: string) => void
}

/** What answers. */
export interface HttpListener {
  /** Where it listens, with the port that was taken. */
  readonly endpoint: Endpoint
  /** Cuts all connections and frees the port. */
  close(): Promise<void>
}

/** Bytes of a request's line and headers. */
const MAX_HEADER_BYTES = 8192
const MAX_CONNECTIONS = 64
/** Milliseconds for the headers, for the whole request, and for the next one on the same connection. */
const REQUEST_MS = 5000

/** Begins to answer. Rejects when the endpoint cannot be had. */
export function listenHttp(options: HttpOptions): Promise<HttpListener> {
  const limits = { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 1000, keepAliveTimeout: REQUEST_MS }
  const server = createServer({ ...limits, headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS }, (request, response) => {
    void answerRequest(options, request, response)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.maxHeadersCount = 64
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      // Later errors are those of single connections that could not be accepted.
      server.on('error', () => {})
      const { address, port } = server.address() as { address: string; port: number }
      resolve({ endpoint: { host: address, port }, close: () => closed(server) })
    })
  })
}

async function answerRequest(options: HttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '' } = request
  const path = (request.url ?? '').split('?')[0]!
  // Nothing that a request carries is wanted.
  request.resume()
  response.on('error', () => {})
  const page = isMeant(request.headers.host, options) ? await pageFor(options, method, path) : NOT_MEANT
  const { status, contentType, body } = page
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    ...(status >= 400 && status < 500 ? { connection: 'close' } : {}),
  })
  response.end(method === 'HEAD' ? undefined : bytes)
  options.onAnswer?.({ method, path: options.pages.has(path) ? path : '-', status })
}

/** Whether a request names this server: by an address, which no other name can lead to, or as it is called. */
function isMeant(asked: string | undefined, { host, names = [] }: HttpOptions): boolean {
  // Browsers always say it.
  if (asked === undefined) return true
  const [, address, name = ''] = /^(?:(\[[0-9a-fA-F:.]+\]|[0-9]+(?:\.[0-9]+){3})|([^:]*))(?::[0-9]*)?$/.exec(asked) ?? []
  return address !== undefined || ['localhost', host, ...names].some((one) => one.toLowerCase() === name.toLowerCase())
}

async function pageFor({ pages, onFault }: HttpOptions, method: string, path: string): Promise<Page> {
  if (method !== 'GET' && method !== 'HEAD') return plainPage(405, 'only GET and HEAD')
  const page = pages.get(path)
  if (page === undefined) return plainPage(404, `there are ${[...pages.keys()].join(' and ')}`)
  try {
    return await page()
  } catch (error) {
    onFault?.(error, path)
    return plainPage(500, 'internal error')
  }
}

/** A page of one line. */
export function plainPage(status: number, line: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${line}\n` }
}

const NOT_MEANT = plainPage(421, 'nobody here has the name that the request has in Host')

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
