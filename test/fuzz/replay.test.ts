/** What fuzzing kept, replayed: inputs that reach far, and inputs on which a decoder once failed. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Random } from '../support/random.js'
import { seedOf } from '../support/tier.js'
import { loadInputs, targetsWith } from './corpus.js'
import { Coverage } from './coverage.js'
import { fuzz, MOST_CORPUS, runOnce, type Target } from './fuzzer.js'
import { MOST_INPUT_BYTES } from './mutate.js'
import { readFuzz } from './planted.js'
import { targets } from './targets.js'

let replayed = 0

describe('inputs that fuzzing kept', () => {
  for (const target of targets) {
    test(`make the decoder of ${target.name} do nothing that its comment does not allow`, () => {
      for (const kind of ['corpus', 'crashes'] as const) {
        for (const [name, input] of loadInputs(kind, target.name)) {
          try {
            runOnce(target, input)
          } catch (error) {
            throw new Error(`test/fuzz/${kind}/${target.name}/${name} fails`, { cause: error })
          }
          replayed++
        }
      }
    })
  }

  test('are few, small, and of targets that there are', () => {
    const known = targets.map(({ name }) => name)
    assert.equal(new Set(known).size, known.length)
    assert.deepEqual(targetsWith('corpus'), known.toSorted())
    assert.deepEqual(
      targetsWith('crashes').filter((name) => !known.includes(name)),
      [],
    )
    for (const name of known) {
      const inputs = [...loadInputs('corpus', name).values()]
      assert.ok(inputs.length > 0 && inputs.length <= MOST_CORPUS, `${name} has ${inputs.length}`)
      assert.ok(inputs.every(({ length }) => length <= MOST_INPUT_BYTES))
    }
  })
})

describe('the fuzzer', () => {
  const planted: Target = {
    name: 'planted',
    seeds: [Buffer.from('aaaaaa')],
    words: [],
    run: (input) => readFuzz(input),
  }
  const run = (isMeant: (url: string) => boolean): ReturnType<typeof fuzz> => {
    const coverage = new Coverage(isMeant)
    try {
      const random = new Random(seedOf(7))
      return fuzz({ target: planted, corpus: [], coverage, random, seconds: 60, mostExecutions: 60_000 })
    } finally {
      coverage.stop()
    }
  }

  test('finds what stands behind four bytes in a row, each of which opens the way to the next, and shortens it', () => {
    const { failures, corpus } = run((url) => url.endsWith('/planted.js'))
    assert.deepEqual(
      failures.map(({ input, error }) => [input.toString(), error.message]),
      [['FUZZ', 'planted']],
    )
    assert.ok(corpus.length >= 4)
  })

  test('does not find it blindly: what leads it is the coverage', () => {
    assert.deepEqual(run(() => false).failures, [])
  })
})

after(() => console.log(`fuzz: ${replayed} inputs replayed`))
