/**
 * The sources of the project as syntax trees, for tests that look at the code itself.
 *
 * The trees come from the TypeScript compiler through its programming interface, which 7.0 still calls
 * unstable: should an upgrade move it, this is the only file that knows.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'

/** Where the project stands. */
export const root = fileURLToPath(new URL('../../../', import.meta.url))

/** A file of the project with its tree. */
export interface Source {
  /** Path from the root, with slashes. */
  readonly path: string
  readonly text: string
  readonly tree: SourceFile
}

/** Every TypeScript file of `lib`, `test`, `bench` and `examples`. */
export function readSources(): Source[] {
  const api = new API({ cwd: root })
  try {
    const project = api.updateSnapshot({ openProject: join(root, 'tsconfig.json') }).getProjects()[0]!
    return project.rootFiles.map((file) => {
      const tree = project.program.getSourceFile(file)!
      return { path: relative(root, file).split(sep).join('/'), text: tree.text, tree }
    })
  } finally {
    api.close()
  }
}

/** Calls `visit` for every node of a tree, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

/** The line of a place in a file, counted from 1. */
export function lineOf({ tree }: Source, at: number): number {
  return tree.getLineAndCharacterOfPosition(at).line + 1
}

/** How many lines a node spans, comments before it left out. */
export function linesOf(source: Source, node: Node): number {
  return lineOf(source, node.end) - lineOf(source, node.getStart(source.tree)) + 1
}

/** Whether a node carries a modifier such as `export` or `private`. */
export function hasModifier(node: Node, kind: SyntaxKind): boolean {
  const { modifiers } = node as { modifiers?: readonly Node[] }
  return modifiers?.some((modifier) => modifier.kind === kind) ?? false
}

/** Whether a comment for readers of the interface stands before a node. */
export function hasDocs(node: Node): boolean {
  return (node.jsDoc?.length ?? 0) > 0
}

/** Every text file of the project, with its path: what a reader of the repository sees. */
export function readTexts(): { path: string; text: string }[] {
  const left = new Set(['node_modules', 'dist', 'build', 'data', 'coverage', 'target', 'results', '.git'])
  const texts: { path: string; text: string }[] = []
  const visit = (directory: string): void => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (left.has(entry.name)) continue
      if (entry.isDirectory()) visit(path)
      else if (entry.isFile()) {
        const text = readFileSync(join(root, path), 'utf8')
        if (!text.includes('\0')) texts.push({ path, text })
      }
    }
  }
  visit('')
  return texts
}

export { SyntaxKind }
