/**
 * What an SQL filter says, as a tree.
 *
 * The tree holds only what can be evaluated: `BETWEEN` is two comparisons, `<>` a negated equality, and what
 * RocketMQ refuses when it reads a filter never becomes a node. Chains of `AND` and `OR` are one node, so that
 * the depth of a tree does not grow with their length.
 */

/** A number in a filter, with the Java type that decides how properties are read to be compared with it. */
export type FilterNumber =
  | { readonly type: 'int' | 'double'; readonly value: number }
  | { readonly type: 'long'; readonly value: bigint }

/** How two numbers are compared. */
export type OrderOperator = '<' | '<=' | '>' | '>='

/** Where a text is looked for in another. */
export type SearchPlace = 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH'

/** A literal that is no condition. */
export interface ConstantNode {
  readonly kind: 'constant'
  readonly value: string | FilterNumber
}

/** `TRUE`, `FALSE`, and `NULL` as `undefined`. */
export interface TruthNode {
  readonly kind: 'truth'
  readonly value: boolean | undefined
}

/** The property of a name; as a condition false when it is there and unknown when it is not. */
export interface PropertyNode {
  readonly kind: 'property'
  readonly name: string
}

/** The negative of a number that is no constant: there is none, so it is null, but its operand is evaluated. */
export interface NegateNode {
  readonly kind: 'negate'
  readonly operand: SyntaxNode
}

/** A negated constant. RocketMQ's checks of constants do not reach it. */
export interface NegativeNode {
  readonly kind: 'negative'
  readonly value: FilterNumber
}

/** The opposite of a condition. */
export interface NotNode {
  readonly kind: 'not'
  readonly operand: SyntaxNode
}

/** Two or more conditions, from left to right. */
export interface LogicNode {
  readonly kind: 'and' | 'or'
  readonly operands: readonly SyntaxNode[]
}

/** Whether two values are the same, after reading a string as what the other side is. */
export interface EqualNode {
  readonly kind: 'equal'
  readonly left: SyntaxNode
  readonly right: SyntaxNode
}

/** Whether there is no value. */
export interface IsNullNode {
  readonly kind: 'isNull'
  readonly operand: SyntaxNode
}

/** How two numbers stand to one another. */
export interface OrderNode {
  readonly kind: 'order'
  readonly operator: OrderOperator
  readonly left: SyntaxNode
  readonly right: SyntaxNode
}

/** Whether a property is one of some strings. */
export interface InNode {
  readonly kind: 'in'
  readonly name: string
  readonly values: ReadonlySet<string>
  readonly isNegated: boolean
}

/** Whether a string has another in it. */
export interface SearchNode {
  readonly kind: 'search'
  readonly place: SearchPlace
  readonly operand: SyntaxNode
  readonly search: string
  readonly isNegated: boolean
}

/** A node that is true, false or unknown. */
export type ConditionNode = TruthNode | NotNode | LogicNode | EqualNode | IsNullNode | OrderNode | InNode | SearchNode

/** Any node. */
export type SyntaxNode = ConstantNode | PropertyNode | NegateNode | NegativeNode | ConditionNode

/** Whether a node is a condition by itself; a property can stand for one, see {@link PropertyNode}. */
export function isCondition(node: SyntaxNode): node is ConditionNode {
  return node.kind !== 'constant' && node.kind !== 'property' && node.kind !== 'negate' && node.kind !== 'negative'
}
