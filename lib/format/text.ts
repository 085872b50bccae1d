/** Compares text with bytes without decoding them. */

const LAST_ASCII = 0x7f

/** Whether `[start, end)` are the bytes of an ASCII text. Of a text that is not ASCII they never are. */
export function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[start + i]!
    if (byte > LAST_ASCII || byte !== text.charCodeAt(i)) return false
  }
  return true
}

/** Whether a text has no characters but those of ASCII, so that its bytes are its units. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > LAST_ASCII) return false
  return true
}
