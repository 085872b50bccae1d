/** XXH64, the one hash that is not RocketMQ's: its WebAssembly is compiled once, when it is first wanted. */
import xxhash, { type XXHashAPI } from 'xxhash-wasm'

/** XXH64 of texts as UTF-8, of bytes, and of bytes that come in pieces; seed 0 unless told. */
export type Xxh64 = Pick<XXHashAPI, 'h64' | 'h64Raw' | 'create64'>

let loading: Promise<Xxh64> | undefined

/** The hash, ready for use. */
export function loadXxh64(): Promise<Xxh64> {
  return (loading ??= xxhash())
}
