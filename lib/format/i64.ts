/** Integers of 64 bits in the bytes of the formats, as numbers: a `BigInt` for each would cost many times as much. */

const TWO_32 = 0x1_0000_0000

/** Writes a safe integer of either sign. */
export function setI64(view: DataView, at: number, value: number): void {
  const low = value | 0
  if (low === value) {
    view.setInt32(at, low >> 31)
    view.setInt32(at + 4, low)
    return
  }
  const high = Math.floor(value / TWO_32)
  view.setInt32(at, high)
  view.setUint32(at + 4, value - high * TWO_32)
}

/** Reads one; beyond the safe integers the number next to it. */
export function getI64(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_32 + view.getUint32(at + 4)
}
