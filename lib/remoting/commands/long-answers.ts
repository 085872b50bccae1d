/**
 * Answers with a row for each of perhaps fifty thousand topics, which take a third of a second to write. They are written a few
 * rows at a time, between which others have their turn; one at a time, and once for all who asked before it was begun.
 */
import type { TurnShare } from '../../base/turn-share.js'
import { responseCodes } from '../codes.js'
import { answer } from '../command.js'
import type { Handler } from '../handling.js'

/** Rows that are written at once. */
const ROWS_AT_ONCE = 32

/** What is written of a table: what stands before its rows, the rows, and what stands behind them. */
export interface LongText<Row> {
  readonly head: string
  readonly rows: readonly Row[]
  readonly print: (row: Row) => string
  readonly tail: string
}

/** Writes a table in steps, with commas between its rows. What it is of must not change meanwhile. */
export async function longBody<Row>(share: TurnShare, { head, rows, print, tail }: LongText<Row>): Promise<Buffer> {
  const pieces = [Buffer.from(head)]
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    await share.pause()
    const some = rows.slice(at, at + ROWS_AT_ONCE).map(print)
    pieces.push(Buffer.from(`${at === 0 ? '' : ','}${some.join(',')}`))
  }
  return Buffer.concat([...pieces, Buffer.from(tail)])
}

/** Answers with a body that takes long to make. Of a connection one is made at a time: hundreds would fill the memory. */
export function atLength(make: () => Promise<Buffer>): Handler {
  return async (command, connection) => {
    connection.answerAlone(command)
    return answer(command, responseCodes.SUCCESS, { body: await make() })
  }
}

/** Makes something for who asks: one at a time, and the same for all who ask before it is begun. */
export function sharedMaking<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let next: Promise<Result> | undefined
  let last: Promise<unknown> = Promise.resolve()
  return () => {
    if (next === undefined) {
      const made = last.then(() => {
        next = undefined
        return make()
      })
      last = made.catch(() => {})
      next = made
    }
    return next
  }
}
