/**
 * The topics and groups that the options of a broker ask for. They are made when it opens, and tried before that on tables
 * that nobody keeps: options that cannot be are refused while nothing is on the disk yet.
 */
import { shown } from '../../base/errors.js'
import type { Clock } from '../../base/system.js'
import type { ResolvedBrokerOptions } from '../broker-options.js'
import { BrokerError } from '../errors.js'
import { Groups } from './groups.js'
import type { BrokerNames } from './system-topics.js'
import { Topics } from './topics.js'

/** What the options say of topics and groups. */
type Configured = Pick<ResolvedBrokerOptions, 'topics' | 'groups'>

/** Makes or changes one entry of an option. */
type Entry = () => Promise<unknown>

/** Makes what the options ask for. @throws as {@link Topics.create} and {@link Groups.create}, naming the entry */
export async function makeConfigured(tables: { topics: Topics; groups: Groups }, options: Configured): Promise<void> {
  await tables.topics.writeOnce(() =>
    tables.groups.writeOnce(async () => {
      for (const entry of entriesOf(tables, options)) await entry()
    }),
  )
}

/**
 * Tries what the options ask for, and makes nothing.
 *
 * @param isNew - whether there are no tables yet. What is there already may allow what would be refused of a new topic, so
 *   else only entries with wrong types and values are refused here, and the rest when it is their turn.
 * @throws as {@link makeConfigured}
 */
export async function tryConfigured(
  options: ResolvedBrokerOptions,
  { names, clock, isNew }: { names: BrokerNames; clock: Pick<Clock, 'now'>; isNew: boolean },
): Promise<void> {
  const { autoCreateTopics, autoCreateGroups, defaultQueues, quotas } = options
  const common = { config: undefined, clock, quotas, checkOpen: () => {} }
  const nothing = async (): Promise<void> => {}
  const deletion = { retriesOf: () => [], deleteQueues: nothing }
  const tables = {
    topics: new Topics({ ...common, names, autoCreate: autoCreateTopics, defaultQueues, ...deletion }),
    groups: new Groups({ ...common, autoCreate: autoCreateGroups, forgetOffsets: nothing }),
  }
  for (const entry of entriesOf(tables, options)) {
    try {
      await entry()
    } catch (error) {
      if (isNew || !(error instanceof BrokerError)) throw error
    }
  }
}

function* entriesOf({ topics, groups }: { topics: Topics; groups: Groups }, options: Configured): IterableIterator<Entry> {
  for (const [topic, settings] of Object.entries(options.topics))
    yield () => named(`option topics, ${shown(topic)}`, () => topics.create(topic, settings))
  for (const [group, settings] of Object.entries(options.groups))
    yield () => named(`option groups, ${shown(group)}`, () => groups.create(group, settings))
}

/** What is wrong with a setting does not say whose it is. */
async function named(entry: string, action: Entry): Promise<void> {
  try {
    await action()
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    const Kind = error instanceof TypeError ? TypeError : RangeError
    throw new Kind(`${entry}: ${error.message}`, { cause: error })
  }
}
