/** The other end of `runApart`: imports a module and calls one of its functions. */
import { parentPort, workerData } from 'node:worker_threads'

/** What an error says, with what caused it. */
export function errorText(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error)
}

if (parentPort !== null) {
  const input = workerData as { module: string; name: string; given: unknown }
  const functions = (await import(input.module)) as Record<string, (given: unknown) => Promise<unknown>>
  try {
    parentPort.postMessage({ result: await functions[input.name]!(input.given) })
  } catch (error) {
    parentPort.postMessage({ error: errorText(error) })
  }
}
