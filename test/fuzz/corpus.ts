/** The inputs that are kept from run to run, one binary file each: what reaches far, and what once failed. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('../../../test/fuzz/', import.meta.url))

/** Which inputs. */
export type InputKind = 'corpus' | 'crashes'

/** The directory of a target's inputs. */
export function inputDirectory(kind: InputKind, target: string): string {
  return join(here, kind, target)
}

/** The names of targets that have such a directory. */
export function targetsWith(kind: InputKind): string[] {
  return existsSync(join(here, kind)) ? readdirSync(join(here, kind)).sort() : []
}

/** A target's inputs, by the name of their file. */
export function loadInputs(kind: InputKind, target: string): Map<string, Buffer> {
  const directory = inputDirectory(kind, target)
  const names = existsSync(directory) ? readdirSync(directory).sort() : []
  return new Map(names.map((name) => [name, readFileSync(join(directory, name))]))
}

/** Adds an input. @returns its path */
export function saveInput(kind: InputKind, target: string, input: Buffer): string {
  const directory = inputDirectory(kind, target)
  mkdirSync(directory, { recursive: true })
  const path = join(directory, nameOf(input))
  writeFileSync(path, input)
  return path
}

/** Makes these inputs the corpus of a target. */
export function saveCorpus(target: string, inputs: readonly Buffer[]): void {
  const kept = new Set(inputs.map(nameOf))
  for (const name of loadInputs('corpus', target).keys()) {
    if (!kept.has(name)) rmSync(join(inputDirectory('corpus', target), name))
  }
  for (const input of inputs) saveInput('corpus', target, input)
}

function nameOf(input: Buffer): string {
  return `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`
}
