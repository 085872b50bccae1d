/** Tables for people: columns as wide as their content, numbers to the right. */
import type { Terminal } from './terminal.js'

/** What a cell may hold. */
export type Cell = string | number | undefined

/** A number with separators. */
export function counted(value: number): string {
  return value.toLocaleString('en-US')
}

/** A time in ISO form; `-` for none. */
export function timeText(ms: number): string {
  const date = new Date(ms)
  return ms > 0 && !Number.isNaN(date.getTime()) ? date.toISOString() : ms === 0 ? '-' : String(ms)
}

/** Control characters would move the cursor, or worse. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '.')
}

/** Writes rows under headings. The last column is cut where the terminal ends. */
export async function writeTable(
  terminal: Terminal,
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  const isNumber = headings.map((_, i) => rows.every((row) => row[i] === undefined || typeof row[i] === 'number'))
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? String(cell) : plain(cell ?? ''))))
  const widths = headings.map((heading, i) => Math.max(heading.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const format = (row: readonly string[]): string => {
    const padded = row.map((cell, i) =>
      isNumber[i] ? cell.padStart(widths[i]!) : i === row.length - 1 ? cell : cell.padEnd(widths[i]!),
    )
    const line = padded.join('  ').trimEnd()
    return line.length > terminal.columns ? `${line.slice(0, terminal.columns - 1)}…` : line
  }
  await terminal.line(terminal.paint('bold', format(headings)))
  for (const row of cells) await terminal.line(format(row))
}

/** Writes names and values, one a line. */
export async function writeFields(terminal: Terminal, fields: readonly (readonly [string, Cell])[]): Promise<void> {
  const width = Math.max(0, ...fields.map(([name]) => name.length))
  for (const [name, value] of fields) await terminal.line(`  ${name.padEnd(width)}  ${plain(String(value ?? '-'))}`)
}
