/** The kernel's locks on files, which Node does not offer: the optional package `fs-ext`. */
import { isMainThread } from 'node:worker_threads'
import type { NativeLocks } from './directory-lock.js'
import { asDiskError, attempt } from './os-errors.js'

let nativeLocks: Promise<NativeLocks | undefined> | undefined

/**
 * `fs-ext` is compiled at installation, which package managers may skip: its absence is ordinary. It keeps
 * handles of the thread that loaded it first, and a second thread that loads it aborts the whole process:
 * only the main thread may.
 */
export function loadNativeLocks(): Promise<NativeLocks | undefined> {
  nativeLocks ??= !isMainThread
    ? Promise.resolve(undefined)
    : import('fs-ext').then(
        (ext) => ({
          flock: (fd: number) => attempt('flock', String(fd), () => ext.flockSync(fd, 'exnb')),
          fcntl: (fd: number) =>
            new Promise<void>((resolve, reject) => {
              // Asynchronous, since its fcntlSync passes the kernel a number for a pointer.
              const { F_WRLCK } = (ext as unknown as { constants: { F_WRLCK: number } }).constants
              ext.fcntl(fd, 'setlk', F_WRLCK, (error) => (error ? reject(asDiskError(error, 'fcntl', String(fd))) : resolve()))
            }),
        }),
        () => undefined,
      )
  return nativeLocks
}
