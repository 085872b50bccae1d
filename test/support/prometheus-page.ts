/** Reads a page of Prometheus' text format as strictly as its grammar is. */
import assert from 'node:assert/strict'

/** One line with a value. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What a page says. */
export interface MetricsPage {
  readonly samples: readonly Sample[]
  readonly kinds: ReadonlyMap<string, string>
}

/** Reads a page. @throws {AssertionError} for a line that is none, and for a sample outside of its metric's group */
export function metricsIn(text: string): MetricsPage {
  assert.ok(text.endsWith('\n'))
  const samples: Sample[] = []
  const kinds = new Map<string, string>()
  let current = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, what, subject, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.*)$/.exec(line) ?? []
    if (what === 'TYPE') {
      assert.ok(!kinds.has(subject!) && /^(counter|gauge)$/.test(rest!), line)
      kinds.set(subject!, rest!)
      current = subject!
    }
    if (what !== undefined) continue
    const [, name, labels, value] = /^([a-zA-Z_:][\w:]*)\{(.*)\} (\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line) ?? []
    assert.ok(name === current && name !== '', line)
    samples.push({ name: name!, labels: labelsIn(labels!), value: Number(value) })
  }
  return { samples, kinds }
}

function labelsIn(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const [whole, name, value] = /^([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/.exec(rest) ?? []
    assert.ok(name !== undefined && !(name in found), rest)
    found[name] = value!.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter))
    rest = rest.slice(whole!.length)
  }
  return found
}
