/**
 * SQL filters once more, in the plainest way: the words of a text are split at the operator that binds least,
 * and the halves are split again, for each message anew. Values are boxed with the name of their Java class;
 * what Java throws is thrown. Shares nothing with `lib` and knows no limits.
 */

type Words = readonly string[]
type Box = {
  readonly is: 'Integer' | 'Long' | 'Double' | 'String' | 'Boolean'
  readonly as: string | number | bigint | boolean
} | null
type Shape = 'condition' | 'property' | 'number' | 'string' | 'TRUE' | 'NULL' | 'negation'
type Properties = Readonly<Record<string, string>>

class Refused extends Error {}
class Thrown extends Error {}

const WORD =
  /'(?:''|[^'])*'|[A-Za-z_$][\w$]*|\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[lL]?|<>|<=|>=|[<>=(),+-]/g
const BLANK = /'(?:''|[^'])*'|--.*\n|\/\*[\s\S]*?\*\//g
const levels: readonly (readonly string[])[] = [
  ['OR'],
  ['AND'],
  ['=', '<>', 'IS'],
  ['<', '<=', '>', '>=', 'CONTAINS', 'STARTSWITH', 'ENDSWITH', 'BETWEEN', 'IN'],
]

/** What comes of a filter whose grammar is sound. */
export function naive(filter: string, properties: Properties): 'true' | 'false' | 'unknown' | 'fault' | 'invalid' {
  const bare = filter.replace(BLANK, (found) => (found.startsWith("'") ? found : ' '))
  const words = (bare.match(WORD) ?? []).map((word) => (isKeyword(word) ? word.toUpperCase() : word))
  try {
    wantCondition(shapeOf(words))
    const box = conditionOf(words, properties)
    return box === null ? 'unknown' : box ? 'true' : 'false'
  } catch (error) {
    if (error instanceof Refused) return 'invalid'
    if (error instanceof Thrown) return 'fault'
    throw error
  }
}

function isKeyword(word: string): boolean {
  return /^(not|and|or|between|in|true|false|null|is|contains|startswith|endswith)$/i.test(word)
}

interface Split {
  readonly left: Words
  readonly operator: string
  readonly isNegated: boolean
  readonly right: Words
}

/** The last operator, outside parentheses, of the level that binds least. */
function split(words: Words): Split | undefined {
  for (const level of levels) {
    let depth = 0
    let betweens = 0
    let at = -1
    for (const [i, word] of words.entries()) {
      if (word === '(') depth++
      if (word === ')') depth--
      if (depth > 0) continue
      if (word === 'BETWEEN') betweens++
      if (word === 'AND' && betweens > 0) betweens--
      else if (level.includes(word)) at = i
    }
    if (at < 0) continue
    const isAfter = words[at] === 'IS' && words[at + 1] === 'NOT'
    const isBefore = words[at - 1] === 'NOT' && level === levels[3]
    const left = words.slice(0, isBefore ? at - 1 : at)
    return { left, operator: words[at]!, isNegated: isAfter || isBefore, right: words.slice(isAfter ? at + 2 : at + 1) }
  }
  return undefined
}

function bounds(right: Words): [Words, Words] {
  let depth = 0
  for (const [i, word] of right.entries()) {
    if (word === '(') depth++
    if (word === ')') depth--
    if (depth === 0 && word === 'AND') return [right.slice(0, i), right.slice(i + 1)]
  }
  throw new Error('BETWEEN without AND')
}

function shapeOf(words: Words): Shape {
  const found = split(words)
  if (found !== undefined) {
    check(found)
    return 'condition'
  }
  const [first = ''] = words
  if (first === 'NOT') {
    wantCondition(shapeOf(words.slice(1)))
    return 'condition'
  }
  if (first === '+') return shapeOf(words.slice(1))
  if (first === '-') {
    shapeOf(words.slice(1))
    return 'negation'
  }
  if (first === '(') return shapeOf(words.slice(1, -1))
  if (first === 'TRUE' || first === 'FALSE') return 'TRUE'
  if (first === 'NULL') return 'NULL'
  if (first.startsWith("'")) return 'string'
  if (!/^[\d.]/.test(first)) return 'property'
  numberOf(first)
  return 'number'
}

