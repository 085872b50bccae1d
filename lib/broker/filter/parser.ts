/**
 * SQL filters read into syntax trees.
 *
 * Accepts what RocketMQ 5.3.3 accepts, with two differences. Text behind a complete filter is refused; only a
 * comment that no line ends may stand there. And length, depth and size are bounded, so that no text, however
 * hostile, takes much time or stack, here or when the tree is compiled and evaluated.
 */
import { shown } from '../../base/errors.js'
import type { BrokerError } from '../errors.js'
import { compareNumbers } from './compare.js'
import { checkFilterLength, filterFault } from './filter-fault.js'
import { parseJavaLong } from './java-number.js'
import { Lexer, type Token } from './lexer.js'
import { type FilterNumber, isCondition, type OrderOperator, type SearchPlace, type SyntaxNode } from './syntax.js'

/** How deep parentheses, and the tree that is made, may go. */
export const MOST_FILTER_DEPTH = 128
/** Nodes that the tree of a filter may have. */
export const MOST_FILTER_NODES = 4096
/** Signs and NOTs that may stand in a row. */
const MOST_PREFIXES = 128

const MAX_INT = 2n ** 31n - 1n
const orderOperators: ReadonlySet<string> = new Set<OrderOperator>(['<', '<=', '>', '>='])
const searchPlaces: ReadonlySet<string> = new Set<SearchPlace>(['CONTAINS', 'STARTSWITH', 'ENDSWITH'])

/** The tree of an SQL filter. @throws {BrokerError} FILTER_INVALID with the place of the fault */
export function parseSqlFilter(text: string): SyntaxNode {
  checkFilterLength('SQL', text)
  return new Parser(text).parse()
}

class Parser {
  readonly #text: string
  readonly #lexer: Lexer
  readonly #depths = new Map<SyntaxNode, number>()
  #token: Token
  #nesting = 0

  constructor(text: string) {
    this.#text = text
    this.#lexer = new Lexer(text)
    this.#token = this.#lexer.next()
  }

  parse(): SyntaxNode {
    const node = this.#condition(() => this.#or())
    if (this.#token.kind === 'end' || this.#text.startsWith('--', this.#token.at)) return node
    throw this.#fault('AND, OR, or the end of the filter, as text behind a complete filter is refused')
  }

  #or(): SyntaxNode {
    return this.#chain('or', () => this.#chain('and', () => this.#equality()))
  }

