/**
 * A user as RocketMQ 5.3 has them, with the rules that say what it may do.
 *
 * A rule that names the resource counts before one that names a prefix of it, a longer prefix before a shorter one, that
 * before `*`, and what names a kind of resource before what means all kinds; of rules that are equally near, one that
 * denies. Rules of the policy `Default` count only where none of `Custom` says anything. What no rule allows is denied; a
 * user of type `Super` may do everything.
 */
import { shown } from '../../base/errors.js'
import type { Command } from '../command.js'
import { type AddressTest, addressTest } from './address-pattern.js'
import { type Action, actions, type Need, needText } from './needs.js'
import type { Principal } from './principal.js'
import { isSignedWith } from './signature.js'

/** A user, named as in RocketMQ. Its name is the access key, its password the secret key. */
export interface UserSettings {
  /** The access key of its requests. */
  readonly username: string
  /** What its requests are signed with. */
  readonly password: string
  /** @default 'Normal' */
  readonly userType?: 'Super' | 'Normal'
  /** @default 'enable' */
  readonly userStatus?: 'enable' | 'disable'
}

/** A rule. */
export interface PolicyEntrySettings {
  /** `Topic:orders`, `Group:bill*`, `Cluster:*`, or `*` for everything. */
  readonly resource: string
  /** `Pub`, `Sub`, `Create`, `Update`, `Delete`, `Get`, `List`, or `All`. */
  readonly actions: readonly string[]
  /** Addresses from which it counts, such as `10.0.0.*`. @default all */
  readonly sourceIps?: readonly string[]
  /** Whether it permits or forbids. */
  readonly decision: 'Allow' | 'Deny'
}

/** The rules of a user. */
export interface AclSettings {
  /** `User:` and the name. */
  readonly subject: string
  /** Its rules, those of its own and those that stand in for them. */
  readonly policies: readonly {
    /** @default 'Custom' */
    readonly policyType?: 'Custom' | 'Default'
    /** The rules, in any order. */
    readonly entries: readonly PolicyEntrySettings[]
  }[]
}

interface Rule {
  readonly kind: string
  readonly name: string
  readonly match: 'literal' | 'prefix' | 'any'
  readonly actions: ReadonlySet<Action>
  readonly from: AddressTest
  readonly isDenial: boolean
}

/** The order in which kinds of match count. */
const NEARNESS = { literal: 0, prefix: 1, any: 2 } as const
const KINDS = ['Topic', 'Group', 'Cluster']
const EVERYTHING = new Set(['All', 'Any', '*'])

/** See the head of this file. */
export class User implements Principal {
  readonly accessKey: string
  readonly #password: string
  readonly #isSuper: boolean
  readonly #isEnabled: boolean
  readonly #policies: readonly (readonly Rule[])[]

  /** @throws {RangeError} naming what cannot be; never the password */
  constructor(settings: UserSettings, acls: readonly AclSettings[]) {
    const { username, password, userType = 'Normal', userStatus = 'enable' } = settings
    if (username === '') throw new RangeError('username must not be empty')
    if (password === '') throw new RangeError(`the password of ${shown(username)} must not be empty`)
    this.accessKey = username
    this.#password = password
    this.#isSuper = userType === 'Super'
    this.#isEnabled = userStatus === 'enable'
    const own = acls.filter(({ subject }) => subject === `User:${username}`).flatMap(({ policies }) => policies)
    this.#policies = (['Custom', 'Default'] as const).map((type) =>
      own
        .filter(({ policyType = 'Custom' }) => policyType === type)
        .flatMap(({ entries }) => entries.map(ruleOf))
        .sort(nearestFirst),
    )
  }

  trusts(): boolean {
    return false
  }

  signed(command: Command): boolean {
    // Both are asked, so that one who is shut out learns no sooner than one who does not know the password.
    return isSignedWith(this.#password, command) && this.#isEnabled
  }

  refusal(need: Need, _code: number, address: string): string | undefined {
    if (this.#isSuper || this.#mayDo(need, address)) return undefined
    return `User:${this.accessKey} has no permission to access ${needText(need)} from ${address}`
  }

  /** The nearest rule that speaks of any of the actions decides: one that forbids to consume forbids to look, too. */
  #mayDo(need: Need, address: string): boolean {
    const speaks = (rule: Rule): boolean => need.actions.some((action) => rule.actions.has(action))
    for (const rules of this.#policies) {
      const first = rules.find((rule) => fits(rule, need) && speaks(rule) && rule.from(address))
      if (first !== undefined) return !first.isDenial
    }
    return false
  }
}

function fits({ kind, name, match }: Rule, need: Need): boolean {
  if (kind !== '*' && kind !== need.kind) return false
  if (match === 'literal') return need.name === name
  return match === 'any' || need.name.startsWith(name)
}

function nearestFirst(a: Rule, b: Rule): number {
  return (
    Number(a.kind === '*') - Number(b.kind === '*') ||
    NEARNESS[a.match] - NEARNESS[b.match] ||
    b.name.length - a.name.length ||
    Number(b.isDenial) - Number(a.isDenial)
  )
}

function ruleOf({ resource, actions: some, sourceIps = [], decision }: PolicyEntrySettings): Rule {
  return {
    ...resourceOf(resource),
    actions: actionsOf(some),
    from: sourceIps.length === 0 ? () => true : addressTest(sourceIps.join(',')),
    isDenial: decision === 'Deny',
  }
}

function resourceOf(text: string): Pick<Rule, 'kind' | 'name' | 'match'> {
  if (text === '*') return { kind: '*', name: '', match: 'any' }
  const [, kind = '', name = ''] = /^(\w+):(.+)$/s.exec(text) ?? []
  if (!KINDS.includes(kind))
    throw new RangeError(`a resource is such as Topic:orders, Group:bill* or Cluster:*, got ${shown(text)}`)
  if (name === '*') return { kind, name: '', match: 'any' }
  return name.endsWith('*') ? { kind, name: name.slice(0, -1), match: 'prefix' } : { kind, name, match: 'literal' }
}

function actionsOf(some: readonly string[]): ReadonlySet<Action> {
  if (some.some((action) => EVERYTHING.has(action))) return new Set(actions)
  const unknown = some.find((action) => !(actions as readonly string[]).includes(action))
  if (unknown !== undefined) throw new RangeError(`an action is All or one of ${actions.join(', ')}, got ${shown(unknown)}`)
  return new Set(some as readonly Action[])
}
