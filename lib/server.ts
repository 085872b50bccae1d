/** mqlite/server: a broker behind RocketMQ's protocol, so that programs written for RocketMQ run against it unchanged. */
export { BrokerServer, type BrokerServerOptions } from './remoting/broker-server.js'
export type { Endpoint } from './remoting/endpoint.js'
export type { ConnectionLimits, ServerLimits } from './remoting/limits.js'
export type { ClientTls, ServerTls } from './remoting/net.js'
export type { Refused } from './remoting/server.js'
