/** What the demonstration claims, what it found, and whether that is the same. */
import { count, table } from './print.js'

interface Claim {
  readonly claim: string
  readonly expected: string
  readonly found: string
  readonly isProved: boolean
}

/** Gathers claims; `print` shows them and tells whether all hold. */
export class Proof {
  readonly #claims: Claim[] = []

  /** The found number must be the expected one. */
  equal(claim: string, expected: number, found: number): void {
    this.#claims.push({ claim, expected: count(expected), found: count(found), isProved: expected === found })
  }

  /** The found number must be at least the expected one. */
  atLeast(claim: string, least: number, found: number): void {
    this.#claims.push({ claim, expected: `${count(least)} or more`, found: count(found), isProved: found >= least })
  }

  /** Prints every claim. Returns whether all are proved. */
  print(): boolean {
    const rows = this.#claims.map(({ claim, expected, found, isProved }) => [
      claim,
      expected,
      found,
      isProved ? 'proved' : 'NOT PROVED',
    ])
    table(['claim', 'expected', 'found', ''], rows)
    return this.#claims.every(({ isProved }) => isProved)
  }
}
