/**
 * Maps from names to texts that others chose, such as properties: nothing is inherited, so every name is free, and the
 * names are the same in nearly all of them.
 *
 * An object from `Object.create(null)` is a hash table for V8. One from a constructor has a shape that all with the same
 * names share, which makes it several times as fast to fill, to read and to write as JSON.
 */
const NOTHING: object = Object.freeze(Object.create(null))

function Texts(this: object): void {}
Texts.prototype = NOTHING

/** A map to be filled. */
export function emptyTexts(): Record<string, string> {
  return new (Texts as unknown as new () => Record<string, string>)()
}
