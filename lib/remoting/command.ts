/**
 * A request or response of RocketMQ's remoting protocol, as a value. How it travels is the frame's business.
 *
 * ```
 *  flag   bit 0  it is a response: `opaque` says to which request
 *         bit 1  it is a one-way request: nobody waits for an answer, and none may be sent
 * ```
 */

import { emptyTexts } from '../base/texts.js'

/** How a header is written. An answer is written as its request was. */
export type Encoding = 'json' | 'binary'

/** Names of languages at their numbers. Persistent. Never renumber. */
export const languages = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
] as const

/** What the program at the other end is written in, as far as it says so. */
export type Language = (typeof languages)[number]

/** Names with texts. Those that were read inherit nothing. */
export type ExtFields = Readonly<Record<string, string>>

/** A request or a response. */
export interface Command {
  /** What is asked, or what came of it. */
  readonly code: number
  /** `undefined` when the name or number is not a known one. */
  readonly language: Language | undefined
  /** Release of the sender: see {@link OUR_VERSION}. */
  readonly version: number
  /** Number of the request, 32 bits with sign, chosen by who asks. */
  readonly opaque: number
  readonly flag: number
  /** For people; in answers the text of an error. */
  readonly remark: string | undefined
  readonly extFields: ExtFields
  readonly body: Buffer
  readonly encoding: Encoding
}

/** What the sender of a command fills in. */
export interface CommandParts {
  readonly remark?: string | undefined
  /** Numbers and booleans travel as text; what is undefined does not travel. */
  readonly ext?: Readonly<Record<string, string | number | bigint | boolean | undefined>>
  readonly body?: Uint8Array | undefined
}

/** The release as which we speak: V5_3_3. */
export const OUR_VERSION = 479

const RESPONSE = 1
const ONE_WAY = 2
const EMPTY = Buffer.alloc(0)

/** Whether a command answers one. */
export function isResponse({ flag }: Command): boolean {
  return (flag & RESPONSE) !== 0
}

/** Whether a request wants no answer. */
export function isOneWay({ flag }: Command): boolean {
  return (flag & ONE_WAY) !== 0
}

/** A request. The connection that sends it gives it its number. */
export function request(code: number, parts: CommandParts = {}): Command {
  return command(code, 0, 0, 'json', parts)
}

/** A request that nobody answers. */
export function oneWayRequest(code: number, parts: CommandParts = {}): Command {
  return command(code, 0, ONE_WAY, 'json', parts)
}

/** The answer to a request: its number, its encoding. */
export function answer(to: Command, code: number, parts: CommandParts = {}): Command {
  return command(code, to.opaque, RESPONSE, to.encoding, parts)
}

/** A response as the answer to a request, whatever it was made for. */
export function asAnswer(response: Command, { opaque, encoding }: Command): Command {
  if (response.opaque === opaque && response.flag === RESPONSE && response.encoding === encoding) return response
  return { ...response, opaque, flag: RESPONSE, encoding }
}

function command(code: number, opaque: number, flag: number, encoding: Encoding, parts: CommandParts): Command {
  const { remark, ext, body } = parts
  return {
    code,
    language: 'OTHER',
    version: OUR_VERSION,
    opaque,
    flag,
    remark,
    extFields: ext === undefined ? emptyExtFields() : textsOf(ext),
    body: body === undefined ? EMPTY : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    encoding,
  }
}

/** A map of ext fields to be filled. It inherits nothing, so every name is free. */
export function emptyExtFields(): Record<string, string> {
  return emptyTexts()
}

function textsOf(fields: NonNullable<CommandParts['ext']>): ExtFields {
  const texts = emptyExtFields()
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (value !== undefined) texts[name] = String(value)
  }
  return texts
}
