/** The first number in `[low, high)` that passes a test which, once passed, stays passed; `high` if none does. */
export function searchFirst(low: number, high: number, passes: (n: number) => boolean): number {
  let from = low
  let to = high
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (passes(middle)) to = middle
    else from = middle + 1
  }
  return from
}
