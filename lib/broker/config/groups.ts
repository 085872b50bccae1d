/** The consumer groups of a broker: `config/subscriptionGroup.json`, read once, replaced with every change. */

import { checkString } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { Clock } from '../../base/system.js'
import type { ConfigObject } from '../../format/config-json.js'
import { BrokerError } from '../errors.js'
import type { ConfigPort } from '../store-port.js'
import { fieldsOf, numberOf } from './config-object.js'
import { type DataVersion, nextDataVersion, printDataVersion, readDataVersion } from './data-version.js'
import {
  type GroupConfig,
  type GroupSettings,
  newGroup,
  printGroupConfig,
  readGroupConfig,
  withGroupSettings,
} from './group-config.js'
import { HeldWrites } from './held-writes.js'
import { listsSystem } from './listing.js'
import { checkGroupQuota, type Quotas } from './quotas.js'
import { isSystemGroup, systemGroups } from './system-topics.js'

/** RocketMQ's limit for the name of a group; its retry topic must fit the name of a directory. */
const MAX_GROUP_BYTES = 120
const GROUP = /^[%|a-zA-Z0-9_-]+$/

/** What a table of groups is made of. */
export interface GroupsOptions {
  /** `undefined` to try what may be made, and keep none of it. */
  readonly config: ConfigPort | undefined
  readonly clock: Pick<Clock, 'now'>
  /** Whether a group is made by its first consumer. */
  readonly autoCreate: boolean
  readonly quotas: Quotas
  /** @throws {BrokerError} `BROKER_CLOSED` when nobody may change groups any more */
  readonly checkOpen: () => void
  /** Forgets the offsets of a group. */
  readonly forgetOffsets: (group: string) => Promise<void>
}

/** The bit that keeps a group from reading a topic. */
const READ_FORBIDDEN = 4

/** @throws {TypeError} {@link RangeError} when a name cannot be that of a group */
export function checkGroup(group: unknown): asserts group is string {
  checkString('group', group)
  if (group.length <= MAX_GROUP_BYTES && GROUP.test(group)) return
  throw new RangeError(`group must be 1 to ${MAX_GROUP_BYTES} letters, digits, %, |, _ and -, got ${shown(group)}`)
}

/** See the head of this file. */
export class Groups {
  readonly #options: GroupsOptions
  readonly #table = new Map<string, GroupConfig>()
  #others: ConfigObject
  readonly #writes = new HeldWrites()
  #version: DataVersion
  #last: Promise<unknown> = Promise.resolve()
  #isInUse: (group: string) => boolean = () => false

