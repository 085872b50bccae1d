/** How large the proof families run, and from which seed: both can be set from outside. */

/** `crash` for the full size, anything else for the small one. */
export const tier = process.env['MQLITE_TIER'] === 'crash' ? 'crash' : 'quick'

/** Whether the full size is asked for. */
export const isFull = tier === 'crash'

/** One number or another, as the tier says. */
export function sized(quick: number, crash: number): number {
  return tier === 'crash' ? crash : quick
}

/** The seed given in `MQLITE_SEED`, for a replay, or the one that is meant for the family. */
export function seedOf(preset: number): number {
  const given = process.env['MQLITE_SEED']
  return given === undefined ? preset : Number(given)
}

/** Whether one seed was asked for. */
export const isReplay = process.env['MQLITE_SEED'] !== undefined

/** The seed of a run that is different each time: `MQLITE_SEED` to replay one, else chance. */
export function runSeed(): number {
  return seedOf(Math.floor(Math.random() * 2 ** 32))
}
