/** Who waits for a message: how waits end, how many there may be, and who may go on waiting. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock, systemTimers } from '../../../lib/base/system.js'
import { TurnShare } from '../../../lib/base/turn-share.js'
import { request } from '../../../lib/remoting/command.js'
import { consumeRequests as codes } from '../../../lib/remoting/commands/consume-codes.js'
import { HeldPulls } from '../../../lib/remoting/commands/held-pulls.js'
import { Refusal } from '../../../lib/remoting/errors.js'

describe('the pulls that wait', () => {
  function connection() {
    const listeners = new Set<() => void>()
    return {
      isOpen: true,
      remote: { host: '127.0.0.1', port: 1 },
      onClose(listener: () => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      close(): void {
        this.isOpen = false
        for (const listener of listeners) listener()
      },
      get listeners(): number {
        return listeners.size
      },
    }
  }

  const asked = (key: string) => ({ command: request(codes.PULL_MESSAGE), key, rules: 0 })
  /** Everybody may wait until somebody is named. */
  const rights = (refused: ReadonlySet<unknown> = new Set()) => ({
    refusalNow: (_command: unknown, from: unknown) => (refused.has(from) ? new Refusal(16, 'no longer') : undefined),
    whenAuthChanges: [] as (() => void)[],
    looking: new TurnShare(systemClock, systemTimers),
  })

  const forever = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))

  test('are forgotten when they are done, woken, failed or closed', async () => {
    const held = new HeldPulls(rights())
    const one = connection()
    const key = '0 T@G'
    assert.deepEqual(await held.hold(one, asked(key), async () => 7), { kind: 'done', result: 7 })
    await assert.rejects(
      held.hold(one, asked(key), async () => Promise.reject(new Error('disk'))),
      /disk/,
    )
    const woken = held.hold(one, asked(key), forever)
    const closed = held.hold(one, asked('1 T@G'), forever)
    assert.equal(held.size, 2)
    held.wake(key)
    assert.deepEqual(await woken, { kind: 'woken' })
    one.close()
    assert.deepEqual(await closed, { kind: 'closed' })
    assert.equal(held.size, 0)
    assert.equal(one.listeners, 1)
  })

  test('that are woken or closed by the thousand end so, also when what they wait for comes before it is their turn', async () => {
    for (const how of ['woken', 'closed'] as const) {
      const held = new HeldPulls(rights())
      const one = connection()
      const signals: AbortSignal[] = []
      const ends: (() => void)[] = []
      const waits = Array.from({ length: 1000 }, () =>
        held.hold(one, asked('0 T@G'), (signal) => {
          signals.push(signal)
          return Promise.race([forever(signal), new Promise<void>((resolve) => ends.push(resolve))])
        }),
      )
      if (how === 'woken') held.wake('0 T@G')
      else one.close()
      const stopped = signals.filter(({ aborted }) => aborted).length
      assert.ok(stopped > 0 && stopped < 100, `${stopped} at once`)
      for (const end of ends.slice(500)) end()
      for (const outcome of await Promise.all(waits)) assert.deepEqual(outcome, { kind: how })
      assert.equal(held.size, 0)
    }
  })

  test('of one connection are bounded', async () => {
    const held = new HeldPulls(rights())
    const one = connection()
    const waits: Promise<unknown>[] = []
    const { command } = asked('0 T@G')
    while (held.hasRoomFor(one, command)) waits.push(held.hold(one, asked('0 T@G'), forever))
    assert.equal(held.size, 4096)
    assert.equal(held.hasRoomFor(connection(), command), true)
    one.close()
    await Promise.all(waits)
    assert.equal(held.size, 0)
  })

  test('of one connection, and of all, hold little memory: those that have a body or long fields soon do not wait', async () => {
    for (const given of [{ body: Buffer.alloc(1 << 20) }, { ext: { a: 'x'.repeat(1 << 20) } }]) {
      const held = new HeldPulls(rights())
      const command = request(codes.PULL_MESSAGE, given)
      const connections = Array.from({ length: 20 }, () => connection())
      const waits: Promise<unknown>[] = []
      const counts = connections.map((one) => {
        const before = held.size
        while (held.hasRoomFor(one, command)) waits.push(held.hold(one, { command, key: '0 T@G', rules: 0 }, forever))
        return held.size - before
      })
      assert.ok(counts[0]! >= 3 && counts[0]! <= 4, `${counts}`)
      assert.ok(held.size <= 32, `${held.size}`)
      for (const one of connections) one.close()
      await Promise.all(waits)
      // What they held is free again.
      assert.equal(held.hasRoomFor(connection(), command), true)
    }
  })

  test('of who may no longer have what comes end, also when it has come meanwhile, and the others go on', async () => {
    const refused = new Set<unknown>()
    const given = rights(refused)
    const held = new HeldPulls(given)
    const [one, other] = [connection(), connection()]
    let come: (result: number) => void = () => {}
    const late = held.hold(one, asked('0 T@G'), () => new Promise<number>((resolve) => (come = resolve)))
    const waits = Array.from({ length: 3000 }, (_, i) => held.hold(one, asked(`${i} T@G`), forever))
    const goesOn = held.hold(other, asked('0 T@G'), forever)
    refused.add(one)
    for (const tell of given.whenAuthChanges) tell()
    come(7)
    for (const wait of [late, ...waits]) await assert.rejects(wait, { code: 16, message: 'no longer' })
    assert.equal(held.size, 1)
    // One that was let through before, and begins to wait only now.
    await assert.rejects(held.hold(one, asked('0 T@G'), forever), { code: 16 })
    assert.equal(held.rules, 1)
    other.close()
    assert.deepEqual(await goesOn, { kind: 'closed' })
  })

  test('whose wait was refused are told so, also when they may again before it has ended', async () => {
    const refused = new Set<unknown>()
    const given = rights(refused)
    const held = new HeldPulls(given)
    const one = connection()
    let end: () => void = () => {}
    const asks = held.hold(one, asked('0 T@G'), async (signal) => {
      await new Promise<void>((resolve) => (end = resolve))
      signal.throwIfAborted()
    })
    const tell = async (): Promise<void> => {
      for (const one of given.whenAuthChanges) one()
      await new Promise((resolve) => setImmediate(resolve))
    }
    refused.add(one)
    await tell()
    refused.delete(one)
    await tell()
    end()
    await assert.rejects(asks, { code: 16, message: 'no longer' })
    assert.equal(held.size, 0)
    // The next one waits as ever.
    assert.deepEqual(await held.hold(one, asked('0 T@G'), async () => 7), { kind: 'done', result: 7 })
  })
})
