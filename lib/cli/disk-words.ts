/** What the system refused about a file, in words for whoever runs a command. */
import { MessageStoreError } from '../base/errors.js'
import { DiskError } from '../disk/disk.js'

/** By the code of the system. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not do that',
  EPERM: 'this user may not do that',
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'a part of the path is no directory',
  EISDIR: 'it is a directory',
  EROFS: 'the file system can only be read',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EMFILE: 'too many files are open (ulimit -n)',
  ENFILE: 'too many files are open on this machine',
  EIO: 'the disk has failed',
}

/** The words of an error: of one that the disk caused, which file it was and what that means; of others, their own. */
export function errorWords(error: Error): string {
  const cause = error instanceof MessageStoreError ? error.cause : error
  if (!(cause instanceof DiskError)) return error.message
  const { path, code, operation } = cause
  const words = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined
  return words === undefined ? error.message : `${path}: ${words} (${code}, ${operation})`
}
