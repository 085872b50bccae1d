/**
 * The words of an SQL filter, one at a time.
 *
 * Words are read when they are asked for, so that text behind the end of a filter is told as such, whatever
 * it is. As in RocketMQ the longest word wins (`007` is `0`, `0` and `7`), letters are those of ASCII, and two
 * dashes begin a comment only if a line ends behind them; otherwise they are two signs.
 */
import { shown } from '../../base/errors.js'
import { filterFault } from './filter-fault.js'

/** What a word is. */
export type TokenKind = 'name' | 'keyword' | 'string' | 'integer' | 'float' | 'symbol' | 'end'

/** A word of a filter. */
export interface Token {
  /** What it is. */
  readonly kind: TokenKind
  /** The word; a keyword in capitals, a string without quotes, empty at the end. */
  readonly text: string
  /** Where it begins in the filter. */
  readonly at: number
}

const keywords: ReadonlySet<string> = new Set('NOT AND OR BETWEEN IN TRUE FALSE NULL IS CONTAINS STARTSWITH ENDSWITH'.split(' '))
const NAME = /[A-Za-z_$][A-Za-z0-9_$]*/y
const FLOAT = /\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+/y
const INTEGER = /0|[1-9]\d*[lL]?/y
const SYMBOL = /<>|<=|>=|[<>=(),+-]/y
const LINE_END = /[\n\r]/g

/** Reads the words of one filter. */
export class Lexer {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** The next word. @throws {BrokerError} FILTER_INVALID when there can be none */
  next(): Token {
    this.#skipBlank()
    const at = this.#at
    if (at >= this.#text.length) return { kind: 'end', text: '', at }
    if (this.#text[at] === "'") return this.#string(at)
    const name = this.#match(NAME)
    if (name !== undefined) {
      const upper = name.toUpperCase()
      return keywords.has(upper) ? { kind: 'keyword', text: upper, at } : { kind: 'name', text: name, at }
    }
    const float = this.#match(FLOAT)
    if (float !== undefined) return { kind: 'float', text: float, at }
    const integer = this.#match(INTEGER)
    if (integer !== undefined) return { kind: 'integer', text: integer, at }
    const symbol = this.#match(SYMBOL)
    if (symbol !== undefined) return { kind: 'symbol', text: symbol, at }
    throw filterFault('SQL', at, 'a name, a literal or an operator', shown(String.fromCodePoint(this.#text.codePointAt(at)!)))
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    if (found !== undefined) this.#at += found.length
    return found
  }

  #string(at: number): Token {
    let end = this.#text.indexOf("'", at + 1)
    while (end >= 0 && this.#text[end + 1] === "'") end = this.#text.indexOf("'", end + 2)
    if (end < 0) throw filterFault('SQL', at, 'a quote that ends the string', 'the end of the filter')
    this.#at = end + 1
    return { kind: 'string', text: this.#text.slice(at + 1, end).replaceAll("''", "'"), at }
  }

  #skipBlank(): void {
    for (;;) {
      const char = this.#text[this.#at]
      if (char === ' ' || char === '\t' || char === '\n' || char === '\r' || char === '\f') this.#at++
      else if (!(char === '-' && this.#skipLineComment()) && !(char === '/' && this.#skipBlockComment())) return
    }
  }

  #skipLineComment(): boolean {
    if (this.#text[this.#at + 1] !== '-') return false
    LINE_END.lastIndex = this.#at
    const found = LINE_END.exec(this.#text)
    if (found !== null) this.#at = found.index + 1
    return found !== null
  }

  #skipBlockComment(): boolean {
    if (this.#text[this.#at + 1] !== '*') return false
    const end = this.#text.indexOf('*/', this.#at + 2)
    if (end < 0) throw filterFault('SQL', this.#at, '*/ that ends the comment', 'the end of the filter')
    this.#at = end + 2
    return true
  }
}
