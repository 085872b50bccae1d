/**
 * Every workload of up to three operations, power cut at every operation of the disk, and of what was under way
 * every part that may survive: what was promised is there, and nothing else.
 */

import { test } from 'node:test'
import type { OpenStore } from '../../lib/store/open.js'
import { CrashExplorer } from '../support/crash-explorer.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { checkpoint, deleteExpired, messageOf, openSim, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'
import { StoreOracle } from '../support/store-oracle.js'
import { seedOf, tier } from '../support/tier.js'

const operations = ['append', 'batch', 'flush', 'roll', 'expire', 'checkpoint', 'close', 'reopen'] as const
type Operation = (typeof operations)[number]

/** A store under a workload. `reopen` ends the process without closing. */
class Run {
  readonly time = new SimTime()
  readonly oracle: StoreOracle
  disk = new SimDisk({ trace: true })
  readonly #policy: 'async' | 'sync'
  #store: OpenStore | undefined
  #next = 0

  constructor(policy: 'async' | 'sync') {
    this.#policy = policy
    this.oracle = new StoreOracle(policy)
  }

  get options() {
    return { ...TINY, flush: this.#policy }
  }

  async open(): Promise<OpenStore> {
    this.#store ??= await this.time.run(openSim(this.disk, this.time, this.options))
    return this.#store
  }

  async do(operation: Operation): Promise<void> {
    if (operation === 'close') return this.#close()
    if (operation === 'reopen') {
      await this.#close()
      await this.open()
      return
    }
    const store = await this.open()
    switch (operation) {
      case 'append':
        return this.#put(store, 60)
      case 'roll':
        return this.#put(store, 3500)
      case 'batch':
        return this.#putBatch(store)
      case 'flush': {
        const { submitted } = this.oracle.owes()
        await this.time.run(store.flush())
        return this.oracle.flushed(submitted)
      }
      case 'expire':
        this.oracle.deleting(store.log.end)
        await deleteExpired(store, this.time)
        return this.oracle.deleted(store.log.start)
      case 'checkpoint': {
        const { submitted } = this.oracle.owes()
        // What has expired by now may go as well.
        this.oracle.deleting(store.log.end)
        await checkpoint(this.time)
        this.oracle.deleted(store.log.start)
        return this.oracle.flushed(submitted)
      }
    }
  }

  async #close(): Promise<void> {
    if (this.#store === undefined) return
    const { submitted } = this.oracle.owes()
    await this.time.run(this.#store.close())
    this.oracle.flushed(submitted)
    this.#store = undefined
  }

  async #put(store: OpenStore, bytes: number): Promise<void> {
    const number = this.#next++
    const submission = this.oracle.submit(number, bytes)
    this.oracle.acknowledge(submission, await this.time.run(store.writer.put(messageOf(number, bytes, 2))))
  }

  async #putBatch(store: OpenStore): Promise<void> {
    const numbers = [this.#next++, this.#next++, this.#next++]
    const submissions = numbers.map((number) => this.oracle.submit(number, 200))
    const receipts = await this.time.run(store.writer.putBatch(numbers.map((number) => messageOf(number, 200, 2))))
    submissions.forEach((submission, i) => {
      this.oracle.acknowledge(submission, receipts[i]!)
    })
  }
}

function* workloads(most: number): Generator<Operation[]> {
  for (let length = 1; length <= most; length++) {
    for (let n = 0; n < operations.length ** length; n++) {
      yield Array.from(
        { length },
        (_, at) => operations[Math.floor(n / operations.length ** (length - 1 - at)) % operations.length]!,
      )
    }
  }
}

for (const policy of ['sync', 'async'] as const) {
  test(`a ${policy} store survives power loss at every operation of every workload of up to three steps`, async (t) => {
    const seed = seedOf(1)
    const started = performance.now()
    let explorer: CrashExplorer | undefined
    let count = 0
    for (const workload of workloads(3)) {
      const run = new Run(policy)
      explorer ??= new CrashExplorer({
        store: run.options,
        random: new Random(seed),
        exhaustive: tier === 'crash' ? 1024 : 64,
        samples: tier === 'crash' ? 64 : 8,
        thoroughly: 4,
      })
      // What leads up to the last step has been explored as a workload of its own.
      let step = 0
      explorer.begin()
      explorer.attach(run.disk, run.oracle, () => step >= workload.length - 1)
      try {
        for (const operation of workload) {
          await run.do(operation)
          step++
        }
        explorer.take(run.disk, run.oracle, 'at the end')
        await explorer.drain(run.oracle)
      } catch (error) {
        throw new Error(
          `seed ${seed}, ${policy}, ${workload.join(' ')}: ${(error as Error).stack}\n${(error as { cause?: Error }).cause?.stack}\n${run.disk.trace.join('\n')}`,
          { cause: error },
        )
      }
      count++
    }
    t.diagnostic(`${count} workloads, ${JSON.stringify(explorer?.counts)}, ${Math.round(performance.now() - started)} ms`)
  })
}
