/**
 * Syntax trees made into functions of a message's properties.
 *
 * Each node becomes one closure, once. What is evaluated, and in which order, is what RocketMQ evaluates: a
 * fault counts only where something looks at it. Trees are bounded in depth by the parser, so are the calls.
 */
import { invariant } from '../../base/errors.js'
import { equalOutcome, FAULT, type Outcome, orderOutcome, type Value } from './compare.js'
import type { LogicNode, NegateNode, NotNode, SearchNode, SyntaxNode } from './syntax.js'

/** The properties of a message. Only own ones are read. */
export type FilterProperties = Readonly<Record<string, string>>

/** A condition, compiled. */
export type Condition = (properties: FilterProperties) => Outcome

type Operand = (properties: FilterProperties) => Value | typeof FAULT

/** The function that tells whether a message passes: it does when the outcome is true. */
export function compileFilter(tree: SyntaxNode): Condition {
  return conditionOf(tree)
}

function conditionOf(node: SyntaxNode): Condition {
  switch (node.kind) {
    case 'truth':
      return () => node.value
    case 'property':
      return (properties) => (Object.hasOwn(properties, node.name) ? false : undefined)
    case 'not':
      return notOf(node)
    case 'and':
    case 'or':
      return logicOf(node)
    case 'equal':
      return comparisonOf(node.left, node.right, equalOutcome)
    case 'isNull': {
      const operand = operandOf(node.operand)
      return (properties) => {
        const value = operand(properties)
        return value === FAULT ? FAULT : value === undefined
      }
    }
    case 'order': {
      const { operator } = node
      return orderOf(operandOf(node.left), operandOf(node.right), (left, right) => orderOutcome(operator, left, right))
    }
    case 'in': {
      const { name, values, isNegated } = node
      return (properties) => (Object.hasOwn(properties, name) ? values.has(properties[name]!) !== isNegated : undefined)
    }
    case 'search':
      return searchOf(node)
    default:
      invariant(false, `a condition, got ${node.kind}`)
  }
}

function operandOf(node: SyntaxNode): Operand {
  switch (node.kind) {
    case 'constant':
    case 'negative':
      return () => node.value
    case 'property':
      return (properties) => (Object.hasOwn(properties, node.name) ? properties[node.name] : undefined)
    case 'negate':
      return negateOf(node)
    default:
      return conditionOf(node)
  }
}

/** Only constants are numbers, and the parser has negated those. */
function negateOf({ operand }: NegateNode): Operand {
  const evaluate = operandOf(operand)
  return (properties) => (evaluate(properties) === FAULT ? FAULT : undefined)
}

function notOf({ operand }: NotNode): Condition {
  const condition = conditionOf(operand)
  return (properties) => {
    const outcome = condition(properties)
    return typeof outcome === 'boolean' ? !outcome : outcome
  }
}

/** One false settles AND, one true settles OR; if none does, one unknown makes it unknown. */
function logicOf({ kind, operands }: LogicNode): Condition {
  const conditions = operands.map(conditionOf)
  const settling = kind === 'or'
  return (properties) => {
    let isUnknown = false
    for (const condition of conditions) {
      const outcome = condition(properties)
      if (outcome === settling || outcome === FAULT) return outcome
      if (outcome === undefined) isUnknown = true
    }
    return isUnknown ? undefined : !settling
  }
}

function comparisonOf(left: SyntaxNode, right: SyntaxNode, compare: (left: Value, right: Value) => Outcome): Condition {
  const [leftOperand, rightOperand] = [operandOf(left), operandOf(right)]
  return (properties) => {
    const leftValue = leftOperand(properties)
    if (leftValue === FAULT) return FAULT
    const rightValue = rightOperand(properties)
    return rightValue === FAULT ? FAULT : compare(leftValue, rightValue)
  }
}

/** Other than equality, an order does not look at its right side when there is nothing on its left. */
function orderOf(left: Operand, right: Operand, compare: (left: Value, right: Value) => Outcome): Condition {
  return (properties) => {
    const leftValue = left(properties)
    if (leftValue === undefined || leftValue === FAULT) return leftValue
    const rightValue = right(properties)
    return rightValue === FAULT ? FAULT : compare(leftValue, rightValue)
  }
}

/** An empty text is found nowhere, nor is it missed anywhere; the same holds of what is no string. */
function searchOf({ place, operand, search, isNegated }: SearchNode): Condition {
  if (search === '') return () => false
  const evaluate = operandOf(operand)
  return (properties) => {
    const value = evaluate(properties)
    if (value === FAULT) return FAULT
    return typeof value === 'string' && isFound(place, value, search) !== isNegated
  }
}

function isFound(place: SearchNode['place'], text: string, search: string): boolean {
  if (place === 'CONTAINS') return text.includes(search)
  return place === 'STARTSWITH' ? text.startsWith(search) : text.endsWith(search)
}
