/**
 * The configuration files of a store as a port for those above it: what a broker keeps beside the log. The store
 * reads one thing of it, which topics hold batches, and hears of changes here.
 */
import { wrongValue } from '../../base/arguments.js'
import type { Disk } from '../../disk/disk.js'
import type { ConfigValue } from '../../format/config-json.js'
import type { StoreState } from '../state.js'
import { batchTopicsOf, readConfig, writeConfig } from './config-file.js'

/** What the configuration files of a store are made of. */
export interface ConfigFilesOptions {
  readonly disk: Disk
  readonly directory: string
  readonly state: StoreState
  /** Told of the topics that hold batches when `topics` is replaced. */
  readonly onBatchTopics: (topics: ReadonlySet<string>) => void
  /** Told of a file whose spare copy was taken, and why. */
  readonly onSpareCopy: (path: string, why: string) => void
}

/** RocketMQ's `config/*.json`: read with the spare copy as a fallback, replaced as a whole. */
export class ConfigFiles {
  readonly #options: ConfigFilesOptions
  /** For each file the last replacement that was asked for: they replace the same two files. */
  readonly #last = new Map<string, Promise<void>>()

  constructor(options: ConfigFilesOptions) {
    this.#options = options
  }

  /**
   * What a file holds, by its name without `.json`, or `undefined` when there is none.
   *
   * @throws {MessageStoreError} `STORE_INCOMPATIBLE` when neither the file nor its spare copy can be read
   */
  read(name: string): ConfigValue | undefined {
    const { disk, state, onSpareCopy } = this.#options
    state.checkOpen()
    const path = this.#pathOf(name)
    return readConfig(disk, path, (why) => onSpareCopy(path, why))
  }

  /**
   * Replaces a file; what it held becomes the spare copy `.bak`. Resolves when both survive power loss. Replacements
   * of one file happen in the order they were asked for.
   *
   * @throws {MessageStoreError} why the store may not be written; the file is as it was
   */
  write(name: string, value: ConfigValue): Promise<void> {
    const { disk, state, onBatchTopics } = this.#options
    const path = this.#pathOf(name)
    const before = this.#last.get(name) ?? Promise.resolve()
    const done = before.then(async () => {
      state.checkSound()
      await writeConfig(disk, path, value)
      if (name === 'topics') onBatchTopics(batchTopicsOf(value))
    })
    this.#last.set(
      name,
      done.catch(() => {}),
    )
    return done
  }

  /** Waits for what was asked for: the directory must not change after the lock is gone. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values())
  }

  #pathOf(name: string): string {
    if (typeof name !== 'string' || !/^[a-zA-Z0-9]+$/.test(name))
      throw wrongValue('string', 'the name of a configuration file', 'letters and digits', name)
    return `${this.#options.directory}/${name}.json`
  }
}
