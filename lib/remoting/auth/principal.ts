/** Somebody who may send requests: what every kind of account answers. It never gives its secret away. */
import type { Command } from '../command.js'
import type { Need } from './needs.js'

/** See the head of this file. */
export interface Principal {
  /** Its name: what requests say they are signed by. */
  readonly accessKey: string
  /** Whether requests from an address need no signature, and nothing else. */
  trusts(address: string): boolean
  /** Whether a request is signed with its secret. */
  signed(command: Command): boolean
  /** Why it may not do what a request of a code needs, for the sender to read; `undefined` when it may. */
  refusal(need: Need, code: number, address: string): string | undefined
}
