/** The table on the screen and the JSON in a file. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { dirname } from 'node:path'
import type { Column, Row } from './suites.js'
import { COLUMNS } from './suites.js'
import type { Outcome, Plan } from './workload.js'

/** A row with what was measured. */
export interface Measured {
  readonly suite: string
  readonly row: Row
  readonly outcomes: Partial<Record<Column, Outcome>>
}

/** The figure in the middle; of an even number, the lower one of the two. */
export function median(figures: readonly number[]): number | undefined {
  const sorted = [...figures].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]
}

function figure(outcomes: Measured['outcomes'], column: Column): number | undefined {
  const outcome = outcomes[column]
  return outcome === undefined ? undefined : median(outcome.rounds)
}

/** Units of which less is better. */
const COSTS: ReadonlySet<Row['unit']> = new Set(['ms', 'us', 'ns', 'MiB'])

/** How many times as good mqlite is, as fast or as small; `undefined` when one of the two was not measured. */
function ratio({ row: { unit }, outcomes }: Pick<Measured, 'row' | 'outcomes'>, column: Column): number | undefined {
  const ours = figure(outcomes, 'mqlite')
  const theirs = figure(outcomes, column)
  if (ours === undefined || theirs === undefined) return undefined
  return COSTS.has(unit) ? theirs / ours : ours / theirs
}

/** Three digits that count, with separators. */
export function shown(value: number | undefined): string {
  if (value === undefined) return '-'
  if (value === 0) return '0'
  const step = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2)
  return (Math.round(value / step) * step).toLocaleString('en-US', { maximumFractionDigits: step < 1 ? 2 : 0 })
}

const HEAD = ['', 'unit', 'mqlite', 'fs', 'lmdb', 'Java', 'x Java', 'x lmdb']

/** A row of the table. */
export function cells({ row, outcomes }: Pick<Measured, 'row' | 'outcomes'>): string[] {
  const figures = COLUMNS.map((column) => shown(figure(outcomes, column)))
  const ratios = (['java', 'lmdb'] as const).map((column) => {
    const value = ratio({ row, outcomes }, column)
    return value === undefined ? '-' : value.toFixed(2)
  })
  return [row.title, row.unit, ...figures, ...ratios]
}

const WIDTHS = [45, 5, 11, 11, 11, 11, 7, 7]

/** One line of the table, columns aligned. */
export function line(texts: readonly string[]): string {
  return texts.map((text, i) => (i < 2 ? text.padEnd(WIDTHS[i]!) : text.padStart(WIDTHS[i]!))).join(' ')
}

export function printHead(): void {
  console.log(line(HEAD))
  console.log(WIDTHS.map((width) => '-'.repeat(width)).join(' '))
}

/** The table in Markdown, for `docs/benchmarks.md`. */
export function markdown(all: readonly Measured[]): string {
  const row = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`
  const rule = HEAD.map((_, i) => (i < 2 ? '---' : '---:'))
  return [row(HEAD), row(rule), ...all.map((measured) => row(cells(measured)))].join('\n')
}

/** Writes everything that was measured, with the machine that it was measured on. */
export function writeJson(path: string, plan: Plan, java: string | undefined, all: readonly Measured[]): void {
  const cpu = cpus()[0]?.model ?? 'unknown'
  const machine = { cores: availableParallelism(), cpu, memoryBytes: totalmem(), system: `${platform()} ${release()}` }
  const rows = all.map(({ suite, row, outcomes }) => ({
    suite,
    title: row.title,
    unit: row.unit,
    timing: row.timing,
    columns: Object.fromEntries(
      Object.entries(outcomes).map(([column, outcome]) => [column, { median: median(outcome.rounds), ...outcome }]),
    ),
    ratioToJava: ratio({ row, outcomes }, 'java'),
    ratioToLmdb: ratio({ row, outcomes }, 'lmdb'),
  }))
  const versions = { node: process.version, java: java ?? null }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ at: new Date().toISOString(), machine, versions, plan, rows }, null, 2)}\n`)
}
