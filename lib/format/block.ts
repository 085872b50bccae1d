/** Bytes with a `DataView` on the same memory, because making the view costs more than using it. */
export interface Block {
  readonly bytes: Buffer
  readonly view: DataView
}

/** The block over given bytes; nothing is copied. */
export function blockOf(bytes: Uint8Array): Block {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { bytes: buffer, view: new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength) }
}

/** A block of `length` bytes of its own, not from Node's shared pool, content undefined. */
export function allocateBlock(length: number): Block {
  return blockOf(Buffer.allocUnsafeSlow(length))
}

/** A block of `length` zeros. */
export function zeroBlock(length: number): Block {
  return blockOf(Buffer.alloc(length))
}
