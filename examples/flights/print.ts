/** Plain output: headings, aligned tables, numbers and sizes that people can read. */

export type Cell = string | number

/** A number with separators: 300,000. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Bytes in the unit that suits them: 62.4 MiB. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`
  const unit = value < 1024 ** 2 ? 'KiB' : value < 1024 ** 3 ? 'MiB' : 'GiB'
  const scale = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[unit]
  return `${(value / scale).toFixed(1)} ${unit}`
}

/** Milliseconds as they are read: 0.02 ms, 35 ms, 1.2 s. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`
}

/** So many in so much time: 412,000/s. */
export function rate(amount: number, ms: number): string {
  const perSecond = amount / (Math.max(ms, 0.001) / 1000)
  const step = 10 ** Math.max(0, Math.floor(Math.log10(perSecond)) - 2)
  return `${count(Math.round(perSecond / step) * step)}/s`
}

export function heading(text: string): void {
  console.log(`\n${text}\n${'-'.repeat(text.length)}`)
}

/** Prints rows in columns. Columns of numbers stand to the right, all others to the left. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const shown = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? count(cell) : cell)))
  const widths = head.map((title, i) => Math.max(title.length, ...shown.map((row) => row[i]!.length)))
  const isRight = head.map((_, i) => rows.every((row) => /^[-\d]/.test(String(row[i])) && !/^\d+-/.test(String(row[i]))))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (isRight[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('   ')
  const print = (text: string): void => console.log(`  ${text.trimEnd()}`)
  if (head.some((title) => title !== '')) {
    print(line(head))
    print(widths.map((width) => '-'.repeat(width)).join('   '))
  }
  for (const row of shown) print(line(row))
}

/** Prints names and what belongs to them. */
export function facts(pairs: Readonly<Record<string, Cell>>): void {
  const width = Math.max(...Object.keys(pairs).map((name) => name.length))
  for (const [name, value] of Object.entries(pairs)) {
    console.log(`  ${name.padEnd(width)}   ${typeof value === 'number' ? count(value) : value}`)
  }
}
