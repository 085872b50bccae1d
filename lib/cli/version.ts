/** Which mqlite this is. */
import { fileURLToPath } from 'node:url'
import { nodeDisk } from '../disk/node-disk.js'
import { readWhole } from '../disk/replace.js'

/** The version of the package. */
export function packageVersion(): string {
  const bytes = readWhole(nodeDisk, fileURLToPath(new URL('../../package.json', import.meta.url)))
  return (JSON.parse(bytes?.toString('utf8') ?? '{}') as { version?: string }).version ?? 'unknown'
}
