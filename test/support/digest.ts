/** Tells whether a single byte of a directory has changed. */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A hash of the names, kinds, modes, inodes, times of change and contents of everything below a directory. */
export function digestOf(root: string): string {
  const hash = createHash('sha256')
  const walk = (path: string): void => {
    const stat = lstatSync(path)
    hash.update(`${path.slice(root.length)} ${stat.mode} ${stat.size} ${stat.mtimeMs} ${stat.ino}\n`)
    if (stat.isDirectory()) for (const name of readdirSync(path).sort()) walk(`${path}/${name}`)
    else if (stat.isSymbolicLink()) hash.update(readlinkSync(path))
    // Closing the file that Java locks would drop a lock that this process holds on it.
    else if (stat.isFile() && path !== `${root}/lock`) hash.update(readFileSync(path))
  }
  walk(root)
  return hash.digest('hex')
}
