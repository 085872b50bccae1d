/** Faults in filters. */
import type { Mutant } from './mutant.js'

const tests = ['broker/filter/sql-filter']

/** See the head of this file. */
export const filterMutants: readonly Mutant[] = [
  {
    fault: 'a fault to the left settles nothing',
    file: 'broker/filter/compile.ts',
    text: 'if (outcome === settling || outcome === FAULT) return outcome',
    replacement: 'if (outcome === settling) return outcome',
    tests,
  },
  {
    fault: 'AND and OR forget what is unknown',
    file: 'broker/filter/compile.ts',
    text: 'return isUnknown ? undefined : !settling',
    replacement: 'return !settling',
    tests,
  },
  {
    fault: 'an order looks at its right side when there is nothing on its left',
    file: 'broker/filter/compile.ts',
    text: 'if (leftValue === undefined || leftValue === FAULT) return leftValue',
    replacement: 'if (leftValue === FAULT) return leftValue',
    tests,
  },
  {
    fault: 'an empty text is found everywhere',
    file: 'broker/filter/compile.ts',
    text: "if (search === '') return () => false",
    replacement: '',
    tests,
  },
  {
    fault: 'a property that is inherited is there',
    file: 'broker/filter/compile.ts',
    text: 'Object.hasOwn(properties, node.name) ? properties[node.name] : undefined',
    replacement: 'properties[node.name]',
    tests,
  },
  {
    fault: 'nothing on the right is unknown',
    file: 'broker/filter/compare.ts',
    text: 'if (right === undefined) return false',
    replacement: 'if (right === undefined) return undefined',
    tests,
  },
  {
    fault: 'a whole number is compared as a double',
    file: 'broker/filter/compare.ts',
    text: "type === 'int' ? parseJavaInt(text)",
    replacement: "type === 'double' && text === '' ? parseJavaInt(text)",
    tests,
  },
  {
    fault: 'minus zero is zero',
    file: 'broker/filter/java-number.ts',
    text: 'if (left === right && left !== 0) return 0',
    replacement: 'if (left === right) return 0',
    tests,
  },
  {
    fault: 'a hexadecimal double is rounded down',
    file: 'broker/filter/java-number.ts',
    text: 'Number(quotient + (isUp ? 1n : 0n))',
    replacement: 'Number(quotient + (isUp ? 0n : 0n))',
    tests,
  },
  {
    fault: 'text behind a complete filter is ignored',
    file: 'broker/filter/parser.ts',
    text: "this.#token.kind === 'end' ||",
    replacement: "this.#token.kind !== 'string' ||",
    tests,
  },
  {
    fault: 'the upper bound of BETWEEN may be below the lower one',
    file: 'broker/filter/parser.ts',
    text: 'compareNumbers(most, least) < 0',
    replacement: 'compareNumbers(most, least) < -1',
    tests,
  },
  {
    fault: 'chains of operators may be of any depth',
    file: 'broker/filter/parser.ts',
    text: 'if ((this.#depths.get(node) ?? 0) <= MOST_FILTER_DEPTH) return',
    replacement: 'if ((this.#depths.get(node) ?? 0) >= 0) return',
    tests,
  },
  {
    fault: 'a line comment may end with the filter',
    file: 'broker/filter/lexer.ts',
    text: 'if (found !== null) this.#at = found.index + 1\n    return found !== null',
    replacement: 'this.#at = found === null ? this.#text.length : found.index + 1\n    return true',
    tests,
  },
  {
    fault: 'a text that is too long is kept',
    file: 'broker/filter/filter-fault.ts',
    text: 'if (text.length <= MOST_FILTER_LENGTH) return',
    replacement: 'if (text.length <= 1024 * MOST_FILTER_LENGTH) return',
    tests,
  },
  {
    fault: 'the tag * alone asks the store for everything',
    file: 'broker/filter/tag-filter.ts',
    text: 'tags: Object.freeze([...tags]),',
    replacement: "tags: [...tags].join(' || ') as '*',",
    tests: ['broker/filter/tag-filter'],
  },
]
