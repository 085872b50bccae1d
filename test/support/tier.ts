/** How large the proof families run, and from which seed: both can be set from outside. */

/** `crash` for the full size, anything else for the small one. */
export const tier = process.env['MQLITE_TIER'] === 'crash' ? 'crash' : 'quick'

/** Whether the full size is asked for. */
export const isFull = tier === 'crash'

/** Whether the crash tier is to run what takes hours, too: `MQLITE_SIZE=full`. */
export const isWhole = isFull && process.env['MQLITE_SIZE'] === 'full'

/** One number or another, as the tier says; `whole` is for `MQLITE_SIZE=full`. */
export function sized(quick: number, crash: number, whole = crash): number {
  return isWhole ? whole : isFull ? crash : quick
}

const share = /^(\d+)\/(\d+)$/.exec(process.env['MQLITE_SHARE'] ?? '1/1')
if (share === null) throw new Error(`MQLITE_SHARE is a part of a whole, such as 1/4; got ${process.env['MQLITE_SHARE']}`)
const [part, parts] = [Number(share[1]), Number(share[2])]

/** Whether case `n` of a family is among those that this run has to do: all, or a share such as `MQLITE_SHARE=1/4`. */
export function inShare(n: number): boolean {
  return n % parts === part - 1
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
