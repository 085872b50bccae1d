/** A directory that went through many hands: when something is missing from it, the error tells through which. */

/** Does something; if it fails, the error tells how it came to that. */
export function told<Result>({ history }: { readonly history: readonly string[] }, act: () => Result): Result {
  try {
    return act()
  } catch (error) {
    throw new Error(`after ${history.join(', ') || 'nothing'}: ${String(error)}`, { cause: error })
  }
}
