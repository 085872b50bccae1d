/** What a test leaves behind is taken away in the opposite order: first processes and stores, then directories. */
type Step = () => void | Promise<void>

/** What ends: a test, or a script. */
export interface Scope {
  after(step: () => Promise<void>): void
}

const stepsOf = new WeakMap<Scope, Step[]>()

/** Does something when a test or script ends, before everything that was asked for earlier. */
export function cleanUp(t: Scope, step: Step): void {
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
