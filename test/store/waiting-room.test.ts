/** Puts that wait for room: each goes once, in order, whatever the ones before it bring about. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { WaitingRoom } from '../../lib/store/writing/waiting-room.js'

describe('puts that wait for room', () => {
  test('go in order while there is room', async () => {
    const room = new WaitingRoom()
    const gone: number[] = []
    const puts = [0, 1, 2, 3].map((n) => room.wait(async () => gone.push(n)))
    room.letIn(() => gone.length < 2)
    assert.deepEqual(gone, [0, 1])
    assert.ok(!room.isEmpty)
    room.letIn(() => true)
    assert.deepEqual(gone, [0, 1, 2, 3])
    assert.ok(room.isEmpty)
    assert.deepEqual(await Promise.all(puts), [1, 2, 3, 4])
  })

  test('go once though one of them has the others let in, as the put does that makes a store fail', async () => {
    const room = new WaitingRoom()
    const gone: number[] = []
    const put = (n: number) => async () => {
      gone.push(n)
      if (n === 1) room.letIn(() => true)
      return n
    }
    const puts = [0, 1, 2, 3].map((n) => room.wait(put(n)))
    room.letIn(() => true)
    assert.deepEqual(gone, [0, 1, 2, 3])
    assert.ok(room.isEmpty)
    const late = room.wait(put(4))
    room.letIn(() => true)
    assert.deepEqual(await Promise.all([...puts, late]), [0, 1, 2, 3, 4])
  })
})