function check({ left, operator, isNegated, right }: Split): void {
  const leftShape = shapeOf(left)
  if (operator === 'IS' || ['CONTAINS', 'STARTSWITH', 'ENDSWITH'].includes(operator)) return
  if (operator === 'IN') want(leftShape === 'property')
  if (operator === 'IN') return
  if (operator === 'BETWEEN') {
    const [low, high] = bounds(right)
    const shapes = [leftShape, shapeOf(low), shapeOf(high)]
    want(shapes.every(isOrdered))
    if (!isNegated && shapes[1] === 'number' && shapes[2] === 'number') {
      want(compare(boxOf(high, {}), boxOf(low, {})) >= 0)
    }
    return
  }
  const rightShape = shapeOf(right)
  if (operator === 'AND' || operator === 'OR') {
    wantCondition(leftShape)
    wantCondition(rightShape)
  } else if (operator === '=' || operator === '<>') {
    want(leftShape !== 'NULL' && rightShape !== 'NULL')
    want(!(leftShape === 'TRUE' && (rightShape === 'string' || rightShape === 'number')))
  } else want(isOrdered(leftShape) && isOrdered(rightShape))
}

function isOrdered(shape: Shape): boolean {
  return shape === 'property' || shape === 'number' || shape === 'negation'
}

function wantCondition(shape: Shape): void {
  want(shape === 'condition' || shape === 'property' || shape === 'TRUE' || shape === 'NULL')
}

function want(isSo: boolean): void {
  if (!isSo) throw new Refused()
}

/** A condition: a property that is there stands for false. */
function conditionOf(words: Words, properties: Properties): boolean | null {
  const box = boxOf(words, properties)
  if (box === null) return null
  return box.is === 'Boolean' && box.as === true
}

function truth(is: boolean | null): Box {
  return is === null ? null : { is: 'Boolean', as: is }
}

function boxOf(words: Words, properties: Properties): Box {
  const found = split(words)
  if (found !== undefined) return truth(operationOf(found, properties))
  const [first = ''] = words
  const rest = words.slice(1)
  if (first === 'NOT') {
    const is = conditionOf(rest, properties)
    return truth(is === null ? null : !is)
  }
  if (first === '+') return boxOf(rest, properties)
  if (first === '-') return opposite(boxOf(rest, properties))
  if (first === '(') return boxOf(words.slice(1, -1), properties)
  if (first === 'NULL') return null
  if (first === 'TRUE' || first === 'FALSE') return truth(first === 'TRUE')
  if (first.startsWith("'")) return { is: 'String', as: first.slice(1, -1).replaceAll("''", "'") }
  if (/^[\d.]/.test(first)) return numberOf(first)
  return Object.hasOwn(properties, first) ? { is: 'String', as: properties[first]! } : null
}

function opposite(box: Box): Box {
  if (box === null || box.is === 'String' || box.is === 'Boolean') return null
  return typeof box.as === 'bigint' ? { is: 'Long', as: -box.as } : { is: box.is, as: 0 - (box.as as number) }
}

function numberOf(word: string): Box {
  if (/[.eE]/.test(word)) {
    const as = Number(word)
    want(as > 0 && as < Number.POSITIVE_INFINITY)
    return { is: 'Double', as }
  }
  const as = BigInt(word.replace(/[lL]/, ''))
  want(as < 2n ** 63n)
  return as < 2n ** 31n ? { is: 'Integer', as: Number(as) } : { is: 'Long', as }
}

