/**
 * Runs long computations in a thread of their own: the test runner follows every promise of its own thread
 * with hooks, which takes as much time again as a simulation itself.
 */
import { Worker } from 'node:worker_threads'
import { errorText } from './apart-thread.js'

/**
 * Calls a function of a module in a new thread.
 *
 * @param module - the `import.meta.url` of the module, which exports the function by its name
 * @param given - what the function gets; it must be cloneable, like the result
 * @throws {Error} with the message of what the function threw
 */
export async function runApart<Given, Result>(
  module: string,
  run: (given: Given) => Promise<Result>,
  given: Given,
  signal?: AbortSignal,
): Promise<Result> {
  const thread = new Worker(new URL('./apart-thread.js', import.meta.url), {
    workerData: { module, name: run.name, given },
    // Simulations make and drop disks all the time; with more room for what is new, less of it is copied.
    resourceLimits: { maxYoungGenerationSizeMb: 96 },
  })
  const stop = (): void => void thread.terminate()
  signal?.addEventListener('abort', stop)
  try {
    return await new Promise<Result>((resolve, reject) => {
      thread.once('message', ({ result, error }: { result?: Result; error?: string }) => {
        if (error === undefined) resolve(result as Result)
        else reject(new Error(error))
      })
      thread.once('error', (error) => reject(new Error(errorText(error))))
      thread.once('exit', () => reject(new Error(`the thread of ${run.name} ended without a result`)))
    })
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
