/** Our store behind the line protocol of `shell.ts`, so that it can be killed. */
import { createInterface } from 'node:readline'
import { MessageStore } from '../../lib/index.js'
import { type Receipt, type Spec, toMessage } from './data.js'
import { openOptions } from './ours.js'
import { PacedPorts } from './paced-ports.js'
import type { Pace, Sizes } from './shell.js'

type Command =
  | ({ readonly do: 'open'; readonly directory: string; readonly pace?: Pace } & Sizes)
  | { readonly do: 'put' | 'putBatch'; readonly messages: readonly Spec[] }
  | { readonly do: 'putBatches'; readonly batches: readonly (readonly Spec[])[] }
  | { readonly do: 'close' | 'viewOperations' }

/** Messages put in one turn of the event loop. */
const GROUP = 20

let store: MessageStore | undefined
let ports: PacedPorts | undefined

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function opened(): MessageStore {
  if (store === undefined) throw new Error('no store is open')
  return store
}

/** Group by group without waiting for acknowledgements, so that a kill comes in the middle of everything. */
async function putAll<T>(all: readonly T[], put: (one: T) => Promise<unknown>): Promise<number> {
  const pending: Promise<void>[] = []
  for (const one of all) {
    pending.push(put(one).then((item) => print({ item })))
    if (pending.length % GROUP === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(pending)
  return all.length
}

async function execute(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'open': {
      const { do: _do, directory, pace, ...sizes } = command
      ports = pace && new PacedPorts(pace)
      store = await MessageStore.open(directory, openOptions(sizes), ports ?? {})
      if (store.status !== 'open') throw new Error(`the store is ${store.status}: ${JSON.stringify(store.recovery)}`)
      return null
    }
    case 'put':
      return putAll(command.messages, async (spec) => (await opened().put(toMessage(spec))).toJSON())
    case 'putBatches':
      return putAll(command.batches, async (specs) => (await opened().putBatch(specs.map(toMessage)))[0]!.toJSON())
    case 'putBatch': {
      const receipts = await opened().putBatch(command.messages.map(toMessage))
      const ids = receipts.map((receipt) => receipt.messageId)
      return { ...(receipts[0]!.toJSON() as object as Receipt), messageId: ids.join(',') }
    }
    case 'viewOperations':
      return ports?.viewOperations
    case 'close':
      await opened().close()
      return null
  }
}

print({ ok: 'ready' })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    print({ ok: await execute(JSON.parse(line) as Command) })
  } catch (error) {
    console.error(error)
    print({ error: String(error) })
  }
}
