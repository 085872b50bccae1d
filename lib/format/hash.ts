/** Java's string hash, on which tags codes and index slots rest. (`String.hashCode`, `IndexFile.indexKeyHashMethod`.) */

/** `hash = 31 * hash + unit` over UTF-16 units, wrapping at 32 bits, signed. */
export function javaHash(text: string): number {
  return javaHashContinue(0, text)
}

/** The hash of what `hash` is of, followed by `text`. */
export function javaHashContinue(hash: number, text: string): number {
  let value = hash
  for (let i = 0; i < text.length; i++) value = (Math.imul(31, value) + text.charCodeAt(i)) | 0
  return value
}

/** 31 to the power of `length`: a text behind another adds its own hash to theirs times this, by the length of the text. */
export function hashPower(length: number): number {
  let power = 1
  for (let i = 0; i < length; i++) power = Math.imul(31, power)
  return power
}

/** Hash of a key in the index: of `topic#key`, without sign; the one number that has no absolute value becomes 0. */
export function indexKeyHash(topic: string, key: string): number {
  return unsigned(javaHashContinue(javaHash(`${topic}#`), key))
}

/** `|hash|`, 0 for the smallest integer. */
export function unsigned(hash: number): number {
  return hash === -0x80000000 ? 0 : Math.abs(hash)
}
