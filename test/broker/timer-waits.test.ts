/** What the timer keeps of messages that wait: in which order they come, how much memory they take, and what is swept out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OffsetSet } from '../../lib/broker/delay/offset-set.js'
import { TimerHeap } from '../../lib/broker/delay/timer-heap.js'
import { TimerWaits, type Waiting } from '../../lib/broker/delay/timer-waits.js'
import { Random } from '../support/random.js'

/** Cancellations of a second come first, and then messages, each as they stand in the queue. */
function inOrder(a: Waiting, b: Waiting): number {
  return a.second - b.second || Number(b.isCancel) - Number(a.isCancel) || a.queueOffset - b.queueOffset
}

/** Everything that can be taken, in the order in which it comes. */
function takeAll(waits: TimerWaits): Waiting[] {
  const taken: Waiting[] = []
  while (waits.firstSecond < Number.POSITIVE_INFINITY) {
    const one = waits.take()
    if (one !== undefined) taken.push(one)
  }
  return taken
}

describe('a set of offsets', () => {
  test('tells as a Set does what is in it, how many there are, and which comes next', () => {
    const random = new Random(4)
    const offsets = new OffsetSet()
    const model = new Set<number>()
    const bases = [0, 32_760, 5_000_000]
    const some = (): number => random.pick(bases) + random.int(100)
    for (let step = 0; step < 20_000; step++) {
      const offset = some()
      // There are times of growth and times at whose end nothing is left.
      if (random.chance(step % 4000 < 2000 ? 0.7 : 0.1)) {
        offsets.add(offset)
        model.add(offset)
      } else {
        offsets.delete(offset)
        model.delete(offset)
      }
      const asked = some()
      const behind = [...model].filter((one) => one >= asked)
      assert.equal(offsets.size, model.size)
      assert.equal(offsets.has(asked), model.has(asked))
      assert.equal(offsets.firstFrom(asked), Math.min(...behind))
    }
  })
})

describe('what waits', () => {
  test('takes 12 bytes of memory a message in the heap, and a little', () => {
    const heap = new TimerHeap()
    const random = new Random(9)
    for (let i = 0; i < 1_000_000; i++) heap.push(random.int(3_456_000), i, i % 7 === 0)
    assert.ok(heap.bytes <= 12.5 * heap.size, `${heap.bytes / heap.size} bytes a message`)
    while (heap.size > 20_000) heap.popLast()
    assert.ok(heap.bytes <= 12 * (heap.size + 32_768), `${heap.bytes} bytes`)
  })

  test('comes in order, also while what waits no more is swept out and others come', () => {
    const random = new Random(5)
    const waits = new TimerWaits()
    const model: Waiting[] = []
    let next = 0
    const add = (): void => {
      const one = { second: random.int(5000), queueOffset: next, isCancel: next % 7 === 0 }
      next++
      waits.add(one)
      model.push(one)
    }
    for (let i = 0; i < 30_000; i++) add()
    for (let offset = 0; offset < 15_000; offset++) waits.settle(offset)
    const alive = model.filter(({ queueOffset }) => queueOffset >= 15_000)
    const taken: Waiting[] = []
    const added: Waiting[] = []
    let sweeps = 0
    while (waits.sweep(1000)) {
      sweeps++
      const one = waits.take()
      // What comes is the first of all that wait, whether it was looked at or not.
      if (one !== undefined) {
        const rest = [...alive, ...added].filter((other) => !taken.includes(other)).sort(inOrder)
        assert.deepEqual(one, rest[0])
        taken.push(rest[0]!)
        waits.settle(one.queueOffset)
      }
      add()
      added.push(model.at(-1)!)
    }
    assert.ok(sweeps >= 29, `${sweeps} parts`)
    const rest = [...alive, ...added].filter((other) => !taken.includes(other)).sort(inOrder)
    assert.equal(waits.size, rest.length)
    assert.deepEqual(takeAll(waits), rest)
  })

  test('is not swept for the sake of a few', () => {
    const waits = new TimerWaits()
    for (let queueOffset = 0; queueOffset < 100; queueOffset++) waits.add({ second: queueOffset, queueOffset, isCancel: false })
    for (let queueOffset = 0; queueOffset < 10; queueOffset++) waits.settle(queueOffset)
    assert.equal(waits.sweep(1), false)
    assert.equal(waits.firstFrom(0), 10)
    assert.equal(takeAll(waits).length, 90)
  })

  test('that was taken and put back comes again', () => {
    const waits = new TimerWaits()
    waits.add({ second: 5, queueOffset: 1, isCancel: false })
    const one = waits.take()!
    assert.equal(waits.size, 1)
    assert.equal(waits.firstFrom(0), 1)
    waits.putBack(one)
    assert.deepEqual(waits.take(), one)
    waits.settle(1)
    assert.equal(waits.size, 0)
    assert.equal(waits.firstFrom(0), Number.POSITIVE_INFINITY)
  })
})
