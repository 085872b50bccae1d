/** What the check of a record found, in words for people. */
import { type Finding, findingName } from './record.js'

const WORDS: Readonly<Record<keyof typeof Finding, string>> = {
  unwritten: 'zeros',
  blank: 'a blank',
  size: 'an impossible length',
  magic: 'no known magic',
  lengths: 'lengths that do not add up',
  offset: 'a record of another address',
  bodyCrc: 'a body that does not match its CRC',
  recordCrc: 'a record that does not match its CRC',
  recordCrcMissing: 'a record without its CRC',
}

/** A finding in words, by its number or its name. */
export function findingWords(finding: number | string): string {
  const name = typeof finding === 'number' ? findingName(finding) : finding
  return WORDS[name as keyof typeof WORDS] ?? name
}
