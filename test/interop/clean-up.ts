/** What a test leaves behind is taken away in the opposite order: first processes and stores, then directories. */
import type { TestContext } from 'node:test'

type Step = () => void | Promise<void>

const stepsOf = new WeakMap<TestContext, Step[]>()

/** Does something after the test, before everything that was asked for earlier. */
export function cleanUp(t: TestContext, step: Step): void {
  const known = stepsOf.get(t)
  if (known !== undefined) {
    known.push(step)
    return
  }
  const steps = [step]
  stepsOf.set(t, steps)
  t.after(async () => {
    for (const next of steps.reverse()) await next()
  })
}
