/** Files and functions stay small enough to be read in one go. Limits, not aims: split by idea before they are met. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lineOf, linesOf, readSources, type Source, SyntaxKind, walk } from '../support/source-tree.js'

const MOST_FILE_LINES = 400
const MOST_FUNCTION_LINES = 60
const MOST_MEDIAN_LINES = 200
const MOST_P95_LINES = 40
/** Code is held to it by the formatter, which lets comments be. */
const MOST_COLUMNS = 130

const functionKinds = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
])

const sources = readSources()
const inLib = ({ path }: Source): boolean => path.startsWith('lib/')

function lengthOf({ text }: Source): number {
  return text.split('\n').length - 1
}

/** Every function of a file, the callbacks that only frame a suite left out: they are lists of tests. */
function functionsOf(source: Source): { where: string; lines: number }[] {
  const found: { where: string; lines: number }[] = []
  const frames = new Set<unknown>()
  walk(source.tree, (node) => {
    if (node.kind === SyntaxKind.CallExpression) {
      const { expression, arguments: args } = node as unknown as { expression: { text?: string }; arguments: readonly unknown[] }
      if (expression.text === 'describe') for (const argument of args) frames.add(argument)
    }
    if (!functionKinds.has(node.kind) || frames.has(node)) return
    found.push({ where: `${source.path}:${lineOf(source, node.getStart(source.tree))}`, lines: linesOf(source, node) })
  })
  return found
}

/** The value that a share of the numbers does not pass. */
function quantile(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) * share)]!
}

describe('sizes', () => {
  test(`no file is longer than ${MOST_FILE_LINES} lines`, () => {
    const long = sources
      .filter((source) => lengthOf(source) > MOST_FILE_LINES)
      .map((source) => `${source.path}: ${lengthOf(source)}`)
    assert.deepEqual(long, [])
  })

  test(`no line of a comment is longer than ${MOST_COLUMNS} columns`, () => {
    const long = sources.flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, i) => (line.length > MOST_COLUMNS && /^ *(?:\/\/|\/?\*)/.test(line) ? [`${path}:${i + 1}`] : [])),
    )
    assert.deepEqual(long, [])
  })

  test(`half the files of lib are at most ${MOST_MEDIAN_LINES} lines long`, () => {
    const median = quantile(sources.filter(inLib).map(lengthOf), 0.5)
    assert.ok(median <= MOST_MEDIAN_LINES, `the median is ${median}`)
  })

  test(`no function is longer than ${MOST_FUNCTION_LINES} lines, and 95 of 100 in lib are at most ${MOST_P95_LINES}`, () => {
    const functions = sources.flatMap(functionsOf)
    const long = functions.filter(({ lines }) => lines > MOST_FUNCTION_LINES).map(({ where, lines }) => `${where}: ${lines}`)
    assert.deepEqual(long, [])
    const ours = functions.filter(({ where }) => where.startsWith('lib/')).map(({ lines }) => lines)
    assert.ok(ours.length > 500, 'the functions are not found')
    const p95 = quantile(ours, 0.95)
    assert.ok(p95 <= MOST_P95_LINES, `95 of 100 are at most ${p95}`)
  })
})
