/** The settings of `mqlite serve`: where they come from, which counts, and what is said of those that cannot be. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resolveBrokerOptions } from '../../lib/broker/broker-options.js'
import { type OptionValues, UsageError } from '../../lib/cli/command.js'
import { parseLine } from '../../lib/cli/parse.js'
import { serveCommand } from '../../lib/cli/serve.js'
import { type ServeSettings, serveSettings } from '../../lib/cli/serve-settings.js'
import { readProperties } from '../../lib/cli/settings/broker-conf.js'
import { type GivenSettings, givenSettings } from '../../lib/cli/settings/given.js'
import { rowsInForce, settingFlags } from '../../lib/cli/settings/help.js'
import { flagOf, variableOf } from '../../lib/cli/settings/setting.js'
import { sections, settingsByName } from '../../lib/cli/settings/table.js'
import { resolveOptions } from '../../lib/store/options.js'
import { readSources, SyntaxKind } from '../support/source-tree.js'

interface Told {
  readonly line?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly file?: unknown
  readonly conf?: string
}

/** What is in force when so much is said. */
function given({ line = '', environment = {}, file, conf }: Told): GivenSettings {
  const files: Record<string, string> = {
    'c.json': typeof file === 'string' ? file : JSON.stringify(file),
    'broker.conf': conf ?? '',
  }
  const flags = line.split(' ').filter((word) => word !== '')
  const more = [
    ...(file === undefined ? [] : ['--config', 'c.json']),
    ...(conf === undefined ? [] : ['--broker-conf', 'broker.conf']),
  ]
  const { values } = parseLine([...flags, ...more], serveCommand)
  return givenSettings({ values, environment, readText: (path) => files[path]! })
}

function settingsOf(told: Told): ServeSettings {
  return serveSettings(given(told))
}

function inForce(told: Told, name: string): [unknown, string] {
  const { value, from } = given(told).settings.get(name)!
  return [value, from]
}

describe('the table of settings', () => {
  test('has for each row a flag of its own, a variable, and a line of the help', () => {
    const flags = Object.keys(settingFlags)
    assert.equal(new Set(flags.map(variableOf)).size, flags.length)
    for (const setting of settingsByName.values()) {
      if (setting.only === 'file') continue
      assert.match(serveCommand.help, new RegExp(`--(\\[no-\\])?${flagOf(setting)}\\b`), setting.name)
      assert.ok(setting.meaning.length > 5, setting.name)
    }
    assert.equal(sections.flatMap(({ settings }) => settings).length, settingsByName.size)
  })

  test('has every option of store, broker and server that can be set from without', () => {
    const apart = [
      ...['topics', 'groups', 'store'],
      // For what programs of the process send; a secret.
      ...['compressOverBytes', 'nameServerCredentials'],
      // Replicas have no network yet; the rest are callbacks, or nothing for a server.
      ...['role', 'replication', 'readOnly', 'onProgress', 'onFault', 'onConnection', 'onRefused', 'onRegistration', 'signal'],
    ]
    const names = [...settingsByName.keys()].flatMap((name) => [name, name.split('.')[0]!])
    const holders = ['StoreOptions', 'BrokerOptions', 'BrokerServerOptions']
    const missing = readSources()
      .filter(({ path }) => /options\.ts$|broker-server\.ts$/.test(path) && path.startsWith('lib/'))
      .flatMap(({ tree }) => [...tree.statements])
      .filter((node) => node.kind === SyntaxKind.InterfaceDeclaration)
      .map((node) => node as unknown as { name: { text: string }; members: readonly { name: { text: string } }[] })
      .filter(({ name }) => holders.includes(name.text))
      .flatMap(({ members }) => members.map(({ name }) => name.text))
      .filter((name) => !apart.includes(name) && !names.includes(name))
    assert.deepEqual(missing, [])
  })

  test('has the defaults of store and broker, but for disk.forceAt', () => {
    const { broker, server, command } = settingsOf({})
    const { store, ...others } = broker
    assert.deepEqual(resolveOptions(store), resolveOptions({ disk: { forceAt: 0.85 } }))
    assert.deepEqual(resolveBrokerOptions(others), resolveBrokerOptions())
    assert.deepEqual([server.port, server.host, server.nameServer], [10911, '127.0.0.1', { port: 9876 }])
    assert.deepEqual(command, { log: { format: 'auto', level: 'info' }, http: { host: '127.0.0.1', names: [] } })
  })
})

