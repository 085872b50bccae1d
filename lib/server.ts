/** mqlite/server: a broker behind RocketMQ's protocol, so that programs written for RocketMQ run against it unchanged. */
export type { AccountSettings, PlainPermission } from './remoting/auth/plain-account.js'
export type { AccountLookup, AuthSettings } from './remoting/auth/settings.js'
export type { Credentials } from './remoting/auth/signature.js'
export type { AclSettings, PolicyEntrySettings, UserSettings } from './remoting/auth/user.js'
export { BrokerServer, type BrokerServerOptions } from './remoting/broker-server.js'
export type { Endpoint } from './remoting/endpoint.js'
export type { ConnectionLimits, ServerLimits } from './remoting/limits.js'
export type { ClientTls, ServerTls } from './remoting/net.js'
