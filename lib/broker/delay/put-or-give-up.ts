/** Puts the copy of a message that waited. What the store will never take is given up, so that others need not wait for it. */
import { MessageStoreError } from '../../base/errors.js'
import type { Message } from '../../store/message.js'
import type { PutPort } from '../store-port.js'

/** What putting needs. */
export interface PutOrGiveUpParts {
  readonly store: Pick<PutPort, 'put'>
  readonly onProblem: (error: unknown) => void
}

/** Puts a message; one that the store refuses as often as it is put is told of and given up. @throws what may pass */
export async function putOrGiveUp({ store, onProblem }: PutOrGiveUpParts, message: Message): Promise<void> {
  try {
    await store.put(message)
  } catch (error) {
    if (!isForGood(error)) throw error
    onProblem(error)
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
