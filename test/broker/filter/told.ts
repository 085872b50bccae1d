/** What the compiled filter says, in the words of the table. */
import assert from 'node:assert/strict'
import { BrokerError } from '../../../lib/broker/errors.js'
import { FAULT } from '../../../lib/broker/filter/compare.js'
import { compileFilter } from '../../../lib/broker/filter/compile.js'
import { parseSqlFilter } from '../../../lib/broker/filter/parser.js'
import type { SyntaxNode } from '../../../lib/broker/filter/syntax.js'
import type { Told } from './sql-cases.js'

/** What the filter says of a message; anything but an outcome or FILTER_INVALID is thrown. */
export function told(filter: string, properties: Readonly<Record<string, string>>): Told {
  const tree = treeOf(filter)
  if (tree instanceof BrokerError) return 'invalid'
  const outcome = compileFilter(tree)(properties)
  if (outcome === FAULT) return 'fault'
  return outcome === undefined ? 'unknown' : outcome ? 'true' : 'false'
}

/** Where a filter that is refused has its fault, an index into it or its length. */
export function positionOfFault(filter: string): number {
  const error = treeOf(filter)
  assert.ok(error instanceof BrokerError, `${JSON.stringify(filter)} has no fault`)
  const position = error.details['position']
  assert.ok(typeof position === 'number' && position >= 0 && position <= filter.length, `position ${String(position)}`)
  assert.ok(error.message.includes(`at position ${position}: expected `), error.message)
  return position
}

function treeOf(filter: string): SyntaxNode | BrokerError {
  try {
    return parseSqlFilter(filter)
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'FILTER_INVALID') return error
    throw error
  }
}
