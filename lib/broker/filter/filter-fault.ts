/** How a wrong filter is told: where the fault stands, what could have stood there, and what does. */
import { shown } from '../../base/errors.js'
import { BrokerError } from '../errors.js'

/** UTF-16 units that the text of a filter may have. */
export const MOST_FILTER_LENGTH = 16_384

/**
 * The error for a wrong filter; `details` has `kind`, `position`, `expected` and `got`.
 *
 * @param position - index into the text, in UTF-16 units from 0
 */
export function filterFault(kind: 'tag' | 'SQL', position: number, expected: string, got: string): BrokerError {
  const what = `the ${kind} filter is wrong at position ${position}: expected ${expected}, got ${got}`
  return new BrokerError('FILTER_INVALID', what, { details: { kind, position, expected, got } })
}

/** @throws {BrokerError} FILTER_INVALID when the text is longer than a filter may be */
export function checkFilterLength(kind: 'tag' | 'SQL', text: string): void {
  if (text.length <= MOST_FILTER_LENGTH) return
  const expected = `at most ${MOST_FILTER_LENGTH} characters`
  throw filterFault(kind, MOST_FILTER_LENGTH, expected, `${text.length}: ${shown(text)}`)
}
