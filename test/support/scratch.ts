/** Directories of the tests: fresh, and gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs an action in a new directory and removes it, unless the action fails and `MQLITE_KEEP` is set. */
export async function inDirectory<Result>(name: string, action: (path: string) => Promise<Result>): Promise<Result> {
  const path = mkdtempSync(join(tmpdir(), `mqlite-${name}-`))
  let failed = true
  try {
    const result = await action(path)
    failed = false
    return result
  } finally {
    if (!failed || process.env['MQLITE_KEEP'] === undefined) rmSync(path, { recursive: true, force: true })
  }
}