describe('a setting', () => {
  const conf = 'flushDiskType = SYNC_FLUSH'
  test('is taken from flags before the environment before the file before broker.conf before the default', () => {
    const file = { flush: 'async' }
    const environment = { MQLITE_FLUSH: 'sync' }
    assert.deepEqual(inForce({ line: '--flush async', environment, file, conf }, 'flush'), ['async', '--flush'])
    assert.deepEqual(inForce({ environment, file, conf }, 'flush'), ['sync', 'MQLITE_FLUSH'])
    assert.deepEqual(inForce({ file, conf }, 'flush'), ['async', 'c.json'])
    assert.deepEqual(inForce({ conf }, 'flush'), ['sync', 'flushDiskType in broker.conf'])
    assert.deepEqual(inForce({}, 'flush'), ['async', 'default'])
    assert.deepEqual(inForce({ environment: { MQLITE_FLUSH: '' } }, 'flush'), ['async', 'default'])
  })

  test('can be read from each source, whatever its kind', () => {
    const file = {
      disk: { forceAt: null, cleanAt: 0.5 },
      nameServer: false,
      topics: { orders: { queues: 3, messageType: 'FIFO' } },
      groups: { billing: { maxRetries: 3 } },
      limits: { maxConnections: 9 },
      nameServers: ['a:1', 'b:2'],
    }
    const { broker, server } = settingsOf({
      file,
      line: '--segment-bytes 64MiB --no-sql-filters',
      environment: { MQLITE_PORT: '7' },
    })
    assert.deepEqual(broker.store?.disk, { cleanAt: 0.5, refuseAt: 0.9 })
    assert.deepEqual([broker.store?.segmentBytes, server.sqlFilters, server.port], [64 * 2 ** 20, false, 7])
    assert.deepEqual([server.nameServer, server.nameServers], [undefined, ['a:1', 'b:2']])
    assert.deepEqual([broker.topics, broker.groups], [file.topics, file.groups])
    assert.equal(server.limits?.maxConnections, 9)
    const flags = settingsOf({ line: '--topic a:4 --topic b --name-servers a:1;b:2 --disk-force-at off --no-name-server' })
    assert.deepEqual(flags.broker.topics, { a: { queues: 4 }, b: {} })
    assert.deepEqual([flags.server.nameServers, flags.broker.store?.disk?.forceAt], [['a:1', 'b:2'], undefined])
    assert.equal(flags.server.nameServer, undefined)
    const environment = {
      MQLITE_TOPIC: 'a:4, b',
      MQLITE_AUTO_CREATE_TOPICS: 'yes',
      MQLITE_NO_NAME_SERVER: '1',
      MQLITE_HTTP_PORT: '0',
    }
    const variables = settingsOf({ environment })
    assert.deepEqual(variables.broker.topics, { a: { queues: 4 }, b: {} })
    assert.deepEqual([variables.broker.autoCreateTopics, variables.server.nameServer], [true, undefined])
    assert.equal(variables.command.http.port, 0)
  })

  test('shows in what is in force with the place that it came from', () => {
    const rows = rowsInForce(
      given({ line: '--port 1', file: { disk: { forceAt: null }, topics: { t: { queues: 2 } } } }).settings,
    )
    const found = Object.fromEntries(rows.map(([name, value, from]) => [name, [value, from]]))
    assert.deepEqual(found['port'], ['1', '--port'])
    assert.deepEqual(found['disk.forceAt'], ['off', 'c.json'])
    assert.deepEqual(found['topics'], ['t:2', 'c.json'])
    assert.deepEqual(found['segmentBytes'], ['1 GiB', 'default'])
  })
})

