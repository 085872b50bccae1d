/** A client of RocketMQ that sends and pulls with one key after the other, and what comes of it. */
import type { TestContext } from 'node:test'
import { runClient } from './java-servers.js'

/** The topic that is sent to. */
export const TOPIC = 'signed'
/** The group that pulls. */
export const GROUP = 'signed_group'
/** The broker, by name. */
export const BROKER = 'mqlite'

/** Who sends, as the client is told: `key:secret`, or `-` for who does not sign; whether it may send, and pull. */
export type Sender = readonly [sender: string, send: boolean, pull: boolean]

/** One thing that somebody tried. */
export interface Deed {
  readonly who: string
  readonly deed: string
  readonly isDone: boolean
  /** What was said to it. */
  readonly said: string
}

/** Runs the client. Its lines are: who, what, whether it was done, and what was said. */
export async function runSigned(
  t: TestContext,
  release: Parameters<typeof runClient>[1],
  names: string,
  senders: readonly Sender[],
): Promise<{ readonly output: string; readonly deeds: readonly Deed[] }> {
  const sent = senders.filter(([, send]) => send).length
  const line = [names, TOPIC, BROKER, GROUP, String(sent), ...senders.map(([sender]) => sender)]
  const output = await runClient(t, release, 'Signed', line)
  const deeds = output
    .split('\n')
    .filter((one) => one.startsWith('OUTCOME '))
    .map((one) => {
      const [, who, deed, outcome, ...said] = one.trim().split(' ')
      return { who: who!, deed: deed!, isDone: outcome === 'done', said: said.join(' ') }
    })
  return { output, deeds }
}

/** What the senders should have done: the last one, who may do everything, consumes as well. */
export function dueDeeds(senders: readonly Sender[]): Omit<Deed, 'said'>[] {
  const due = senders.flatMap(([sender, send, pull]) => {
    const who = sender.split(':')[0]!
    return [
      { who, deed: 'send', isDone: send },
      { who, deed: 'pull', isDone: pull },
    ]
  })
  return [...due, { who: due.at(-1)!.who, deed: 'consume', isDone: true }]
}

/** Deeds without what was said. */
export function plainDeeds(deeds: readonly Deed[]): Omit<Deed, 'said'>[] {
  return deeds.map(({ who, deed, isDone }) => ({ who, deed, isDone }))
}
