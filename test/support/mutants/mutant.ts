/** A fault made by hand in our own code, which some test must notice. */
export interface Mutant {
  /** What is wrong with it, as a sentence. */
  readonly fault: string
  /** The file below `lib`. */
  readonly file: string
  /** A text that stands in the file exactly once. */
  readonly text: string
  /** What stands there instead. */
  readonly replacement: string
  /** The test files that are expected to notice, below `test`, without `.test.ts`; the quickest first. */
  readonly tests: readonly string[]
}
