/** Which size the proof families have: `quick` with every commit, `crash` in full. */

/** Whether the full size is asked for. */
export const isFull = process.env['MQLITE_TIER'] === 'crash'

/** A number that depends on the tier. */
export function sized(quick: number, full: number): number {
  return isFull ? full : quick
}

/** The seed of a run: `MQLITE_SEED` to replay one, else chance. */
export function runSeed(): number {
  const given = process.env['MQLITE_SEED']
  return given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given)
}
