/** How a request becomes an answer: a table from code to handler, and what is said when a handler has none. */
import { responseCodes } from './codes.js'
import { answer, type Command } from './command.js'
import type { Connection } from './connection.js'
import { Refusal } from './errors.js'

/**
 * Does what one kind of request asks for. It may throw a {@link Refusal}. The connection gives the answer the number
 * and the encoding of its request, and sends none to a one-way request. `undefined`: no answer, or one that
 * `connection.send` brings later.
 */
export type Handler = (request: Command, connection: Connection) => Promise<Command | undefined> | Command | undefined

/** Handlers by request code. */
export type HandlerTable = ReadonlyMap<number, Handler>

/** Does what a request asks for. @throws {Refusal} as RocketMQ says it, for a code that is not known */
export function handle(table: HandlerTable, command: Command, connection: Connection): ReturnType<Handler> {
  const handler = table.get(command.code)
  if (handler !== undefined) return handler(command, connection)
  throw new Refusal(responseCodes.REQUEST_CODE_NOT_SUPPORTED, ` request type ${command.code} not supported`)
}

/** The answer to a request that failed. What is no refusal says nothing of its inside. */
export function failureAnswer(command: Command, error: unknown): Command {
  if (error instanceof Refusal) return answer(command, error.code, { remark: error.message })
  return answer(command, responseCodes.SYSTEM_ERROR, { remark: 'internal error' })
}
