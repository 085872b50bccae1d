/**
 * Keeps the memory in which V8 makes new objects small, which is most of what a server allocates and nothing of what it keeps.
 *
 * V8 doubles it while much survives, up to 32 MiB by itself, and makes it small again when little happens. How far it may
 * grow can be said only when a process starts; by what factor it grows, at any time. So that is set after each collection:
 * to 1 when there is enough. To leave it at 1 would keep a server for ever at the one megabyte that it has after its first
 * quiet minute, and cost a quarter more processor time.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** The memory for new objects, both halves of it, bytes. */
export function youngSpaceBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0
}

/** Lets the memory for new objects grow to about so many bytes, both halves of it, and no further. For the whole process. */
export function boundYoungSpace(mostBytes: number): void {
  let growthFactor: number | undefined
  const look = (): void => {
    const wanted = youngSpaceBytes() < mostBytes ? 2 : 1
    if (wanted === growthFactor) return
    growthFactor = wanted
    setFlagsFromString(`--semi-space-growth-factor=${wanted}`)
  }
  look()
  new PerformanceObserver(look).observe({ entryTypes: ['gc'] })
}
