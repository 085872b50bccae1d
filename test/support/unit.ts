/**
 * One process of a tier: the test files that `test/run.js` gave it, each as a suite of its name, one after the other.
 *
 * Node's runner does not notice when a process ends by itself before its tests are through, so the last of all hooks
 * notes that they are; and what the process used of the processor, with all that it started, is noted as it ends.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { after, describe } from 'node:test'

/** What a process leaves for `test/run.js`. */
export interface UnitReport {
  /** Whether all tests came to their end, well or not. */
  readonly isThrough: boolean
  /** Seconds of the processor, those of its children included where the system tells. */
  readonly cpuSeconds: number
}

/** Runs test files. @param names - as in `store/put`. @param report - the file to leave the report in */
export function runUnit(names: readonly string[], report: string): void {
  let isThrough = false
  for (const name of names) {
    describe(name, async () => {
      await import(new URL(`../${name}.test.js`, import.meta.url).href)
    })
  }
  after(() => {
    isThrough = true
  })
  process.once('exit', () => writeFileSync(report, JSON.stringify({ isThrough, cpuSeconds: cpuSeconds() } satisfies UnitReport)))
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6 + childrensSeconds()
}

/** The system counts hundredths of a second of the children that have ended, and of theirs. */
function childrensSeconds(): number {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(14, 16).map(Number)
    return (user + system) / 100
  } catch {
    return 0
  }
}
