/** What of the package is used: it need not be there to compile. */
declare module 'zstddec' {
  export class ZSTDDecoder {
    init(): Promise<void>
    decode(frame: Uint8Array, bytes: number): Uint8Array
  }
}