  #chain(kind: 'and' | 'or', readOperand: () => SyntaxNode): SyntaxNode {
    const { at } = this.#token
    const first = readOperand()
    if (!this.#isKeyword(kind.toUpperCase())) return first
    const operands = [this.#asCondition(first, at)]
    while (this.#takeKeyword(kind.toUpperCase())) operands.push(this.#condition(readOperand))
    return this.#made({ kind, operands }, ...operands)
  }

  #equality(): SyntaxNode {
    const { at } = this.#token
    let left = this.#comparison()
    for (;;) {
      const operator = this.#token
      if (this.#takeSymbol('=')) left = this.#equal(left, at)
      else if (this.#takeSymbol('<>')) left = this.#not(this.#equal(left, at))
      else if (this.#takeKeyword('IS')) left = this.#isNull(left)
      else return left
      this.#checkDepth(left, operator.at)
    }
  }

  #equal(left: SyntaxNode, leftAt: number): SyntaxNode {
    const { at } = this.#token
    const right = this.#comparison()
    this.#refuseNull(left, leftAt)
    this.#refuseNull(right, at)
    if (left.kind === 'truth' && right.kind === 'constant') {
      throw filterFault('SQL', at, 'no string and no number, as TRUE and FALSE equal none', 'a literal')
    }
    return this.#made({ kind: 'equal', left, right }, left, right)
  }

  #refuseNull(operand: SyntaxNode, at: number): void {
    if (operand.kind !== 'truth' || operand.value !== undefined) return
    throw filterFault('SQL', at, 'an operand that can be compared; IS NULL asks for what is missing', 'NULL')
  }

  #isNull(operand: SyntaxNode): SyntaxNode {
    const isNegated = this.#takeKeyword('NOT')
    if (!this.#takeKeyword('NULL')) throw this.#fault(isNegated ? 'NULL' : 'NULL or NOT NULL')
    const node = this.#made({ kind: 'isNull', operand }, operand)
    return isNegated ? this.#not(node) : node
  }

  #comparison(): SyntaxNode {
    const { at } = this.#token
    let left = this.#unary()
    for (;;) {
      const operator = this.#token
      const next = this.#comparedWith(left, at)
      if (next === undefined) return left
      left = next
      this.#checkDepth(left, operator.at)
    }
  }

  /** What an operator behind `left` makes of it; `undefined` when there is none. */
  #comparedWith(left: SyntaxNode, leftAt: number): SyntaxNode | undefined {
    const { kind, text } = this.#token
    if (kind === 'symbol' && orderOperators.has(text)) {
      this.#advance()
      const { at } = this.#token
      const right = this.#unary()
      return this.#order(text as OrderOperator, left, leftAt, right, at)
    }
    const isNegated = this.#takeKeyword('NOT')
    if (this.#token.kind === 'keyword' && searchPlaces.has(this.#token.text)) return this.#search(left, isNegated)
    if (this.#takeKeyword('BETWEEN')) return this.#between(left, leftAt, isNegated)
    if (this.#takeKeyword('IN')) return this.#in(left, leftAt, isNegated)
    if (isNegated) throw this.#fault('BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH')
    return undefined
  }

  #order(operator: OrderOperator, left: SyntaxNode, leftAt: number, right: SyntaxNode, rightAt: number): SyntaxNode {
    refuseOrdered(left, leftAt)
    refuseOrdered(right, rightAt)
    return this.#made({ kind: 'order', operator, left, right }, left, right)
  }

  #search(operand: SyntaxNode, isNegated: boolean): SyntaxNode {
    const place = this.#advance().text as SearchPlace
    const search = this.#string()
    return this.#made({ kind: 'search', place, operand, search, isNegated }, operand)
  }

  #between(value: SyntaxNode, valueAt: number, isNegated: boolean): SyntaxNode {
    const lowAt = this.#token.at
    const low = this.#unary()
    if (!this.#takeKeyword('AND')) throw this.#fault('AND and the upper bound of BETWEEN')
    const highAt = this.#token.at
    const high = this.#unary()
    const above = this.#order(isNegated ? '<' : '>=', value, valueAt, low, lowAt)
    const below = this.#order(isNegated ? '>' : '<=', value, valueAt, high, highAt)
    const [least, most] = [constantNumber(low), constantNumber(high)]
    if (!isNegated && least !== undefined && most !== undefined && compareNumbers(most, least) < 0) {
      throw filterFault('SQL', highAt, `an upper bound of at least ${least.value}`, String(most.value))
    }
    return this.#made({ kind: isNegated ? 'or' : 'and', operands: [above, below] }, above, below)
  }

  #in(left: SyntaxNode, leftAt: number, isNegated: boolean): SyntaxNode {
    if (left.kind !== 'property') throw filterFault('SQL', leftAt, 'the name of a property before IN', 'another operand')
    if (!this.#takeSymbol('(')) throw this.#fault('( and strings')
    const values = new Set([this.#string()])
    while (this.#takeSymbol(',')) values.add(this.#string())
    if (!this.#takeSymbol(')')) throw this.#fault('a comma or )')
    return this.#made({ kind: 'in', name: left.name, values, isNegated }, left)
  }

  /** Signs and NOTs, which bind tighter than any other operator, and what they stand before. */
  #unary(): SyntaxNode {
    const prefixes: Token[] = []
    while (this.#isKeyword('NOT') || this.#isSymbol('+') || this.#isSymbol('-')) {
      if (prefixes.length >= MOST_PREFIXES) throw this.#fault(`at most ${MOST_PREFIXES} signs in a row`)
      prefixes.push(this.#advance())
    }
    const { at } = this.#token
    let node = this.#primary()
    for (const { text } of prefixes.reverse()) {
      if (text === 'NOT') node = this.#not(this.#asCondition(node, at))
      else if (text === '-') node = this.#negative(node)
      this.#checkDepth(node, at)
    }
    return node
  }

  #negative(node: SyntaxNode): SyntaxNode {
    const number = node.kind === 'negative' ? node.value : constantNumber(node)
    if (number === undefined) return this.#made({ kind: 'negate', operand: node }, node)
    return this.#made({ kind: 'negative', value: negated(number) })
  }

  #primary(): SyntaxNode {
    const { kind, text, at } = this.#token
    if (kind === 'name') return this.#leaf({ kind: 'property', name: text })
    if (kind === 'string') return this.#leaf({ kind: 'constant', value: text })
    if (kind === 'integer') return this.#leaf({ kind: 'constant', value: integerOf(text, at) })
    if (kind === 'float') return this.#leaf({ kind: 'constant', value: doubleOf(text, at) })
    if (kind === 'keyword' && text === 'NULL') return this.#leaf({ kind: 'truth', value: undefined })
    if (kind === 'keyword' && (text === 'TRUE' || text === 'FALSE')) return this.#leaf({ kind: 'truth', value: text === 'TRUE' })
    if (!this.#isSymbol('(')) throw this.#fault('a name, a literal or (')
    if (++this.#nesting > MOST_FILTER_DEPTH) throw this.#fault(`at most ${MOST_FILTER_DEPTH} parentheses in one another`)
    this.#advance()
    const node = this.#or()
    if (!this.#takeSymbol(')')) throw this.#fault('an operator or )')
    this.#nesting--
    return node
  }

  #string(): string {
    if (this.#token.kind !== 'string') throw this.#fault('a string in single quotes')
    return this.#advance().text
  }

  #condition(read: () => SyntaxNode): SyntaxNode {
    const { at } = this.#token
    return this.#asCondition(read(), at)
  }

  #asCondition(node: SyntaxNode, at: number): SyntaxNode {
    if (isCondition(node) || node.kind === 'property') return node
    throw filterFault('SQL', at, 'a condition, which is true or false', 'a value')
  }

  #leaf(node: SyntaxNode): SyntaxNode {
    const made = this.#made(node)
    this.#advance()
    return made
  }

  #not(operand: SyntaxNode): SyntaxNode {
    return this.#made({ kind: 'not', operand }, operand)
  }

  #made(node: SyntaxNode, ...children: readonly SyntaxNode[]): SyntaxNode {
    if (this.#depths.size >= MOST_FILTER_NODES) throw this.#fault(`at most ${MOST_FILTER_NODES} operators and operands`)
    let below = 0
    for (const child of children) below = Math.max(below, this.#depths.get(child) ?? 0)
    this.#depths.set(node, below + 1)
    return node
  }

  #checkDepth(node: SyntaxNode, at: number): void {
    if ((this.#depths.get(node) ?? 0) <= MOST_FILTER_DEPTH) return
    throw filterFault('SQL', at, `at most ${MOST_FILTER_DEPTH} operators on top of one another`, 'more')
  }

  #isKeyword(text: string): boolean {
    return this.#token.kind === 'keyword' && this.#token.text === text
  }

  #isSymbol(text: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.text === text
  }

  #takeKeyword(text: string): boolean {
    if (!this.#isKeyword(text)) return false
    this.#advance()
    return true
  }

  #takeSymbol(text: string): boolean {
    if (!this.#isSymbol(text)) return false
    this.#advance()
    return true
  }

  #advance(): Token {
    const token = this.#token
    this.#token = this.#lexer.next()
    return token
  }

  #fault(expected: string): BrokerError {
    const { kind, text, at } = this.#token
    return filterFault('SQL', at, expected, kind === 'end' ? 'the end of the filter' : shown(text))
  }
}

