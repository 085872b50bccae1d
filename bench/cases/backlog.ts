/** Puts behind messages that nobody has read, beside puts into a store that is empty, in turns. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MessageStore } from 'mqlite'
import { type Case, messageOf, perSecond } from '../workload.js'

const IN_FLIGHT = 64
/** Rounds of each; the first of each is a warm-up. */
const ROUNDS = 8

/** What a round of puts took: puts per second, and of single puts the milliseconds. */
interface Round {
  readonly rate: number
  readonly times: readonly number[]
}

async function fill(store: MessageStore, messages: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < messages) await store.put(messageOf(next++))
  }
  await Promise.all(Array.from({ length: 4 * IN_FLIGHT }, worker))
  await store.flush()
}

async function puts(store: MessageStore, ms: number): Promise<Round> {
  const times: number[] = []
  const started = performance.now()
  const worker = async (): Promise<void> => {
    for (let before = started; before - started < ms; ) {
      await store.put(messageOf(times.length))
      const now = performance.now()
      times.push(now - before)
      before = now
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return { rate: perSecond(times.length, performance.now() - started), times }
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[figures.length >> 1]!
}

/** Puts per second behind the backlog; the details have both, and how long one put takes. */
export const backlog: Case = async ({ plan, directory }) => {
  const open = (name: string): Promise<MessageStore> => {
    mkdirSync(join(directory, name))
    return MessageStore.open(join(directory, name))
  }
  const [full, empty] = [await open('full'), await open('empty')]
  try {
    await fill(full, plan.messages)
    const rounds: { full: Round; empty: Round }[] = []
    for (let i = 0; i < ROUNDS; i++) {
      // Each is first every other time: what a round leaves to the next one falls on both.
      const before = i % 2 === 0 ? await puts(empty, plan.roundMs) : undefined
      const behind = await puts(full, plan.roundMs)
      rounds.push({ full: behind, empty: before ?? (await puts(empty, plan.roundMs)) })
    }
    const [, ...counted] = rounds
    const at = (name: 'full' | 'empty', share: number): number => {
      const times = counted.flatMap((round) => round[name].times).sort((a, b) => a - b)
      return times[Math.floor(times.length * share)]!
    }
    const details = {
      backlog: plan.messages,
      emptyRate: median(counted.map((round) => round.empty.rate)),
      // Of neighbours, so that what else the machine does falls on both.
      medianShare: median(counted.map((round) => round.full.rate / round.empty.rate)),
      p50Ms: at('full', 0.5),
      p50EmptyMs: at('empty', 0.5),
      p99Ms: at('full', 0.99),
      p99EmptyMs: at('empty', 0.99),
    }
    return { rounds: counted.map((round) => round.full.rate), details }
  } finally {
    await full.close()
    await empty.close()
  }
}
