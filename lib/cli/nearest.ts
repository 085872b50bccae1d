/** What somebody may have meant who wrote something else. */

/**
 * The name that is fewest letters away, `undefined` when none is near.
 *
 * @param most - how many letters it may be away. @default a third of its length, 3 at most
 */
export function nearest(word: string, names: readonly string[], most?: number): string | undefined {
  let best: { name: string; distance: number } | undefined
  for (const name of names) {
    const distance = distanceOf(word.toLowerCase(), name.toLowerCase())
    const limit = most ?? Math.min(3, Math.ceil(name.length / 3))
    if (distance <= limit && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { name, distance }
  }
  return best?.name
}

/** Letters to insert, delete, replace or swap with their neighbour. */
function distanceOf(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(changed, last[j]! + 1, row[j - 1]! + 1)
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    ;[before, last] = [last, row]
  }
  return last[b.length]!
}
