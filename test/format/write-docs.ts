/** Makes the generated parts of `docs/format.md` anew: `node build/test/format/write-docs.js`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fillDocument } from '../support/format-docs.js'

process.env['TZ'] = 'UTC'
const path = new URL('../../../docs/format.md', import.meta.url)
writeFileSync(path, await fillDocument(readFileSync(path, 'utf8')))
