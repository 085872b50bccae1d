/**
 * Watches the file that says who may do what, as RocketMQ does: once it has changed, and is the same at two looks, it is
 * read. A file that cannot be is told of once, and what was in force stays so.
 */
import type { Timer, Timers } from '../base/system.js'
import { versionOf } from '../disk/node-disk.js'
import type { AuthSettings } from '../remoting/auth/settings.js'
import type { Log } from './log.js'
import { readAclFile } from './serve-auth.js'

/** Milliseconds between two looks. */
const LOOK_MS = 1000

/** What watching needs. */
export interface AclWatchOptions {
  readonly path: string
  /** What is in force. */
  readonly first: AuthSettings
  readonly apply: (changed: AuthSettings) => void
  readonly log: Pick<Log, 'tell'>
  readonly timers: Timers
}

/** See the head of this file. */
export class AclWatch {
  readonly #options: AclWatchOptions
  /** What is in force, as text. */
  #inForce: string
  /** The version that was read last: none, since the file may have changed after it was read for the start. */
  #read: string | undefined
  #seen: string | undefined
  #timer: Timer

  constructor(options: AclWatchOptions) {
    this.#options = options
    this.#inForce = JSON.stringify(options.first)
    this.#timer = this.#lookLater()
  }

  /** Looks no more. */
  stop(): void {
    this.#timer.cancel()
  }

  #lookLater(): Timer {
    return this.#options.timers.after(LOOK_MS, () => {
      this.#look()
      this.#timer = this.#lookLater()
    })
  }

  #look(): void {
    const { path } = this.#options
    const version = versionOf(path) ?? 'none'
    // Whoever is writing it just now is not interrupted in the middle.
    const isStill = version === this.#seen
    this.#seen = version
    if (!isStill || version === this.#read) return
    this.#read = version
    this.#readFile()
  }

  #readFile(): void {
    const { path, apply, log } = this.#options
    try {
      const changed = readAclFile(path)
      const text = JSON.stringify(changed)
      if (text === this.#inForce) return
      apply(changed)
      this.#inForce = text
      const { accounts = [], users = [] } = changed
      log.tell('info', 'the ACL file was read anew', { accounts: accounts.length, users: users.length })
    } catch (error) {
      // What the system says of a file that goes away meanwhile names the file alone.
      log.tell('error', 'the ACL file cannot be used: what was in force stays so', { problem: (error as Error).message })
    }
  }
}
