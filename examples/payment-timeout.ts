/** An order that is not paid in time is cancelled: a delayed message asks, a payment calls the question off. */
import { Broker } from 'mqlite'

const broker = await Broker.open(process.argv[2] ?? 'data/payment-timeout', {
  topics: { orders: { queues: 1 }, deadlines: { queues: 1 } },
})
const state = new Map<string, string>()

async function order(id: string): Promise<() => Promise<void>> {
  await broker.send({ topic: 'orders', body: id, keys: id })
  const deadline = await broker.send({ topic: 'deadlines', body: id, keys: id, delayMs: 1000 })
  state.set(id, 'open')
  return async () => {
    // False when the question has been asked already: then the order is cancelled, and the money goes back.
    if (await broker.cancel(deadline)) state.set(id, 'paid')
  }
}

const payTea = await order('tea')
await order('cake')
await payTea()

for await (const delivery of broker.consumer({ group: 'clock', subscribe: { deadlines: '*' } })) {
  const id = String(delivery.message.body)
  if (state.get(id) === 'open') state.set(id, 'cancelled')
  await delivery.ack()
  break
}
console.log(`tea is ${state.get('tea')}, cake is ${state.get('cake')}`)
await broker.close()
