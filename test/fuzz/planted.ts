/** A decoder with a bug, to show that the fuzzer finds one. */

/** Fails on one beginning out of four thousand millions. */
export function readFuzz(input: Buffer): void {
  if (input[0] !== 0x46) return
  if (input[1] !== 0x55) return
  if (input[2] !== 0x5a) return
  if (input[3] !== 0x5a) return
  throw new Error('planted')
}
