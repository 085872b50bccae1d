/**
 * An account as RocketMQ 4.9 has them in `plain_acl.yml`: an administrator, or somebody who may send to some topics and
 * consume some topics for some groups.
 *
 * Where the name of a topic or group is not listed, the default for topics or groups counts, and that is `DENY` when it is
 * not given; so it is for the topics in which the broker keeps what all of them wait for. Everybody may send traces. What
 * is neither sending nor consuming is for administrators, but for questions about a topic or a group, which those may ask
 * who send to it or consume it.
 */
import { shown } from '../../base/errors.js'
import { isClosedToClients, TRACE_TOPIC } from '../../broker/config/system-topics.js'
import type { Command } from '../command.js'
import { type AddressTest, addressTest } from './address-pattern.js'
import { type Need, needText } from './needs.js'
import type { Principal } from './principal.js'
import { isSignedWith } from './signature.js'

/** What an account may do to a topic or group: `DENY`, `PUB`, `SUB`, `PUB|SUB`, or `ANY` for both. */
export type PlainPermission = 'DENY' | 'PUB' | 'SUB' | 'PUB|SUB' | 'SUB|PUB' | 'ANY'

/** An account, named as in RocketMQ. */
export interface AccountSettings {
  /** More than 6 characters. */
  readonly accessKey: string
  /** More than 6 characters. */
  readonly secretKey: string
  /** Addresses from which its requests need neither signature nor permission, such as `10.0.0.*`. @default none */
  readonly whiteRemoteAddress?: string
  /** Whether it may do everything. @default false */
  readonly admin?: boolean
  /** For topics that are not listed. @default 'DENY' */
  readonly defaultTopicPerm?: PlainPermission
  /** For groups that are not listed. @default 'DENY' */
  readonly defaultGroupPerm?: PlainPermission
  /** Such as `orders=PUB|SUB`. */
  readonly topicPerms?: readonly string[]
  /** Such as `billing=SUB`. */
  readonly groupPerms?: readonly string[]
}

const PUB = 4
const SUB = 8
const bits: ReadonlyMap<string, number> = new Map([
  ['DENY', 0],
  ['PUB', PUB],
  ['SUB', SUB],
  ['ANY', PUB | SUB],
  ['PUB|SUB', PUB | SUB],
  ['SUB|PUB', PUB | SUB],
])

/** Keys must be longer, as in RocketMQ. */
const SHORT_KEY = 6

/** See the head of this file. */
export class PlainAccount implements Principal {
  readonly accessKey: string
  readonly #secretKey: string
  readonly #isAdmin: boolean
  readonly #white: AddressTest
  readonly #topics: Permissions
  readonly #groups: Permissions

  /** @throws {RangeError} naming what cannot be; never the secret */
  constructor(settings: AccountSettings) {
    const { accessKey, secretKey, whiteRemoteAddress = '', admin = false } = settings
    if (accessKey.length <= SHORT_KEY) throw new RangeError(`accessKey must have more than ${SHORT_KEY} characters`)
    if (secretKey.length <= SHORT_KEY)
      throw new RangeError(`the secretKey of ${shown(accessKey)} must have more than ${SHORT_KEY} characters`)
    this.accessKey = accessKey
    this.#secretKey = secretKey
    this.#isAdmin = admin
    this.#white = addressTest(whiteRemoteAddress)
    this.#topics = new Permissions(settings.defaultTopicPerm, settings.topicPerms)
    this.#groups = new Permissions(settings.defaultGroupPerm, settings.groupPerms)
  }

  trusts(address: string): boolean {
    return this.#white(address)
  }

  signed(command: Command): boolean {
    return isSignedWith(this.#secretKey, command)
  }

  refusal(need: Need, code: number): string | undefined {
    if (this.#isAdmin) return undefined
    const wanted = need.kind === 'Cluster' ? 0 : bitsOf(need)
    if (wanted === 0) return `Need admin permission for request code=${code}, but accessKey=${this.accessKey} is not`
    if (need.kind === 'Topic' && need.name === TRACE_TOPIC && wanted & PUB) return undefined
    const owned = need.kind === 'Topic' ? this.#topics.of(need.name, isClosedToClients(need.name)) : this.#groups.of(need.name)
    return owned & wanted ? undefined : `No permission for ${needText(need)}`
  }
}

/** Which permissions would do, one of them; 0 when only an administrator may. */
function bitsOf({ actions }: Need): number {
  const wanted = (actions.includes('Pub') ? PUB : 0) | (actions.includes('Sub') ? SUB : 0)
  return wanted === 0 && actions.includes('Get') ? PUB | SUB : wanted
}

class Permissions {
  readonly #standard: number
  readonly #listed = new Map<string, number>()

  constructor(standard = 'DENY', listed: readonly string[] = []) {
    this.#standard = permissionOf(standard)
    for (const text of listed) {
      const at = text.indexOf('=')
      if (at <= 0) throw new RangeError(`a permission is such as orders=PUB|SUB, got ${shown(text)}`)
      this.#listed.set(text.slice(0, at).trim(), permissionOf(text.slice(at + 1)))
    }
  }

  /** @param mustBeListed - whether the default does not count */
  of(name: string, mustBeListed = false): number {
    return this.#listed.get(name) ?? (mustBeListed ? 0 : this.#standard)
  }
}

function permissionOf(text: string): number {
  const found = bits.get(text.replaceAll(/\s/g, ''))
  if (found === undefined) throw new RangeError(`a permission is one of ${[...bits.keys()].join(', ')}, got ${shown(text)}`)
  return found
}
