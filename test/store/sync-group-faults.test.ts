/**
 * Groups of sync puts on a disk that is full, fails, and loses power, all at random: whatever was answered is there, and
 * whatever was refused for want of space is not. A seed that fails is named, and `runSeed` runs it again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageStoreError, StoreOptions } from '../../lib/index.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { messageOf, openSim, readStore } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'

const SEEDS = 8
const MOST_CRASHES = 4

/** Numbers of messages, by what became of them. */
interface Told {
  readonly stored: Set<number>
  readonly refused: Set<number>
}

interface Crash extends Told {
  readonly disk: SimDisk
}

function optionsOf(random: Random): StoreOptions {
  return {
    segmentBytes: random.pick([16 * 1024, 64 * 1024, 1024 * 1024]),
    flush: 'sync',
    tailBytes: 0,
    maxMessageBytes: 4096,
    flushTimeoutMs: 100_000,
    ...(random.chance(0.5) ? { maxUnflushedBytes: 16 * 1024 } : {}),
    ...(random.chance(0.5) ? { maxPendingBytes: 16 * 1024 } : {}),
  }
}

/** From now on the disk fails now and then, and crashes of it are taken. */
function trouble(disk: SimDisk, random: Random, told: Told): Crash[] {
  const crashes: Crash[] = []
  const path = '/commitlog/'
  const take = (): void => {
    const crashed = disk.crash(random.chance(0.5) ? {} : { random })
    crashes.push({ disk: crashed, stored: new Set(told.stored), refused: new Set(told.refused) })
  }
  disk.onOperation = (_kind, _path, index) => {
    if (index % 23 === 0 && crashes.length < MOST_CRASHES) take()
    if (random.chance(0.004)) disk.inject({ on: 'write', path, code: 'ENOSPC', partialBytes: random.int(3000) })
    if (random.chance(0.0015)) disk.inject({ on: 'flush', path, code: 'EIO' })
    if (random.chance(0.0008)) disk.inject({ on: 'write', path, code: 'EIO', partialBytes: random.int(3000) })
  }
  return crashes
}

async function runSeed(seed: number): Promise<void> {
  const random = new Random(seed)
  const options = optionsOf(random)
  const disk = new SimDisk()
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, options))
  disk.flushLatency = () => time.wait(random.int(4))
  const told: Told = { stored: new Set(), refused: new Set() }
  const crashes = trouble(disk, random, told)
  let next = 0
  const write = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const numbers = Array.from({ length: random.chance(0.1) ? 1 + random.int(80) : 1 }, () => next++)
      const messages = numbers.map((number) => messageOf(number, random.int(60), 2))
      const put: Promise<unknown> = messages.length === 1 ? store.put(messages[0]!) : store.putBatch(messages)
      await put.then(
        () => numbers.forEach((number) => void told.stored.add(number)),
        ({ code }: MessageStoreError) => {
          if (code === 'DISK_FULL') for (const number of numbers) told.refused.add(number)
          else assert.equal(code, 'STORE_FAILED')
        },
      )
    }
  }
  await time.run(Promise.all(Array.from({ length: 60 + random.int(250) }, () => write(2 + random.int(4)))))
  disk.onOperation = undefined
  for (const crash of [...crashes, { disk: disk.crash(), ...told }]) await checkCrash(crash, options)
}

async function checkCrash({ disk, stored, refused }: Crash, options: StoreOptions): Promise<void> {
  const time = new SimTime(1_700_050_000_000)
  const store = await time.run(openSim(disk, time, options))
  assert.equal(store.status, 'open')
  const { messages } = await time.run(readStore(store, options))
  const found = new Set(messages.map(({ number }) => number))
  assert.equal(found.size, messages.length)
  assert.deepEqual(
    [...stored].filter((number) => !found.has(number)),
    [],
    'what was answered is there',
  )
  assert.deepEqual(
    [...refused].filter((number) => found.has(number)),
    [],
    'what was refused is not',
  )
  await time.run(store.close())
}

test('of large groups of sync puts on a disk that fails none that was answered is lost, and none that was refused is seen', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await runSeed(seed).catch((cause: unknown) => {
      throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
    })
  }
})
