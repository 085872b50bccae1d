/** Puts copies of messages that waited. What the store will never take is given up, so that others need not wait for it. */
import { MessageStoreError } from '../../base/errors.js'
import type { PutReceipt } from '../../store/message.js'

/**
 * Waits for puts. One that the store refuses as often as it is made is told of, and counts as done.
 *
 * @param puts - `undefined` where there was nothing to put
 * @returns what may pass: of each put that failed otherwise, its place and why
 */
export async function failedPuts(
  puts: readonly (Promise<PutReceipt> | undefined)[],
  onProblem: (error: unknown) => void,
): Promise<{ at: number; error: unknown }[]> {
  try {
    // Nearly all go well, and this costs less than to look at each.
    await Promise.all(puts)
    return []
  } catch {
    const failed: { at: number; error: unknown }[] = []
    for (const [at, one] of (await Promise.allSettled(puts)).entries()) {
      if (one.status === 'fulfilled') continue
      if (isForGood(one.reason)) onProblem(one.reason)
      else failed.push({ at, error: one.reason })
    }
    return failed
  }
}

/** Whether the store will refuse a message as often as it is put. */
function isForGood(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    (error instanceof MessageStoreError && ['TOPIC_INVALID', 'MESSAGE_TOO_LARGE', 'MESSAGE_ILLEGAL'].includes(error.code))
  )
}
