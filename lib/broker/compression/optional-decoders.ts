/**
 * What reads LZ4 and ZSTD: optional packages, since few programs need them, and Node itself where it can.
 *
 * `fzstd` is not among them: 25 bytes that lie about their matches keep it busy for minutes.
 */
import * as zlib from 'node:zlib'

/** Readers of single frames; `undefined` where nothing is installed that could. */
export interface Decoders {
  /** The content of a frame of LZ4. */
  readonly lz4: ((frame: Buffer) => Buffer) | undefined
  /** The content of a frame of ZSTD, of at most so many bytes; nothing, or an error, when it is damaged or larger. */
  readonly zstd: ((frame: Buffer, maxBytes: number) => Buffer) | undefined
}

/** What of Node's zlib is there from 22.15 on. */
interface NewZlib {
  zstdDecompressSync?: (frame: Buffer, options: { maxOutputLength: number }) => Buffer
}

/** For a process in which nothing is inflated, as where all who consume are elsewhere: both packages take memory. */
export const noDecoders: Decoders = { lz4: undefined, zstd: undefined }

let loading: Promise<Decoders> | undefined

/** Loads what is installed, once. */
export function loadDecoders(): Promise<Decoders> {
  return (loading ??= load())
}

async function load(): Promise<Decoders> {
  const [lz4, zstd] = await Promise.all([loadLz4(), loadZstd()])
  return { lz4, zstd }
}

async function loadLz4(): Promise<Decoders['lz4']> {
  const loaded = await optional(() => import('lz4-napi'))
  return loaded?.decompressFrameSync
}

async function loadZstd(): Promise<Decoders['zstd']> {
  const { zstdDecompressSync } = zlib as NewZlib
  if (zstdDecompressSync !== undefined) return (frame, maxBytes) => zstdDecompressSync(frame, { maxOutputLength: maxBytes })
  const loaded = await optional(() => import('zstddec'))
  if (loaded === undefined) return undefined
  const decoder = new loaded.ZSTDDecoder()
  await decoder.init()
  return (frame, maxBytes) => {
    const { buffer, byteOffset, byteLength } = decoder.decode(frame, maxBytes)
    return Buffer.from(buffer, byteOffset, byteLength)
  }
}

/** A package, if it is installed and runs here: its absence is ordinary. */
async function optional<Package>(load: () => Promise<Package>): Promise<Package | undefined> {
  try {
    return await load()
  } catch {
    return undefined
  }
}
