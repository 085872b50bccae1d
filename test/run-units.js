/**
 * Which test files share a process, and in what order the processes run.
 *
 * Starting a process and loading the library costs more than most test files do, so the small ones of a directory go
 * together. A file has a process of its own when its directory is one of long or delicate tests, or when it touches what
 * belongs to the process as a whole: its environment, its memory, its open files, what all its parts publish.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MOST_FILES = 12
const aloneIn = /^(interop|crash|model|fuzz|cli|disk|bench|examples|tidy|testing)\b/
const touchesProcess =
  /\bprocess\.(?!execPath|pid|platform|versions?|hrtime|getuid|stdout)\w|\/proc\/self|diagnostics_channel|\bglobalThis\b/

/** What takes longest in each tier, longest first: begun last, one would run alone in the end. */
const longest = {
  quick: [
    'crash/sim-1',
    'crash/sim-2',
    'crash/flip',
    'crash/flood',
    'crash/sim-4',
    'bench/bench',
    'examples/examples',
    'crash/kill',
    'store',
    'broker',
    'remoting',
  ],
  crash: [
    'crash/sim-2',
    'crash/flip',
    'crash/mutants',
    'crash/sim-1',
    'crash/flood',
    'crash/live-wire',
    'crash/sim-4',
    'model/broker',
    'crash/power',
    'crash/kill',
    'crash/failpoints',
    'crash/syscalls',
  ],
  interop: [],
}
/** What mostly waits, for the disk or for processes to start. */
const waiting = /^crash\/(kill|failpoints|syscalls|power|disk-full)$/

/** The files with these names as units of one process each, in the order in which they are to begin. */
export function unitsOf(built, tier, names) {
  removeOld(join(built, 'units'))
  process.once('exit', () => rmSync(unitDirectory(built), { recursive: true, force: true }))
  const together = new Map()
  const units = []
  for (const name of [...names].sort()) {
    if (aloneIn.test(name) || touchesProcess.test(readFileSync(join(built, `${name}.test.js`), 'utf8'))) {
      units.push([name])
      continue
    }
    const [directory] = name.split('/')
    const open = together.get(directory)
    if (open !== undefined && open.length < MOST_FILES) {
      open.push(name)
      continue
    }
    const unit = [name]
    together.set(directory, unit)
    units.push(unit)
  }
  const rank = (unit) => {
    const at = longest[tier].indexOf(unit.length > 1 ? unit[0].split('/')[0] : unit[0])
    return at < 0 ? longest[tier].length : at
  }
  return units.sort((a, b) => rank(a) - rank(b)).map((unit) => makeUnit(built, unit))
}

/** A unit of one file. */
export function alone(built, name) {
  return makeUnit(built, [name])
}

/** Whether a unit leaves the processor to others most of the time. */
export function waits({ names }) {
  return names.every((name) => waiting.test(name))
}

/** Of this run alone: another may be under way in the same tree. */
function unitDirectory(built) {
  return join(built, 'units', String(process.pid))
}

/** What runs that were killed have left. */
function removeOld(directory) {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory))
    if (!isRunning(Number(name))) rmSync(join(directory, name), { recursive: true, force: true })
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Writes the module that Node's runner starts: it can be given no arguments. */
function makeUnit(built, names) {
  const file = names.length === 1 ? names[0] : `${names[0]}-and-${names.length - 1}-more`
  const stem = join(unitDirectory(built), file.replaceAll('/', '--'))
  const report = `${stem}.json`
  mkdirSync(unitDirectory(built), { recursive: true })
  rmSync(report, { force: true })
  const lines = [
    "import { runUnit } from '../../support/unit.js'",
    `runUnit(${JSON.stringify(names)}, ${JSON.stringify(report)})`,
  ]
  writeFileSync(`${stem}.js`, `${lines.join('\n')}\n`)
  const title =
    names.length === 1
      ? names[0]
      : `${names[0].split('/')[0]}: ${names.length} files from ${names[0].split('/').slice(1).join('/')}`
  return { title, names, module: `${stem}.js`, report }
}
