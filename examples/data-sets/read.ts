/** Real data for the examples: files of the package `vega-datasets`, which does not export them by name. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The text of one of its files. */
export function dataSet(name: string): string {
  const entry = createRequire(import.meta.url).resolve('vega-datasets')
  return readFileSync(join(dirname(entry), '..', 'data', name), 'utf8')
}
