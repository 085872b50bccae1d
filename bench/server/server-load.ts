/**
 * Servers under the load of RocketMQ's own Java client. One turn of a server measures everything at once: it starts
 * with an empty directory, gets each kind of load with the one length of bodies and then the other, and ends.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { javaLine } from '../java.js'
import type { Bed } from '../run-case.js'
import type { Outcome } from '../workload.js'
import { type RunningServer, startMqlite, startRocketMq } from './servers.js'

/** Lengths of bodies. */
export const LENGTHS = [128, 1024] as const

/** Kinds of load, as `ServerLoad` names them. */
export const LOADS = ['sync-1', 'sync-32', 'async', 'batch-32', 'push', 'latency'] as const

/** What one kind of load told. */
interface Told {
  rounds: number[]
  cpuMs: number
  messages: number
}

const starts = { mqlite: startMqlite, java: startRocketMq } as const
const results = new WeakMap<Bed, Map<string, Outcome[]>>()

/** The outcome of one kind of load in a turn that no row has had yet; runs the turn if need be. */
export async function underLoad(bed: Bed, column: keyof typeof starts, name: string): Promise<Outcome> {
  const all = results.get(bed) ?? new Map<string, Outcome[]>()
  results.set(bed, all)
  const key = `${column} ${name}`
  if ((all.get(key)?.length ?? 0) === 0) {
    for (const [kind, outcome] of await turn(bed, column)) {
      const known = `${column} ${kind}`
      all.set(known, [...(all.get(known) ?? []), outcome])
    }
  }
  const outcome = all.get(key)?.shift()
  if (outcome === undefined) throw new Error(`the load ${name} was not measured`)
  return outcome
}

async function turn(bed: Bed, column: keyof typeof starts): Promise<Map<string, Outcome>> {
  const directory = bed.empty(column)
  const server = await starts[column](directory)
  const outcomes = new Map<string, Outcome>()
  try {
    const idle = server.broker.memory()
    for (const bytes of LENGTHS) {
      for (const [kind, { rounds, cpuMs, messages }] of await load(bed, server, bytes)) {
        outcomes.set(`${kind} ${bytes}`, { rounds })
        // Of the broker's process, in microseconds: what others do on the machine counts less here than in any rate.
        if (messages > 0) outcomes.set(`cpu ${kind} ${bytes}`, { rounds: [Math.round((cpuMs * 10_000) / messages) / 10] })
      }
    }
    const { residentMiB, anonymousMiB } = server.broker.memory()
    outcomes.set('resident', { rounds: [residentMiB], details: { idle: idle.residentMiB } })
    outcomes.set('anonymous', { rounds: [anonymousMiB], details: { idle: idle.anonymousMiB } })
    outcomes.set('start', { rounds: [Math.round(server.startMs)] })
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  return outcomes
}

async function load(bed: Bed, { nameServer, broker }: RunningServer, bytes: number): Promise<Map<string, Told>> {
  const home = bed.empty('client')
  const { rounds, roundMs, loads = LOADS } = bed.plan
  const given = [nameServer, rounds, roundMs, bytes, loads.join(',')].map(String)
  const client = spawn('java', javaLine(home, 'mqlite.bench.ServerLoad', given, ['-Xmx512m']), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(client, 'exit')
  const all = new Map<string, Told>()
  const toldOf = (kind: string): Told => {
    const told = all.get(kind) ?? { rounds: [], cpuMs: 0, messages: 0 }
    all.set(kind, told)
    return told
  }
  let cpuMs = 0
  for await (const line of createInterface({ input: client.stdout })) {
    const [word, kind = '', ...figures] = line.split(' ')
    if (word === 'START') cpuMs = broker.cpuMs()
    else if (word === 'ROUND') {
      const told = toldOf(kind)
      told.cpuMs += broker.cpuMs() - cpuMs
      told.messages += Number(figures[0])
    } else if (word === 'RESULT') toldOf(kind).rounds = figures.map((text) => Math.round(Number(text) * 100) / 100)
  }
  const [code] = (await ended) as [number | null]
  rmSync(home, { recursive: true, force: true })
  if (code !== 0) throw new Error(`the load ended with ${code}: ${broker.complaints}`)
  return all
}
