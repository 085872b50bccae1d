/**
 * Every way in which remoting fails, each with the reaction it asks for, and the refusal that a handler throws.
 */
import { CodedError, type Reaction } from '../base/errors.js'

/** The table of remoting's error codes. */
export const remotingErrorCodes = {
  REMOTING_CLOSED: {
    reaction: 'retry',
    meaning: 'the connection closed before an answer came; the peer may have done what was asked',
  },
  REMOTING_TIMEOUT: { reaction: 'retry', meaning: 'no answer in time; the peer may have done what was asked' },
  REMOTING_UNREACHABLE: { reaction: 'retry', meaning: 'no connection could be made' },
  REMOTING_BUSY: { reaction: 'retry', meaning: 'too many requests wait for an answer of that peer; this one was not sent' },
  REMOTING_REFUSED: { reaction: 'reject', meaning: 'the peer answered with an error; `details` has its code and remark' },
  REMOTING_MALFORMED: { reaction: 'reject', meaning: 'the peer sent what is no frame of the protocol, or one beyond a limit' },
} as const satisfies Record<string, { reaction: Reaction; meaning: string }>

/** One of the codes of {@link remotingErrorCodes}. */
export type RemotingErrorCode = keyof typeof remotingErrorCodes

/** A failure between two peers. `code` is stable; `message` starts with it. */
export class RemotingError extends CodedError<RemotingErrorCode> {
  override readonly name = 'RemotingError'

  /** What the caller should do about it. */
  get reaction(): Reaction {
    return remotingErrorCodes[this.code].reaction
  }
}

/** Bytes that are no frame or no header. Who sent them is cut off. */
export class MalformedFrame extends RemotingError {
  constructor(what: string) {
    super('REMOTING_MALFORMED', what)
  }
}

/** What a handler throws to answer with a code other than success. The remark goes to the peer: no paths, no secrets. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  /** Response code. */
  readonly code: number

  constructor(code: number, remark: string) {
    super(remark)
    this.code = code
  }
}