/** Only what may be a number can be ordered: no string, no truth, no condition. */
function refuseOrdered(operand: SyntaxNode, at: number): void {
  if (!isCondition(operand) && !(operand.kind === 'constant' && typeof operand.value === 'string')) return
  throw filterFault('SQL', at, 'a number or the name of a property', 'an operand that has no order')
}

function constantNumber(node: SyntaxNode): FilterNumber | undefined {
  return node.kind === 'constant' && typeof node.value !== 'string' ? node.value : undefined
}

function negated(number: FilterNumber): FilterNumber {
  if (number.type === 'long') return { type: 'long', value: -number.value }
  return { type: number.type, value: number.type === 'int' ? 0 - number.value : -number.value }
}

function integerOf(text: string, at: number): FilterNumber {
  const value = parseJavaLong(text.replace(/[lL]$/, ''))
  if (value === undefined) throw filterFault('SQL', at, `a whole number of at most ${2n ** 63n - 1n}`, shown(text))
  return value <= MAX_INT ? { type: 'int', value: Number(value) } : { type: 'long', value }
}

function doubleOf(text: string, at: number): FilterNumber {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return { type: 'double', value }
  throw filterFault('SQL', at, `a number between ${Number.MIN_VALUE} and ${Number.MAX_VALUE}; write 0 for zero`, shown(text))
}
