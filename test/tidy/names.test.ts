/** What a reader of the interface gets: comments on everything exported, and words that mean one thing each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Node } from 'typescript/unstable/ast'
import { hasDocs, hasModifier, lineOf, readSources, readTexts, type Source, SyntaxKind, walk } from '../support/source-tree.js'

/** A node with the parts that this file looks at. */
interface Named {
  readonly name?: { readonly kind: SyntaxKind; readonly text?: string }
  readonly members?: readonly Node[]
  readonly heritageClauses?: readonly { readonly token: SyntaxKind }[]
  readonly declarationList?: { readonly declarations: readonly Named[] }
  readonly exportClause?: { readonly elements?: readonly Named[] }
}

const sources = readSources()
const lib = sources.filter(({ path }) => path.startsWith('lib/'))
const declared = new Set([
  SyntaxKind.ClassDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.VariableDeclaration,
  SyntaxKind.EnumDeclaration,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.PropertySignature,
  SyntaxKind.MethodSignature,
  SyntaxKind.GetAccessor,
  SyntaxKind.Parameter,
])
const calls = new Set([SyntaxKind.MethodDeclaration, SyntaxKind.GetAccessor, SyntaxKind.SetAccessor])

function place(source: Source, node: Node): string {
  return `${source.path}:${lineOf(source, node.getStart(source.tree))}`
}

function nameOf(node: Node): string {
  const { name, declarationList } = node as Named
  return name?.text ?? declarationList?.declarations[0]?.name?.text ?? ''
}

/** The exported declarations of a file. */
function exportsOf({ tree }: Source): Node[] {
  return [...tree.statements].filter((node) => hasModifier(node, SyntaxKind.ExportKeyword))
}

/** The members of a class or interface that its users see. */
function membersOf(node: Node): Node[] {
  const { members } = node as Named
  return (members ?? []).filter(
    (member) =>
      member.kind !== SyntaxKind.Constructor &&
      !hasModifier(member, SyntaxKind.PrivateKeyword) &&
      (member as Named).name?.kind !== SyntaxKind.PrivateIdentifier,
  )
}

function implementsSomething(node: Node): boolean {
  return (node as Named).heritageClauses?.some(({ token }) => token === SyntaxKind.ImplementsKeyword) ?? false
}

/** The names that the package exports. */
function publicNames(): Set<string> {
  const names = new Set<string>()
  const doors = lib.filter(({ path }) => ['lib/index.ts', 'lib/server.ts', 'lib/testing.ts'].includes(path))
  for (const statement of doors.flatMap(({ tree }) => [...tree.statements])) {
    for (const { name } of (statement as Named).exportClause?.elements ?? []) names.add(name!.text!)
  }
  return names
}

describe('comments for readers of the interface', () => {
  test('stand on everything that a file of lib exports', () => {
    const bare = lib.flatMap((source) =>
      exportsOf(source)
        .filter((node) => !hasDocs(node))
        .map((node) => `${place(source, node)} ${nameOf(node)}`),
    )
    assert.deepEqual(bare, [])
    assert.ok(lib.flatMap(exportsOf).length > 200, 'the exports are not found')
  })

  test('stand on every public method, unless the interface that the class implements has them', () => {
    const bare: string[] = []
    for (const source of lib) {
      for (const node of exportsOf(source)) {
        if (node.kind !== SyntaxKind.ClassDeclaration || implementsSomething(node)) continue
        const methods = membersOf(node).filter((member) => calls.has(member.kind) && nameOf(member) !== '')
        bare.push(...methods.filter((member) => !hasDocs(member)).map((member) => `${place(source, member)} ${nameOf(member)}`))
      }
    }
    assert.deepEqual(bare, [])
  })

  test('stand on every member of what the package exports', () => {
    const names = publicNames()
    assert.ok(names.has('MessageStore') && names.has('StoreOptions'))
    const bare: string[] = []
    for (const source of lib) {
      for (const node of exportsOf(source).filter((candidate) => names.has(nameOf(candidate)))) {
        const members = membersOf(node).filter((member) => nameOf(member) !== 'name' && !hasDocs(member))
        bare.push(...members.map((member) => `${place(source, member)} ${nameOf(node)}.${nameOf(member)}`))
      }
    }
    assert.deepEqual(bare, [])
  })
})

describe('names', () => {
  test('say what a thing is, not that it is one', () => {
    const empty = /(Manager|Service|Helper|Utils?|Impl)$|^(Default|Abstract)[A-Z]/
    const found: string[] = []
    for (const source of sources) {
      walk(source.tree, (node) => {
        if (declared.has(node.kind) && empty.test(nameOf(node))) found.push(`${place(source, node)} ${nameOf(node)}`)
      })
      if (/(manager|service|helper|utils?|impl)s?\./.test(source.path)) found.push(source.path)
    }
    assert.deepEqual(found, [])
  })

  test('are ours where RocketMQ has several', () => {
    const theirs = /^(phyoffset|physicaloffset|logicoffset|cqoffset|mappedfile|reput)/i
    const found: string[] = []
    for (const source of sources) {
      walk(source.tree, (node) => {
        if (declared.has(node.kind) && theirs.test(nameOf(node))) found.push(`${place(source, node)} ${nameOf(node)}`)
      })
    }
    assert.deepEqual(found, [])
  })

  test('of files are in kebab case', () => {
    const odd = sources.filter(({ path }) => !/^([a-z0-9-]+\/)*[a-z0-9-]+(\.test|\.d)?\.ts$/.test(path)).map(({ path }) => path)
    assert.deepEqual(odd, [])
  })
})

describe('the code', () => {
  test('has no default exports and no any', () => {
    const found: string[] = []
    for (const source of sources) {
      walk(source.tree, (node) => {
        const isDefault = node.kind === SyntaxKind.ExportAssignment || hasModifier(node, SyntaxKind.DefaultKeyword)
        if (isDefault || node.kind === SyntaxKind.AnyKeyword) found.push(place(source, node))
      })
    }
    assert.deepEqual(found, [])
  })

  test('leaves no notes to finish things later', () => {
    // Put together here, so that this file does not find itself.
    const note = new RegExp(['TO', 'DO|FIX', 'ME|HA', 'CK:'].join(''))
    const found = readTexts().filter(({ path, text }) => path !== 'LICENSE' && note.test(text))
    assert.deepEqual(
      found.map(({ path }) => path),
      [],
    )
  })
})
