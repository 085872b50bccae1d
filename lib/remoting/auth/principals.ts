/** Everybody who may send requests, by access key. */
import { shown } from '../../base/errors.js'
import { addressTest } from './address-pattern.js'
import { PlainAccount } from './plain-account.js'
import type { Principal } from './principal.js'
import { type AccountLookup, type AuthSettings, readAccount, readAuthSettings } from './settings.js'
import { User } from './user.js'

/** See the head of this file. */
export interface Principals {
  /** Whether everything that comes from an address is done without being asked about. */
  trusts(address: string): boolean
  /** Who has an access key. */
  find(accessKey: string): Promise<Principal | undefined> | Principal | undefined
  /** Who has an access key now, where that can be said without asking anybody; else who was found for it before. */
  still(accessKey: string, before: Principal | undefined): Principal | undefined
}

/** Everybody who is listed now: the list may be exchanged while requests come in. */
export class CurrentPrincipals implements Principals {
  #listed: Principals
  #settings: AuthSettings

  /** @throws as {@link principalsOf} */
  constructor(auth: AuthSettings) {
    this.#settings = readAuthSettings(auth)
    this.#listed = principalsOf(this.#settings)
  }

  /** The list. It has the secrets. */
  get settings(): AuthSettings {
    return this.#settings
  }

  /** Takes another list. @throws as {@link principalsOf}, and then the old one stays */
  become(auth: AuthSettings): void {
    const settings = readAuthSettings(auth)
    this.#listed = principalsOf(settings)
    this.#settings = settings
  }

  trusts(address: string): boolean {
    return this.#listed.trusts(address)
  }

  find(accessKey: string): Promise<Principal | undefined> | Principal | undefined {
    return this.#listed.find(accessKey)
  }

  still(accessKey: string, before: Principal | undefined): Principal | undefined {
    return this.#listed.still(accessKey, before)
  }
}

/** Reads who there is. @throws {TypeError} {@link RangeError} naming what cannot be; never a secret */
export function principalsOf(auth: AuthSettings | AccountLookup): Principals {
  return typeof auth === 'function' ? new FoundPrincipals(auth) : new ListedPrincipals(readAuthSettings(auth))
}

class ListedPrincipals implements Principals {
  readonly #byKey = new Map<string, Principal>()
  readonly #trusted: readonly ((address: string) => boolean)[]

  constructor({ globalWhiteRemoteAddresses = [], accounts = [], users = [], acls = [] }: AuthSettings) {
    this.#trusted = globalWhiteRemoteAddresses.map(addressTest)
    for (const account of accounts) this.#add(new PlainAccount(account))
    for (const user of users) this.#add(new User(user, acls))
    for (const { subject } of acls) {
      const isThere = users.some(({ username }) => subject === `User:${username}`)
      if (!isThere)
        throw new RangeError(
          `auth.acls has rules for ${shown(subject)}, which is no User: with a name of auth.users, such as User:auditor`,
        )
    }
  }

  trusts(address: string): boolean {
    return this.#trusted.some((test) => test(address))
  }

  find(accessKey: string): Principal | undefined {
    return this.#byKey.get(accessKey)
  }

  still(accessKey: string): Principal | undefined {
    return this.#byKey.get(accessKey)
  }

  #add(principal: PlainAccount | User): void {
    const { accessKey } = principal
    if (this.#byKey.has(accessKey)) throw new RangeError(`auth has the access key ${shown(accessKey)} twice`)
    this.#byKey.set(accessKey, principal)
  }
}

class FoundPrincipals implements Principals {
  readonly #lookup: AccountLookup

  constructor(lookup: AccountLookup) {
    this.#lookup = lookup
  }

  trusts(): boolean {
    return false
  }

  find(accessKey: string): Promise<Principal | undefined> | Principal | undefined {
    const found = this.#lookup(accessKey)
    return found instanceof Promise ? found.then((one) => accountOf(accessKey, one)) : accountOf(accessKey, found)
  }

  still(_accessKey: string, before: Principal | undefined): Principal | undefined {
    return before
  }
}

function accountOf(accessKey: string, found: unknown): Principal | undefined {
  if (found === undefined || found === null) return undefined
  const account = new PlainAccount(readAccount(found, 'the account'))
  if (account.accessKey !== accessKey) throw new RangeError('the account that was found has another access key')
  return account
}
