/** Wrong types of arguments, over the whole interface of the server and of the broker for tests. */
import { test } from 'node:test'
import { standardLimits } from '../../lib/remoting/limits.js'
import { BrokerServer } from '../../lib/server.js'
import { ManualClock, startTestBroker } from '../../lib/testing.js'
import { openTestBroker } from '../support/open-broker.js'
import { checkPlaces, type Place } from '../support/wrong-types.js'

const optional = 'undefined' as const

test('every option of a server of a wrong type is named', async (t) => {
  const broker = await openTestBroker(t)
  const listen = (field: object): unknown => BrokerServer.listen(broker, { port: 0, ...field })
  const auth = (field: object): unknown => listen({ auth: field })
  const account = (field: object): unknown => auth({ accounts: [{ accessKey: 'accesskey', secretKey: 'secretkey', ...field }] })
  await checkPlaces(
    [
      ['broker', [], (other) => BrokerServer.listen(other, { port: 0 })],
      ['options', [optional, 'object', 'date'], (options) => BrokerServer.listen(broker, options)],
      ['host', [optional, 'string'], (host) => listen({ host })],
      ['port', [optional, 'number'], (port) => listen({ port })],
      ['nameServer', [optional], (nameServer) => listen({ nameServer })],
      ['nameServer.port', ['number'], (port) => listen({ nameServer: { port } })],
      ['nameServers', [optional, 'array'], (nameServers) => listen({ nameServers })],
      ['endpoint', ['string'], (address) => listen({ nameServers: [address] })],
      ['advertisedHost', [optional, 'string'], (advertisedHost) => listen({ advertisedHost })],
      ['tls', [optional, 'object', 'date'], (tls) => listen({ tls })],
      ['nameServerTls', [optional, 'object', 'date'], (nameServerTls) => listen({ nameServerTls })],
      ['nameServerCredentials', [optional], (nameServerCredentials) => listen({ nameServerCredentials })],
      ['insecure', [optional, 'boolean'], (insecure) => listen({ insecure })],
      ['signal', [optional], (signal) => listen({ signal })],
      ['sqlFilters', [optional, 'boolean'], (sqlFilters) => listen({ sqlFilters })],
      ['pullMessages', [optional, 'number'], (pullMessages) => listen({ pullMessages })],
      ...['onConnection', 'onRefused', 'onRegistration', 'onFault'].map(
        (name): Place => [name, [optional, 'function'], (value) => listen({ [name]: value })],
      ),
      ['limits', [optional, 'object', 'date'], (limits) => listen({ limits })],
      ...Object.keys(standardLimits).map(
        (name): Place => [`limits.${name}`, [optional, 'number'], (value) => listen({ limits: { [name]: value } })],
      ),
      ['auth', [optional, 'object', 'date', 'function'], (value) => listen({ auth: value })],
      ...['globalWhiteRemoteAddresses', 'accounts', 'users', 'acls'].map(
        (name): Place => [name, [optional, 'null', 'array'], (value) => auth({ [name]: value })],
      ),
      ['accessKey', ['string'], (accessKey) => account({ accessKey })],
      ['secretKey', ['string'], (secretKey) => account({ secretKey })],
      ['admin', [optional, 'null', 'boolean'], (admin) => account({ admin })],
      ['defaultTopicPerm|permission', [optional, 'null', 'string'], (defaultTopicPerm) => account({ defaultTopicPerm })],
      ['topicPerms', [optional, 'null', 'array'], (topicPerms) => account({ topicPerms })],
    ],
    new Set(['accessKey', 'secretKey', 'advertisedHost', 'host']),
  )
})

test('every option of a broker for tests of a wrong type is named', async () => {
  const start = (field: object): unknown => startTestBroker(field)
  const clock = new ManualClock()
  await checkPlaces(
    [
      ['options', [optional, 'object', 'date'], (options) => startTestBroker(options)],
      ['clock', [optional], (value) => start({ clock: value })],
      ['directory', [optional, 'string'], (directory) => start({ directory })],
      ['store', [optional, 'object', 'date'], (store) => start({ store })],
      ['server', [optional, 'object', 'date'], (server) => start({ server })],
      ['port', [optional, 'number'], (port) => start({ server: { port } })],
      ['autoCreateTopics', [optional, 'boolean'], (autoCreateTopics) => start({ autoCreateTopics })],
      ['now', [optional, 'number'], (now) => new ManualClock(now)],
      ['ms', ['number'], (ms) => clock.advance(ms)],
    ],
    new Set(['directory']),
  )
})