describe('what cannot be is refused with its place, its value and what was expected', () => {
  const wrong: readonly (readonly [Told, RegExp])[] = [
    [{ line: '--port 70000' }, /^--port must be a whole number from 0 to 65535, got "70000"$/],
    [{ line: '--flush never' }, /^--flush must be sync or async, got "never"$/],
    [
      { line: '--topic :3' },
      /^--topic must be a name of letters, digits, %, \|, - and _, or name:queues with at least one queue, got ":3"$/,
    ],
    [
      { line: '--topic t:0' },
      /^--topic must be a name of letters, digits, %, \|, - and _, or name:queues with at least one queue, got "t:0"$/,
    ],
    [{ file: { topics: ['t'] } }, /^topics in c\.json must be an object by name, such as .*, got an array of 1$/],
    [{ line: '--name-servers here' }, /^--name-servers must be host:port, several with ; between them, got "here"$/],
    [{ line: '--disk-force-at 85' }, /^--disk-force-at must be a number from 0 to 1, or off, got "85"$/],
    [{ line: '--segment-bytes 1TB' }, /^--segment-bytes must be bytes from 1024 to 2147483647/],
    [{ line: '--flsh sync' }, /^unknown option --flsh; did you mean --flush\?$/],
    [{ line: '--port' }, /^--port needs a value$/],
    [{ line: '--insecure=yes' }, /^--insecure takes no value, got "yes"$/],
    [{ line: '--name-server-port 1 --no-name-server' }, /^--name-server-port and --no-name-server exclude each other$/],
    [{ environment: { MQLITE_PORT: 'tcp://10.0.0.1:1' } }, /^MQLITE_PORT must be a whole number from 0 to 65535, got "tcp:/],
    [{ environment: { MQLITE_INSECURE: 'perhaps' } }, /^MQLITE_INSECURE must be true or false, got "perhaps"$/],
    [{ environment: { MQLITE_FLUSHH: 'sync' } }, /^there is no variable MQLITE_FLUSHH; did you mean MQLITE_FLUSH\?$/],
    [{ environment: { MQLITE_NO_SQL_FILTERS: 'true' } }, /^there is no variable .*; did you mean MQLITE_SQL_FILTERS=false\?$/],
    [{ environment: { MQLITE_GROUPS: 'a' } }, /^MQLITE_GROUPS can only be set in the file of --config$/],
    [{ file: '{' }, /^c\.json is no JSON: /],
    [{ file: [] }, /^c\.json must be an object of JSON, got an array of 0$/],
    [{ file: { flsh: 'sync' } }, /^c\.json has an unknown setting "flsh"; did you mean flush\?$/],
    [{ file: { disk: { forcedAt: 1 } } }, /^c\.json has an unknown setting "disk\.forcedAt"; did you mean disk\.forceAt\?$/],
    [{ file: { disk: 1 } }, /^disk in c\.json must be an object, got 1$/],
    [{ file: { port: '10911' } }, /^port in c\.json must be a whole number from 0 to 65535, got "10911"$/],
    [{ file: { config: 'x' } }, /^c\.json has an unknown setting "config"/],
    [{ file: { topics: { t: { queus: 1 } } } }, /^c\.json: t: .* unknown field "queus"; the fields are queues/],
    [{ file: { groups: { g: { maxRetries: -1 } } } }, /^c\.json: g: maxRetries must be a whole number/],
    [{ file: { clusterName: 'a.b' } }, /^c\.json: clusterName must be 1 to 64 letters/],
    [{ environment: { MQLITE_STORE_HOST: 'x' } }, /^MQLITE_STORE_HOST: option storeHost must be ip:port/],
    [{ conf: 'flushDiskType=NEVER' }, /^flushDiskType in broker\.conf cannot be "NEVER"$/],
    [{ conf: 'listenPort=99999' }, /^listenPort in broker\.conf must be a whole number from 0 to 65535, got 99999$/],
    [{ conf: 'aclEnable=true' }, /^aclEnable in broker\.conf is true: say with --acl FILE who may do what/],
    [{ conf: 'aclEnable=TRUE' }, /^aclEnable in broker\.conf is true: say with --acl/],
    [{ conf: 'authenticationEnabled = true' }, /^authenticationEnabled in broker\.conf is true: say with --acl/],
    [{ conf: 'brokerRole=SLAVE' }, /^brokerRole in broker\.conf is SLAVE: replicas are not served$/],
    [{ line: '--host 0.0.0.0' }, /clients cannot connect to 0\.0\.0\.0: give --advertised-host/],
    [{ line: '--host 192.0.2.1' }, /without TLS lets everybody in; give --tls-key and --tls-cert, or --insecure$/],
    [{ line: '--http-port 0 --http-host 192.0.2.1' }, /^\/metrics and \/health at 192\.0\.2\.1 .* needs --insecure$/],
    [{ line: '--tls-key x' }, /^--tls-key needs --tls-cert: they belong together$/],
    [{ environment: { MQLITE_TLS_CERT: 'x' } }, /^MQLITE_TLS_CERT needs tls\.key: they belong together$/],
    [{ line: '--tls-ca x' }, /^--tls-ca needs --tls-key and --tls-cert$/],
    [{ line: '--tls-key absent-key --tls-cert absent' }, /^there is no file absent-key$/],
  ]
  for (const [told, expected] of wrong) {
    test(`${JSON.stringify(told)}`, () => {
      assert.throws(
        () => settingsOf(told),
        (error) => (error instanceof UsageError && expected.test(error.message)) || assert.fail(String(error)),
      )
    })
  }

  test('but a topic may have a name that objects inherit', () => {
    assert.deepEqual(Object.keys(inForce({ line: '--topic __proto__:2' }, 'topics')[0] as object), ['__proto__'])
  })

  test('but variables of other programs are left alone', () => {
    const environment = { MQLITE_SERVICE_HOST: '10.0.0.1', MQLITE_PORT_10911_TCP: 'x' }
    assert.deepEqual(inForce({ environment }, 'port'), [10911, 'default'])
  })
})

describe('a broker.conf', () => {
  const conf = `# a broker
brokerClusterName = C
brokerName=b-1
brokerId = 0
listenPort : 30911
namesrvAddr = a:9876;\\
   b:9876
brokerIP1=192.0.2.7
storePathRootDir=/data/store
storePathCommitLog=/data/store/commitlog
deleteWhen=04;16
fileReservedTime=48
flushDiskType=SYNC_FLUSH
brokerRole=ASYNC_MASTER
diskMaxUsedSpaceRatio=70
mappedFileSizeConsumeQueue=6000000
autoCreateTopicEnable=false
metricsExporterType=PROM
sendMessageThreadPoolNums=16
aclEnable=\\u0066alse
`

  test('is read as Java reads it, and what has no counterpart is named', () => {
    const { settings, warnings } = given({ conf })
    const { broker, server, command } = serveSettings({ settings })
    assert.deepEqual([broker.clusterName, broker.store?.brokerName, server.port], ['C', 'b-1', 30911])
    assert.deepEqual([server.nameServers, server.nameServer], [['a:9876', 'b:9876'], undefined])
    assert.deepEqual([server.advertisedHost, command.directory, command.http.port], ['192.0.2.7', '/data/store', 5557])
    const { deleteHour, retentionHours, flush, disk, queueSegmentEntries } = broker.store!
    assert.deepEqual([deleteHour, retentionHours, flush, disk?.cleanAt, queueSegmentEntries], [[4, 16], 48, 'sync', 0.7, 300_000])
    assert.deepEqual(warnings, ['broker.conf: these properties are not used: sendMessageThreadPoolNums'])
  })

  for (const [line, key, value] of [
    ['a=b', 'a', 'b'],
    ['  a  =  b  ', 'a', 'b'],
    ['a : b', 'a', 'b'],
    ['a b c', 'a', 'b c'],
    ['a', 'a', ''],
    ['a=', 'a', ''],
    ['a==b', 'a', '=b'],
    ['a\\=b=c', 'a=b', 'c'],
    ['a=b\\\n   c', 'a', 'bc'],
    ['a=b\\\\\nc=d', 'a', 'b\\'],
    ['# a=x\n! a=y\r\na=\\t\\u0041z', 'a', 'Az'],
    ['a=1\na=2', 'a', '2'],
    ['__proto__=1\na=2', 'a', '2'],
  ] as const) {
    test(`reads ${JSON.stringify(line)}`, () => assert.equal(readProperties(line).get(key), value))
  }

  test('of RocketMQ itself needs no warning, and without a name server leaves ours on', () => {
    const file = 'brokerClusterName=DefaultCluster\nbrokerName=broker-a\nbrokerId=0\ndeleteWhen=04\nfileReservedTime=48'
    const { settings, warnings } = given({ conf: `${file}\nbrokerRole=ASYNC_MASTER\nflushDiskType=ASYNC_FLUSH\n` })
    assert.deepEqual(warnings, [])
    assert.deepEqual(settings.get('nameServer.port'), { value: 9876, from: 'default' })
  })

  test('counts less than what is said here', () => {
    const { settings } = given({ conf, line: '--name-server-port 1', file: { fileReservedTime: undefined, retentionHours: 9 } })
    assert.deepEqual(settings.get('nameServer.port'), { value: 1, from: '--name-server-port' })
    assert.deepEqual(settings.get('retentionHours'), { value: 9, from: 'c.json' })
  })
})

test('a flag that is given twice counts as it was given last', () => {
  const values: OptionValues = parseLine(['--port', '1', '--port', '2'], serveCommand).values
  assert.equal(values['port'], '2')
})
