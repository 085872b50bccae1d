/**
 * Who may do what, as administrators see it: RocketMQ 5.3's users and rules, without their passwords. They are changed
 * in the file of the server alone: who could do that from elsewhere could let everybody in.
 */
import type { AuthSettings } from '../auth/settings.js'
import type { AclSettings, UserSettings } from '../auth/user.js'
import { printBody } from '../body-json.js'
import { accountRequests as codes, responseCodes } from '../codes.js'
import { answer } from '../command.js'
import { Refusal } from '../errors.js'
import { requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'

/** The requests that change nothing. */
export const accountReading: readonly number[] = [
  codes.AUTH_GET_USER,
  codes.AUTH_LIST_USER,
  codes.AUTH_GET_ACL,
  codes.AUTH_LIST_ACL,
]

const { SUCCESS, SYSTEM_ERROR, ILLEGAL_OPERATION, USER_NOT_EXIST } = responseCodes

/** See the head of this file. */
export function accountHandlers(served: ServedBroker): Entries {
  const changing = Object.values(codes).filter((code) => !accountReading.includes(code))
  const listed = (): Required<AuthSettings> => ({ ...nobody, ...listedIn(served) })
  const user: Handler = (command) => {
    const name = requiredText(command, 'username')
    const found = listed().users.find(({ username }) => username === name)
    return answer(command, SUCCESS, found === undefined ? {} : { body: printBody(printUser(found)) })
  }
  const users: Handler = (command) => {
    const { filter = '' } = command.extFields
    const found = listed().users.filter(({ username }) => username.includes(filter))
    return answer(command, SUCCESS, { body: printBody(found.map(printUser)) })
  }
  const acl: Handler = (command) => {
    const subject = requiredText(command, 'subject')
    const { users: all, acls } = listed()
    if (!all.some(({ username }) => subject === `User:${username}`))
      throw new Refusal(USER_NOT_EXIST, `The subject of ${subject} is not exist.`)
    const found = rulesOf(acls, subject, '')
    return answer(command, SUCCESS, found === undefined ? {} : { body: printBody(found) })
  }
  const acls: Handler = (command) => {
    const { subjectFilter = '', resourceFilter = '' } = command.extFields
    const all = listed().acls
    const subjects = [...new Set(all.map(({ subject }) => subject))].filter((one) => one.includes(subjectFilter))
    const found = subjects.flatMap((subject) => rulesOf(all, subject, resourceFilter) ?? [])
    return answer(command, SUCCESS, { body: printBody(found) })
  }
  return [
    [codes.AUTH_GET_USER, user],
    [codes.AUTH_LIST_USER, users],
    [codes.AUTH_GET_ACL, acl],
    [codes.AUTH_LIST_ACL, acls],
    ...changing.map((code) => [code, refuse] as const),
  ]
}

const nobody: Required<AuthSettings> = { globalWhiteRemoteAddresses: [], accounts: [], users: [], acls: [] }

function listedIn({ listedAuth }: ServedBroker): AuthSettings {
  const listed = listedAuth()
  if (listed === undefined) throw new Refusal(SYSTEM_ERROR, 'this broker keeps no list of users')
  return listed
}

function refuse(): never {
  throw new Refusal(ILLEGAL_OPERATION, 'users and their rights are changed in the ACL file of the server alone')
}

function printUser({ username, userType = 'Normal', userStatus = 'enable' }: UserSettings) {
  return { username, userStatus, userType }
}

/** The rules of a subject that are about resources with such a name. @returns `undefined` when there are none */
function rulesOf(acls: readonly AclSettings[], subject: string, filter: string) {
  const policies = acls
    .filter((one) => one.subject === subject)
    .flatMap((one) => one.policies)
    .map(({ policyType = 'Custom', entries }) => ({
      entries: entries.filter(({ resource }) => resource.includes(filter)),
      policyType,
    }))
    .filter(({ entries }) => entries.length > 0)
    .map(({ policyType, entries }) => ({
      entries: entries.map(({ actions, decision, resource, sourceIps = [] }) => {
        return { actions, decision, resource, sourceIps: sourceIps.length === 0 ? undefined : sourceIps }
      }),
      policyType,
    }))
  return policies.length === 0 ? undefined : { policies, subject }
}
