/** How large the proof families run, and from which seed: both can be set from outside. */

/** `crash` for the full size, anything else for the small one. */
export const tier = process.env['MQLITE_TIER'] === 'crash' ? 'crash' : 'quick'

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
