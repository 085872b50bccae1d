/** The repository speaks of itself alone: nothing in it depends on the machine where it was written. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { readTexts, root } from '../support/source-tree.js'

/** Sites that files may point to. */
const sites = ['apache.org', 'github.com', 'w3.org']

const texts = readTexts()

/** Places where a piece of text stands. */
function places(needle: string): string[] {
  return texts.filter(({ text }) => text.includes(needle)).map(({ path }) => path)
}

describe('the repository', () => {
  test('names neither the directory that it stands in, nor a home directory, nor a machine', () => {
    const here = root.replace(/\/$/, '')
    const needles = [here, homedir()].filter((path) => path.split('/').length > 2)
    if (hostname().length > 6) needles.push(hostname())
    for (const needle of needles) assert.deepEqual(places(needle), [])
  })

  test('has no path into the home or the work directories of anybody', () => {
    const path = /(?<![\w.:/$}-])\/(home|Users|root|work|workspace)\/[\w.-]+/
    const found = texts.flatMap(({ path: file, text }) => {
      const [hit] = path.exec(text) ?? []
      return hit === undefined ? [] : [`${file}: ${hit}`]
    })
    assert.deepEqual(found, [])
  })

  test('points to public sites only', () => {
    const found = texts
      .filter(({ path }) => path !== 'package-lock.json' && path !== 'LICENSE')
      .flatMap(({ path, text }) => [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => ({ path, host: host! })))
      .filter(({ host }) => !sites.some((site) => host === site || host.endsWith(`.${site}`)))
    assert.deepEqual(found, [])
  })

  test('takes packages from no registry of its own', () => {
    const found = texts.filter(
      ({ path, text }) => /(^|\/)\.(npmrc|yarnrc)/.test(path) || (path === 'package-lock.json' && text.includes('"resolved"')),
    )
    assert.deepEqual(
      found.map(({ path }) => path),
      [],
    )
  })

  test('has no document that points to a file which is not there', () => {
    const found: string[] = []
    for (const { path, text } of texts.filter((file) => file.path.endsWith('.md'))) {
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (!existsSync(join(root, dirname(path), target!))) found.push(`${path}: ${target}`)
      }
    }
    assert.deepEqual(found, [])
  })

  test('has no document that names a test or a source which is not there', () => {
    const found: string[] = []
    for (const { path, text } of texts.filter((file) => file.path.endsWith('.md'))) {
      for (const [, target] of text.matchAll(/`((?:lib|test|bench|examples|docs)\/[\w./-]*\.(?:ts|js|md))`/g)) {
        if (!existsSync(join(root, target!))) found.push(`${path}: ${target}`)
      }
    }
    assert.deepEqual(found, [])
  })
})