function operationOf({ left, operator, isNegated, right }: Split, properties: Properties): boolean | null {
  if (operator === 'AND' || operator === 'OR') return logic(operator === 'OR', left, right, properties)
  if (operator === 'BETWEEN') {
    const [low, high] = bounds(right)
    const ends = isNegated ? (['<', '>'] as const) : (['>=', '<='] as const)
    const first = order(ends[0], left, low, properties)
    if (first === isNegated) return first
    const second = order(ends[1], left, high, properties)
    if (second === isNegated) return second
    return first === null || second === null ? null : !isNegated
  }
  if (['<', '<=', '>', '>='].includes(operator)) return order(operator, left, right, properties)
  if (operator === 'IS') return (boxOf(left, properties) === null) !== isNegated
  if (operator === 'IN') {
    const box = boxOf(left, properties)
    return box === null ? null : right.some((word) => word.startsWith("'") && boxOf([word], {})?.as === box.as) !== isNegated
  }
  if (operator === '=' || operator === '<>') {
    const is = equal(boxOf(left, properties), boxOf(right, properties))
    return is === null ? null : is === (operator === '=')
  }
  return search(operator, left, String(boxOf(right, {})?.as), isNegated, properties)
}

function search(operator: string, left: Words, sought: string, isNegated: boolean, properties: Properties): boolean {
  if (sought === '') return false
  const box = boxOf(left, properties)
  if (box?.is !== 'String') return false
  const text = String(box.as)
  const at = operator === 'ENDSWITH' ? text.lastIndexOf(sought) : text.indexOf(sought)
  const isIn = at >= 0 && (operator === 'CONTAINS' || at === (operator === 'STARTSWITH' ? 0 : text.length - sought.length))
  return isIn !== isNegated
}

function logic(settles: boolean, left: Words, right: Words, properties: Properties): boolean | null {
  const first = conditionOf(left, properties)
  if (first === settles) return settles
  const second = conditionOf(right, properties)
  if (second === settles) return settles
  return first === null || second === null ? null : !settles
}

function equal(left: Box, right: Box): boolean | null {
  if (left === null) return right === null ? true : null
  if (right === null) return false
  if (left.is === right.is && Object.is(left.as, right.as)) return true
  return compare(left, right) === 0
}

function order(operator: string, left: Words, right: Words, properties: Properties): boolean | null {
  const first = boxOf(left, properties)
  if (first === null) return null
  const second = boxOf(right, properties)
  if (second === null) return null
  const areTexts = first.is === 'String' && second.is === 'String'
  const order = areTexts ? compare(unbox('Double', first), unbox('Double', second)) : compare(first, second)
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

/** As RocketMQ: of two classes the wider one, of a string and another class the other one. */
function compare(left: Box, right: Box): number {
  if (left === null || right === null) throw new Error('nothing to compare')
  if (left.is === right.is) return inOrder(left.as, right.as)
  if (left.is === 'Boolean') {
    if (right.is === 'String') throw new Thrown()
    return -1
  }
  if (right.is === 'Boolean') return left.is === 'String' ? inOrder(/^true$/i.test(String(left.as)), right.as) : -1
  if (left.is === 'String') return compare(unbox(right.is, left), right)
  if (right.is === 'String') return compare(left, unbox(left.is, right))
  if (left.is === 'Double' || right.is === 'Double') return inOrder(Number(left.as), Number(right.as))
  return inOrder(BigInt(left.as), BigInt(right.as))
}

function inOrder<T extends string | number | bigint | boolean>(left: T, right: T): number {
  if (Object.is(left, right)) return 0
  if (Number.isNaN(left)) return 1
  if (Number.isNaN(right)) return -1
  if (Object.is(left, -0) && right === 0) return -1
  if (Object.is(right, -0) && left === 0) return 1
  return left < right ? -1 : left > right ? 1 : 0
}

/** A string as a number. The digits of other scripts and hexadecimal doubles are left out. */
function unbox(is: 'Integer' | 'Long' | 'Double' | 'String', box: { readonly as: unknown }): Box {
  const text = String(box.as)
  if (is === 'Double') {
    const number =
      /^[\0- ]*([+-]?(?:NaN|Infinity))[\0- ]*$|^[\0- ]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?[\0- ]*$/.exec(text)
    if (number === null) throw new Thrown()
    return { is, as: Number(number[1] ?? number[2]) }
  }
  if (!/^[+-]?[0-9]+$/.test(text)) throw new Thrown()
  const value = BigInt(text.replace(/^\+/, ''))
  const limit = is === 'Integer' ? 2n ** 31n : 2n ** 63n
  if (value >= limit || value < -limit) throw new Thrown()
  return is === 'Integer' ? { is, as: Number(value) } : { is, as: value }
}
