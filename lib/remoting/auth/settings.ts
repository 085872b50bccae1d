/**
 * Who may do what, as a plain object: the form of RocketMQ's `plain_acl.yml`, and beside it the users and rules of
 * RocketMQ 5. It may come out of a file that somebody wrote, so all of it is looked at, and what nothing reads is refused.
 */
import { type FieldNames, fieldNames, refuseUnknown } from '../../base/arguments.js'
import type { AccountSettings, PlainPermission } from './plain-account.js'
import type { Credentials } from './signature.js'
import type { AclSettings, PolicyEntrySettings, UserSettings } from './user.js'

/** See the head of this file. An access key belongs to one account or one user. */
export interface AuthSettings {
  /** Addresses from which requests need neither signature nor permission, such as `10.0.0.*`. @default none */
  readonly globalWhiteRemoteAddresses?: readonly string[]
  /** Accounts as in RocketMQ 4.9. */
  readonly accounts?: readonly AccountSettings[]
  /** Users as in RocketMQ 5.3. */
  readonly users?: readonly UserSettings[]
  /** What these users may do. */
  readonly acls?: readonly AclSettings[]
}

/** Finds the account of an access key; it may ask elsewhere. `undefined` when nobody has that key. */
export type AccountLookup = (accessKey: string) => Promise<AccountSettings | undefined> | AccountSettings | undefined

type Fields = Readonly<Record<string, unknown>>
type Policy = AclSettings['policies'][number]

const known = {
  auth: fieldNames<keyof AuthSettings>({ globalWhiteRemoteAddresses: true, accounts: true, users: true, acls: true }),
  account: fieldNames<keyof AccountSettings>({
    accessKey: true,
    secretKey: true,
    whiteRemoteAddress: true,
    admin: true,
    defaultTopicPerm: true,
    defaultGroupPerm: true,
    topicPerms: true,
    groupPerms: true,
  }),
  credentials: fieldNames<keyof Credentials>({ accessKey: true, secretKey: true, securityToken: true }),
  user: fieldNames<keyof UserSettings>({ username: true, password: true, userType: true, userStatus: true }),
  acl: fieldNames<keyof AclSettings>({ subject: true, policies: true }),
  policy: fieldNames<keyof Policy>({ policyType: true, entries: true }),
  entry: fieldNames<keyof PolicyEntrySettings>({ resource: true, actions: true, sourceIps: true, decision: true }),
}

/** Reads the whole. @throws {TypeError} naming the field that cannot be; never a secret */
export function readAuthSettings(value: unknown, at = 'auth'): AuthSettings {
  const fields = fieldsAt(value, at, known.auth)
  return {
    globalWhiteRemoteAddresses: textsIn(fields, 'globalWhiteRemoteAddresses', at),
    accounts: itemsIn(fields, 'accounts', at, readAccount),
    users: itemsIn(fields, 'users', at, readUser),
    acls: itemsIn(fields, 'acls', at, readAcl),
  }
}

/** Reads one account. @throws {TypeError} naming the field that cannot be; never a secret */
export function readAccount(value: unknown, at: string): AccountSettings {
  const fields = fieldsAt(value, at, known.account)
  return {
    accessKey: textIn(fields, 'accessKey', at),
    secretKey: textIn(fields, 'secretKey', at),
    // In the file of RocketMQ a name without a value is often left standing.
    whiteRemoteAddress: textIn(fields, 'whiteRemoteAddress', at, ''),
    admin: flagIn(fields, 'admin', at),
    defaultTopicPerm: textIn(fields, 'defaultTopicPerm', at, 'DENY') as PlainPermission,
    defaultGroupPerm: textIn(fields, 'defaultGroupPerm', at, 'DENY') as PlainPermission,
    topicPerms: textsIn(fields, 'topicPerms', at),
    groupPerms: textsIn(fields, 'groupPerms', at),
  }
}

/** Reads what requests are signed with. @throws {TypeError} naming the field that cannot be; never a secret */
export function readCredentials(value: unknown, at: string): Credentials {
  const fields = fieldsAt(value, at, known.credentials)
  return {
    accessKey: textIn(fields, 'accessKey', at),
    secretKey: textIn(fields, 'secretKey', at),
    ...(fields['securityToken'] === undefined ? {} : { securityToken: textIn(fields, 'securityToken', at) }),
  }
}

function readUser(value: unknown, at: string): UserSettings {
  const fields = fieldsAt(value, at, known.user)
  return {
    username: textIn(fields, 'username', at),
    password: textIn(fields, 'password', at),
    userType: wordIn(fields, 'userType', at, ['Normal', 'Super']),
    userStatus: wordIn(fields, 'userStatus', at, ['enable', 'disable']),
  }
}

function readAcl(value: unknown, at: string): AclSettings {
  const fields = fieldsAt(value, at, known.acl)
  const policies = itemsIn(fields, 'policies', at, (one, where): Policy => {
    const inner = fieldsAt(one, where, known.policy)
    return {
      policyType: wordIn(inner, 'policyType', where, ['Custom', 'Default']),
      entries: itemsIn(inner, 'entries', where, readEntry),
    }
  })
  return { subject: textIn(fields, 'subject', at), policies }
}

function readEntry(value: unknown, at: string): PolicyEntrySettings {
  const fields = fieldsAt(value, at, known.entry)
  // RocketMQ's tools write the actions as one text.
  const { actions } = fields
  return {
    resource: textIn(fields, 'resource', at),
    actions: typeof actions === 'string' ? actions.split(',').map((one) => one.trim()) : textsIn(fields, 'actions', at),
    sourceIps: textsIn(fields, 'sourceIps', at),
    // What is not said plainly denies.
    decision: wordIn(fields, 'decision', at, ['Deny', 'Allow']),
  }
}

function fieldsAt(value: unknown, at: string, names: FieldNames): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'an object', value)
  refuseUnknown(at, value, names)
  return value as Fields
}

function textIn(fields: Fields, name: string, at: string, absent?: string): string {
  const value = fields[name] ?? absent
  if (typeof value !== 'string') throw wrong(`${at}.${name}`, 'a text', value)
  return value
}

function flagIn(fields: Fields, name: string, at: string): boolean {
  const value = fields[name] ?? false
  if (typeof value !== 'boolean') throw wrong(`${at}.${name}`, 'true or false', value)
  return value
}

function wordIn<Word extends string>(fields: Fields, name: string, at: string, words: readonly [Word, ...Word[]]): Word {
  const value = fields[name] ?? words[0]
  const word = words.find((one) => one === value)
  if (word === undefined) throw wrong(`${at}.${name}`, `one of ${words.join(', ')}`, value, typeof value === 'string')
  return word
}

function textsIn(fields: Fields, name: string, at: string): readonly string[] {
  return itemsIn(fields, name, at, (value, where) => {
    if (typeof value !== 'string') throw wrong(where, 'a text', value)
    return value
  })
}

function itemsIn<Item>(fields: Fields, name: string, at: string, read: (value: unknown, at: string) => Item): readonly Item[] {
  const value = fields[name] ?? []
  if (!Array.isArray(value)) throw wrong(`${at}.${name}`, 'a list', value)
  return value.map((one, i) => read(one, `${at}.${name}[${i}]`))
}

/** What stands there is not shown: it may be a secret in the wrong place. */
function wrong(at: string, wanted: string, got: unknown, isOfType = false): TypeError | RangeError {
  const Kind = isOfType ? RangeError : TypeError
  return new Kind(`${at} must be ${wanted}, got ${Array.isArray(got) ? 'a list' : got === null ? 'null' : typeof got}`)
}
