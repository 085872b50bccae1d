/**
 * Fixed-width layouts, declared once.
 *
 * A layout is a table: field, offset, type, meaning. From it come the offsets that the hot codecs use, the
 * tables in `docs/format.md`, and a slow codec that walks the fields: it decodes what `inspect` shows, and
 * tests compare the hot codecs with it. Offsets are written out, because a reader wants to see them, and
 * checked at import, because nobody adds them up.
 */

/** Big-endian integers, signed (`i`) or not (`u`), a count of raw bytes, or a count of bytes that are zero. */
export type FieldType = 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | `${number} bytes` | `${number} zeros`

/** A field: where it starts, what it is, what it means. */
export type Field = readonly [at: number, type: FieldType, meaning: string]

/** Fields by name, in the order in which they stand. */
export type Fields = Readonly<Record<string, Field>>

/** What a field holds: i64 is a bigint, since it need not fit a number. */
export type FieldValue<Type extends FieldType> = Type extends 'i64'
  ? bigint
  : Type extends `${number} bytes`
    ? Uint8Array
    : Type extends `${number} zeros`
      ? undefined
      : number

/** The values of all fields. Those that are zero by definition are `undefined` and may be left out. */
export type StructValues<F extends Fields> = {
  readonly [Name in keyof F as F[Name][1] extends `${number} zeros` ? never : Name]: FieldValue<F[Name][1]>
}

/** A layout. */
export interface Struct<F extends Fields = Fields, Bytes extends number = number> {
  readonly name: string
  /** Length of the whole. */
  readonly bytes: Bytes
  readonly fields: F
  /** Where each field starts. */
  readonly at: { readonly [Name in keyof F]: F[Name][0] }
  /** The layout as a table in Markdown. */
  describe(): string
  /** Writes all fields, slowly. @throws {RangeError} when a value does not fit its field */
  encode(values: StructValues<F>): Buffer
  /** Reads all fields, slowly. @throws {RangeError} when fewer bytes are there */
  decode(view: DataView, at?: number): StructValues<F>
}

const WIDTHS: Readonly<Record<string, number>> = { i8: 1, u8: 1, i16: 2, u16: 2, i32: 4, u32: 4, i64: 8 }

/** Bytes that a field of a type takes. */
export function widthOf(type: FieldType): number {
  return WIDTHS[type] ?? Number.parseInt(type, 10)
}

/**
 * Declares a layout.
 *
 * @param bytes - length of the whole
 * @throws {RangeError} when a field does not start where the one before it ends, or the last does not end at `bytes`
 */
export function struct<const F extends Fields, const Bytes extends number>(
  name: string,
  bytes: Bytes,
  fields: F,
): Struct<F, Bytes> {
  let next = 0
  const offsets: Record<string, number> = {}
  for (const [field, [at, type]] of Object.entries(fields)) {
    const width = widthOf(type)
    if (!(width > 0)) throw new RangeError(`${name}.${field} has no width: ${type}`)
    if (at !== next) throw new RangeError(`${name}.${field} is declared at ${at}, but the field before it ends at ${next}`)
    offsets[field] = at
    next += width
  }
  if (next !== bytes) throw new RangeError(`the fields of ${name} take ${next} bytes, not ${bytes}`)
  return Object.freeze({
    name,
    bytes,
    fields,
    at: Object.freeze(offsets) as Struct<F>['at'],
    describe: () => describe(name, bytes, fields),
    encode: (values: StructValues<F>) => encode(name, bytes, fields, values),
    decode: (view: DataView, at = 0) => decode(name, bytes, fields, view, at) as StructValues<F>,
  })
}

function describe(name: string, bytes: number, fields: Fields): string {
  const rows = Object.entries(fields).map(([field, [at, type, meaning]]) => `| ${at} | ${type} | ${field} | ${meaning} |`)
  return [`${name}: ${bytes} bytes`, '', '| offset | type | field | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function encode(name: string, bytes: number, fields: Fields, values: Readonly<Record<string, unknown>>): Buffer {
  const buffer = Buffer.alloc(bytes)
  for (const [field, [at, type]] of Object.entries(fields)) {
    if (type.endsWith('zeros')) continue
    const value = values[field]
    const wrong = (): never => {
      throw new RangeError(`${name}.${field} must be ${type}, got ${value}`)
    }
    if (type === 'i64') {
      if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) wrong()
      buffer.writeBigInt64BE(value as bigint, at)
    } else if (type.endsWith('bytes')) {
      if (!(value instanceof Uint8Array) || value.length !== widthOf(type)) wrong()
      buffer.set(value as Uint8Array, at)
    } else {
      if (!Number.isInteger(value)) wrong()
      const width = widthOf(type)
      if (type.startsWith('i')) buffer.writeIntBE(value as number, at, width)
      else buffer.writeUIntBE(value as number, at, width)
    }
  }
  return buffer
}

function decode(name: string, bytes: number, fields: Fields, view: DataView, start: number): Record<string, unknown> {
  if (start < 0 || start + bytes > view.byteLength) {
    throw new RangeError(`${name} needs ${bytes} bytes at ${start}, there are ${view.byteLength}`)
  }
  const buffer = Buffer.from(view.buffer, view.byteOffset + start, bytes)
  const values: Record<string, unknown> = {}
  for (const [field, [at, type]] of Object.entries(fields)) {
    const width = widthOf(type)
    if (type.endsWith('zeros')) continue
    if (type === 'i64') values[field] = buffer.readBigInt64BE(at)
    else if (type.endsWith('bytes')) values[field] = buffer.subarray(at, at + width)
    else values[field] = type.startsWith('i') ? buffer.readIntBE(at, width) : buffer.readUIntBE(at, width)
  }
  return values
}
