/** What a list of topics or groups may be asked for. */
import { checkBoolean, checkRequest, fieldNames } from '../../base/arguments.js'

const listFields = fieldNames<'system'>({ system: true })

/** Whether those of the system are asked for. @throws {TypeError} */
export function listsSystem(options: { readonly system?: boolean }): boolean {
  checkRequest(options, listFields, 'the options object of list')
  const { system = false } = options
  checkBoolean('system', system)
  return system
}