  constructor(options: GroupsOptions) {
    this.#options = options
    const file = fieldsOf(options.config?.read('subscriptionGroup'))
    this.#others = file
    this.#version = readDataVersion(file['dataVersion'], options.clock.now())
    for (const [group, value] of Object.entries(fieldsOf(file['subscriptionGroupTable']))) {
      this.#table.set(group, readGroupConfig(group, value))
    }
    for (const group of systemGroups) if (!this.#table.has(group)) this.#table.set(group, newGroup(group))
  }

  /** How often the table was changed, and when. */
  get version(): DataVersion {
    return this.#version
  }

  /** The group, or `undefined`. */
  find(group: string): GroupConfig | undefined {
    const found = this.#table.get(group)
    if (found === undefined) checkString('group', group)
    return found
  }

  /** The group. @throws {BrokerError} `GROUP_UNKNOWN` */
  get(group: string): GroupConfig {
    const found = this.find(group)
    if (found === undefined) throw new BrokerError('GROUP_UNKNOWN', `there is no consumer group ${shown(group)}`)
    return found
  }

  /** All groups by name, those of the system when asked for. */
  list(options: { system?: boolean } = {}): GroupConfig[] {
    const system = listsSystem(options)
    const all = [...this.#table.values()].filter(({ group }) => system || !isSystemGroup(group))
    return all.sort((a, b) => (a.group < b.group ? -1 : 1))
  }

  /** Makes a group, or changes one. @throws {TypeError} {@link RangeError} for a name or setting */
  create(group: string, settings: GroupSettings = {}): Promise<GroupConfig> {
    checkGroup(group)
    return this.#asked(() => this.#create(group, settings))
  }

  /** Changes a group; what the settings leave out stays. @throws {BrokerError} `GROUP_UNKNOWN` */
  update(group: string, settings: GroupSettings): Promise<GroupConfig> {
    checkGroup(group)
    return this.#asked(() => this.#replace(withGroupSettings(this.get(group), settings)))
  }

  /** Takes over a group as another broker or an administrator configured it. */
  put(config: GroupConfig): Promise<GroupConfig> {
    checkGroup(config.group)
    return this.#asked(() => this.#replace(config))
  }

  /**
   * Deletes a group and its offsets. Its retry and dead-letter topics stay. Consumers in other processes are not waited
   * for, as in RocketMQ: those that go on make the group again.
   *
   * @throws {BrokerError} `GROUP_UNKNOWN`; `GROUP_IN_USE` while it has consumers in this process
   */
  async delete(group: string): Promise<void> {
    checkString('group', group)
    return this.#asked(async () => {
      const before = this.get(group)
      if (this.#isInUse(group))
        throw new BrokerError('GROUP_IN_USE', `group ${group} has consumers in this process, which must be closed first`)
      // Whoever joins while it is written makes it again, behind this.
      this.#table.delete(group)
      try {
        await this.#write(this.#table)
      } catch (error) {
        this.#table.set(group, before)
        throw error
      }
      await this.#options.forgetOffsets(group)
    })
  }

  /** From now on no group is deleted while this is true of it. */
  keepWhile(isInUse: (group: string) => boolean): void {
    this.#isInUse = isInUse
  }

  /** The group of a consumer, made if that is allowed. @throws {BrokerError} `GROUP_UNKNOWN` */
  async forConsuming(group: string): Promise<GroupConfig> {
    const found = this.#table.get(group)
    if (found !== undefined) return found
    if (!this.#options.autoCreate && !isSystemGroup(group)) this.get(group)
    checkGroup(group)
    return this.#inTurn(() => this.#create(group, {}))
  }

  /** The group, once what is under way is done: its consumer may be about to make it. @throws {BrokerError} `GROUP_UNKNOWN` */
  async whenMade(group: string): Promise<GroupConfig> {
    if (!this.#table.has(group)) await this.#last
    return this.get(group)
  }

  /** @throws {BrokerError} `GROUP_UNKNOWN`, `QUOTA_EXCEEDED` when a group is neither there nor may its first consumer make it */
  checkForConsuming(group: string): void {
    if (this.#table.has(group)) return
    if (!this.#options.autoCreate) this.get(group)
    this.#checkQuota(group)
  }

  /** Whether a group is kept from reading a topic. */
  isForbidden(group: string, topic: string): boolean {
    return (numberOf(fieldsOf(this.forbidden[group])[topic], 0) & READ_FORBIDDEN) !== 0
  }

  /** Which groups are kept from what, as it stands in the file: bits by topic. */
  get forbidden(): ConfigObject {
    return fieldsOf(this.#others['forbiddenTable'])
  }

  /** Keeps a group from reading a topic, or lets it. @throws {BrokerError} `GROUP_UNKNOWN` */
  forbid(group: string, topic: string, isForbidden: boolean): Promise<void> {
    return this.#asked(async () => {
      this.get(group)
      if (this.isForbidden(group, topic) === isForbidden) return
      const before = this.#others
      const known = Object.entries(fieldsOf(this.forbidden[group]))
      const bits = numberOf(known.find(([name]) => name === topic)?.[1], 0) ^ READ_FORBIDDEN
      // Made of entries: a topic may be called `__proto__`.
      const topics = Object.fromEntries([...known.filter(([name]) => name !== topic), ...(bits === 0 ? [] : [[topic, bits]])])
      this.#others = { ...before, forbiddenTable: { ...this.forbidden, [group]: topics } }
      try {
        await this.#write(this.#table)
      } catch (error) {
        this.#others = before
        throw error
      }
    })
  }

  #checkQuota(group: string): void {
    if (!isSystemGroup(group)) checkGroupQuota(this.#options.quotas, this.list().length, group)
  }

  #create(group: string, settings: GroupSettings): Promise<GroupConfig> {
    return this.#replace(withGroupSettings(this.#table.get(group) ?? newGroup(group), settings))
  }

  /** What a user or an administrator changes; the broker itself may still make what a consumer needs while it closes. */
  async #asked<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#options.checkOpen()
    return this.#inTurn(action)
  }

  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(action)
    this.#last = done.catch(() => {})
    return done
  }

  async #replace(config: GroupConfig): Promise<GroupConfig> {
    const before = this.#table.get(config.group)
    if (before !== undefined && JSON.stringify(printGroupConfig(before)) === JSON.stringify(printGroupConfig(config)))
      return before
    if (before === undefined) this.#checkQuota(config.group)
    if (this.#options.config !== undefined)
      await this.#writes.write(() => this.#write(new Map(this.#table).set(config.group, config)))
    this.#table.set(config.group, config)
    return config
  }

  /** Writes the table once for all that is made or changed by `action`, while nobody else changes it. */
  writeOnce(action: () => Promise<void>): Promise<void> {
    return this.#writes.once(action, () => this.#write(this.#table))
  }

  async #write(table: ReadonlyMap<string, GroupConfig>): Promise<void> {
    const { config, clock } = this.#options
    const version = nextDataVersion(this.#version, clock.now())
    const subscriptionGroupTable = Object.fromEntries([...table].map(([group, one]) => [group, printGroupConfig(one)]))
    await config?.write('subscriptionGroup', {
      ...this.#others,
      dataVersion: printDataVersion(version),
      forbiddenTable: this.forbidden,
      subscriptionGroupTable,
    })
    this.#version = version
  }
}
