/** What administrators do with groups. */
import { Redrive, type RedriveParts, type RedriveRequest, type RedriveResult } from './redrive.js'
import { type ResetOffset, type ResetParts, type ResetRequest, resetOffsets } from './reset-offsets.js'

/** See the head of this file. */
export class Administration {
  readonly #parts: ResetParts
  readonly #redrive: Redrive

  constructor(parts: ResetParts & RedriveParts) {
    this.#parts = parts
    this.#redrive = new Redrive(parts)
  }

  /** See {@link Broker.resetOffsets}. */
  resetOffsets(request: ResetRequest): Promise<ResetOffset[]> {
    return resetOffsets(this.#parts, request)
  }

  /** See {@link Broker.redrive}. */
  redrive(request: RedriveRequest): Promise<RedriveResult> {
    return this.#redrive.run(request)
  }
}
