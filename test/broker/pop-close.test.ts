/** Popping while the broker closes, and what is out while the group moves elsewhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal } from '../support/open-broker.js'
import { bodiesOf, invisibleMs, openPopper, pass, sendAll, sorted, turns } from '../support/open-popper.js'

test('a pop that waits ends with nothing when the broker closes, and one that comes later is refused', async (t) => {
  const { broker, popper, time } = await openPopper(t)
  const other = broker.popConsumer({ group: 'h', subscribe: { orders: '*' } })
  const waiting = [popper.pop({ waitMs: 60_000 }), other.pop({ waitMs: 60_000 })]
  await turns()
  const closing = broker.close()
  await assert.rejects(popper.pop(), refusal('BROKER_CLOSED'))
  await pass(time, 1500)
  assert.deepEqual(await Promise.all(waiting), [[], []])
  await closing
  await assert.rejects(popper.pop({ waitMs: 1000 }), refusal('BROKER_CLOSED'))
})

test('a consumer that calls a function with what it pops tells of no problem when the broker closes around it', async (t) => {
  const { broker, popper, time } = await openPopper(t)
  const problems: unknown[] = []
  popper.on('problem', (problem) => void problems.push(problem))
  const running = popper.run(() => {})
  let finish = (): void => {}
  const consumer = broker.consumer({ group: 'slow', subscribe: { orders: '*' } })
  const slow = consumer.run(() => new Promise<void>((resolve) => (finish = resolve)))
  await sendAll(broker, 1)
  await turns()
  const closing = broker.close()
  await pass(time, 5000)
  finish()
  await closing
  await Promise.all([running, slow])
  assert.deepEqual(problems, [])
})

test('what a function has when the broker closes is acknowledged when it returns, and does not come again', async (t) => {
  const { broker, popper, time, disk } = await openPopper(t)
  const problems: unknown[] = []
  popper.on('problem', (problem) => void problems.push(problem))
  let finish = (): void => {}
  const running = popper.run(() => new Promise<void>((resolve) => (finish = resolve)))
  await sendAll(broker, 1)
  await pass(time, 1)
  const closing = broker.close()
  await pass(time, 1000)
  finish()
  await closing
  await running
  assert.deepEqual(problems, [])
  const { popper: next } = await openPopper(t, { time, disk })
  await pass(time, invisibleMs + 5000)
  assert.deepEqual(bodiesOf(await next.pop()), [])
})

test('what was popped before a reset can be settled after it, and comes again when it is not', async (t) => {
  const { broker, popper, time } = await openPopper(t)
  await sendAll(broker, 3)
  const before = await popper.pop()
  await broker.resetOffsets({ group: 'g', topic: 'orders', to: 'last' })
  await before[0]!.ack()
  assert.deepEqual(await popper.pop(), [])
  await pass(time, invisibleMs + 2000)
  assert.deepEqual(sorted(bodiesOf(await popper.pop())), ['1', '2'])
})
