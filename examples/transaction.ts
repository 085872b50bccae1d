/** Message and bookkeeping, both or neither: a transfer is told of only if the accounts were changed. */
import { Broker } from 'mqlite'

const broker = await Broker.open(process.argv[2] ?? 'data/transaction', { topics: { transfers: { queues: 1 } } })
const accounts = new Map([
  ['alice', 50],
  ['bob', 0],
])
/** What a database would know: the transfers that it has made. */
const made = new Set<string>()

function transfer(id: string, from: string, to: string, amount: number): 'commit' | 'rollback' {
  const balance = accounts.get(from)!
  if (balance < amount) return 'rollback'
  accounts.set(from, balance - amount).set(to, accounts.get(to)! + amount)
  made.add(id)
  return 'commit'
}

// Asked about a transfer whose end nobody heard of, say after a crash.
const check = ({ keys: [id] }: { keys: string[] }): 'commit' | 'rollback' => (made.has(id!) ? 'commit' : 'rollback')
const producer = broker.transactionProducer({ group: 'bank', check })
for (const [id, amount] of [
  ['t-1', 30],
  ['t-2', 30],
  ['t-3', 20],
] as const) {
  const message = { topic: 'transfers', keys: id, body: `alice pays bob ${amount}` }
  const { decision } = await producer.send(message, () => Promise.resolve(transfer(id, 'alice', 'bob', amount)))
  console.log(`${id}: ${decision}`)
}
await producer.close()

let left = made.size
for await (const delivery of broker.consumer({ group: 'statements', subscribe: { transfers: '*' } })) {
  console.log(`told: ${delivery.message.body}`)
  await delivery.ack()
  if (--left === 0) break
}
await broker.close()
