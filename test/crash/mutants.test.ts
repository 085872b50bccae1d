/**
 * MUTANT: the tests tested. Each mutant is a fault made by hand in a copy of the code; the test files named
 * with it, at their small size, must fail. One that survives shows a test that is missing.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { mutants } from '../support/mutants/all-mutants.js'
import { MutantBuild } from '../support/mutants/mutant-build.js'
import { inDirectory } from '../support/scratch.js'
import { root } from '../support/source-tree.js'
import { inShare, isFull } from '../support/tier.js'

const LIMIT_MS = 240_000
const testFiles = [...new Set(mutants.flatMap(({ tests }) => tests))].sort()

describe('the list of mutants', () => {
  test('has at least forty, each with a fault of its own', () => {
    assert.ok(mutants.length >= 40, `${mutants.length} mutants`)
    assert.equal(new Set(mutants.map(({ fault }) => fault)).size, mutants.length)
  })

  test('names texts that stand in the code exactly once', () => {
    for (const { file, text } of mutants) {
      assert.equal(readFileSync(join(root, 'lib', file), 'utf8').split(text).length, 2, `${file}: ${text}`)
    }
  })

  test('names test files that are there', () => {
    for (const name of testFiles) assert.ok(existsSync(join(root, 'test', `${name}.test.ts`)), name)
  })
})

// Not in the quick tier: it runs hundreds of tests dozens of times.
if (isFull) {
  test('every mutant is killed by a test that passes without it', async (context) => {
    await inDirectory('mutants', async (directory) => {
      const build = new MutantBuild(directory)
      const survivors: string[] = []
      let killed = 0
      build.compile()
      for (const name of testFiles) assert.deepEqual(await build.run(name, LIMIT_MS), { result: 'passed', what: '' }, name)
      for (const mutant of mutants.filter((_, n) => inShare(n))) {
        build.apply(mutant)
        const seen: string[] = []
        for (const name of mutant.tests) {
          const { result, what } = await build.run(name, LIMIT_MS)
          seen.push(`${name} ${result}`)
          if (result !== 'failed') continue
          killed++
          context.diagnostic(`${mutant.file}: ${mutant.fault}: killed by ${name}: ${what}`)
          break
        }
        if (!seen.at(-1)!.endsWith('failed')) survivors.push(`${mutant.file}: ${mutant.fault} (${seen.join(', ')})`)
        build.restore(mutant)
      }
      context.diagnostic(`${killed} mutants killed by ${testFiles.length} test files, which pass without them`)
      assert.deepEqual(survivors, [])
    })
  })
}
