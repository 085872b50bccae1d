/** RocketMQ's own transactional client, in a process of its own, and what it told. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { cleanUp, type Scope } from './clean-up.js'
import { transactionClassPath } from './java-build.js'
import { temporary } from './ours.js'

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 120_000; performance.now() < end; ) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(`${what}: it does not come about within two minutes`)
}

/** RocketMQ's client, as `Transactions.java` runs it. */
export class JavaClient {
  readonly lines: string[] = []
  readonly #child: ChildProcess
  #errors = ''

  constructor(t: Scope, given: readonly string[]) {
    const home = temporary(t)
    const flags = ['-Xmx256m', '-XX:-UsePerfData', '-XX:TieredStopAtLevel=1', `-Duser.home=${home}`]
    this.#child = spawn('java', [...flags, '-cp', transactionClassPath(), 'Transactions', ...given])
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(line))
    this.#child.stderr!.on('data', (more) => (this.#errors = (this.#errors + String(more)).slice(-10_000)))
    cleanUp(t, () => this.kill())
  }

  /** What it told of one kind: the words after it. */
  told(what: string): string[][] {
    const words = this.lines.map((line) => line.split(' '))
    return words.filter(([first]) => first === what).map(([, ...rest]) => rest)
  }

  async ready(): Promise<void> {
    await until('the Java client', () => {
      assert.equal(this.#child.exitCode, null, this.#errors)
      return this.told('READY').length > 0
    })
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }
}
