/**
 * Metrics under the names and labels that RocketMQ 5 exports, for dashboards that are made for it.
 *
 * The tables below have a row for each metric; `docs/numbers.md` has them too, and a test keeps the two equal.
 */

import { checkRequest, checkString, fieldNames } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { Broker } from '../broker.js'
import type { PrometheusModule } from './prometheus-module.js'
import type { BrokerNumbers, GroupTopicNumbers, TopicNumbers } from './snapshot.js'

/** Calls back with the value for some labels. */
type Tell = (labels: Record<string, string>, value: number) => void

/** One metric: what it means, its labels, and where its values are. */
interface Metric {
  readonly kind: 'Counter' | 'Gauge'
  readonly help: string
  readonly labels: readonly string[]
  readonly read: (numbers: BrokerNumbers, tell: Tell) => void
}

const inLabels = ['topic', 'message_type', 'is_system']
const outLabels = ['topic', 'consumer_group', 'is_system', 'is_retry']
const lagLabels = ['consumer_group', 'topic', 'is_retry', 'is_system']

/** The metrics by name, without the labels that all of them have. */
export const prometheusMetrics: Readonly<Record<string, Metric>> = {
  rocketmq_messages_in_total: counter('Messages that were sent', inLabels, eachKind('messages')),
  rocketmq_throughput_in_total: counter('Bytes of messages that were sent', inLabels, eachKind('bytes')),
  rocketmq_messages_out_total: counter('Messages that groups got', outLabels, eachGroupTopic('messagesOut')),
  rocketmq_throughput_out_total: counter('Bytes of messages that groups got', outLabels, eachGroupTopic('bytesOut')),
  rocketmq_send_to_dlq_messages_total: counter(
    'Messages that groups gave up',
    ['topic', 'consumer_group', 'is_system'],
    (numbers, tell) => forGroupTopics(numbers, ({ is_retry: _, ...labels }, { deadLetters }) => tell(labels, deadLetters)),
  ),
  rocketmq_consumer_lag_messages: gauge('Messages that groups have still to consume', lagLabels, eachGroupTopic('backlog')),
  rocketmq_consumer_inflight_messages: gauge('Messages that are out', lagLabels, eachGroupTopic('inFlight')),
  rocketmq_consumer_ready_messages: gauge('Messages that are neither out nor acknowledged', lagLabels, (numbers, tell) =>
    forGroupTopics(numbers, (labels, { backlog, inFlight }) => tell(labels, Math.max(0, backlog - inFlight))),
  ),
  rocketmq_consumer_lag_latency_milliseconds: gauge(
    'Age of the oldest message that a group has still to consume',
    lagLabels,
    eachGroupTopic('backlogMs'),
  ),
  rocketmq_consumer_queueing_latency_milliseconds: gauge(
    'Age of the oldest message that is neither out nor acknowledged',
    lagLabels,
    (numbers, tell) => forGroupTopics(numbers, (labels, { queues }) => tell(labels, queueingMs(numbers.at, queues))),
  ),
  rocketmq_consumer_connections: gauge(
    'Members of groups',
    ['consumer_group', 'language', 'version', 'consume_mode', 'protocol_type', 'is_system'],
    tellMembers,
  ),
  rocketmq_topic_number: gauge('Topics', [], ({ topics }, tell) => tell({}, topics.length)),
  rocketmq_consumer_group_number: gauge('Consumer groups', [], ({ groups }, tell) => tell({}, groups.length)),
  rocketmq_broker_permission: gauge('Permission of the broker: it may be read and written', [], (_, tell) => tell({}, 6)),
  rocketmq_storage_size_bytes: gauge('Bytes of the log', ['storage_type', 'storage_medium'], ({ store }, tell) =>
    tell(storage, (store['commitLogEnd'] ?? 0) - (store['commitLogStart'] ?? 0)),
  ),
  rocketmq_storage_flush_behind_bytes: gauge(
    'Bytes of the log that may not survive power loss yet',
    ['storage_type', 'storage_medium'],
    ({ store }, tell) => tell(storage, Math.max(0, (store['commitLogEnd'] ?? 0) - (store['durableEnd'] ?? 0))),
  ),
}

const storage = { storage_type: 'local', storage_medium: 'disk' }

/** What can be said of the metrics. */
export interface PrometheusOptions<Registry> {
  /** Where they are registered. @default the module's own */
  readonly registry?: Registry
  /** The label `cluster`. @default 'DefaultCluster' */
  readonly cluster?: string
}

/**
 * Registers a broker's metrics with `prom-client`, under RocketMQ 5's names and labels. They are read when the registry
 * is asked for them, one snapshot for all. A registry takes one broker.
 *
 * @example
 * import * as client from 'prom-client'
 * registerPrometheus(client, broker)
 * const text = await client.register.metrics()
 *
 * @throws what `prom-client` throws, for one when the names are taken
 */
export function registerPrometheus<Registry>(
  client: PrometheusModule<Registry>,
  broker: Pick<Broker, 'metrics' | 'store'>,
  options: PrometheusOptions<Registry> = {},
): void {
  if (typeof client?.Counter !== 'function' || typeof client.Gauge !== 'function')
    throw new TypeError(`client must be the module prom-client, got ${shown(client)}`)
  checkBroker(broker)
  const { registry = client.register } = options
  const cluster = clusterOf(options)
  const common = commonLabels(cluster, broker.store.brokerName)
  for (const [name, { kind, help, labels, read }] of Object.entries(prometheusMetrics)) {
    const base = { name, help, labelNames: [...Object.keys(common), ...labels], registers: [registry] }
    if (kind === 'Gauge') {
      const metric = new client.Gauge({ ...base, collect: () => collect(metric, (own, value) => metric.set(own, value)) })
    } else {
      const metric = new client.Counter({ ...base, collect: () => collect(metric, (own, value) => metric.inc(own, value)) })
    }
    async function collect(metric: { reset(): void }, set: Tell): Promise<void> {
      const numbers = await broker.metrics.snapshot()
      metric.reset()
      read(numbers, (own, value) => set({ ...common, ...own }, value))
    }
  }
}

/**
 * The same metrics as a page of Prometheus' text format, version 0.0.4, without `prom-client`. The content type to serve
 * it under is {@link PROMETHEUS_CONTENT_TYPE}.
 *
 * @example
 * const text = await prometheusText(broker)
 *
 * @throws {BrokerError} `BROKER_CLOSED`
 */
export async function prometheusText(
  broker: Pick<Broker, 'metrics' | 'store'>,
  options: Pick<PrometheusOptions<never>, 'cluster'> = {},
): Promise<string> {
  checkBroker(broker)
  const cluster = clusterOf(options)
  const numbers = await broker.metrics.snapshot()
  const common = commonLabels(cluster, broker.store.brokerName)
  const lines: string[] = []
  for (const [name, { kind, help, read }] of Object.entries(prometheusMetrics)) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind.toLowerCase()}`)
    read(numbers, (own, value) => lines.push(`${name}{${labelsText({ ...common, ...own })}} ${value}`))
  }
  return `${lines.join('\n')}\n`
}

/** The content type of {@link prometheusText}. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

function checkBroker(broker: Pick<Broker, 'metrics' | 'store'>): void {
  if (typeof broker?.metrics?.snapshot !== 'function') throw new TypeError(`broker must be a Broker, got ${shown(broker)}`)
}

const optionFields = fieldNames<keyof PrometheusOptions<never>>({ registry: true, cluster: true })

function clusterOf(options: Pick<PrometheusOptions<never>, 'cluster'>): string {
  checkRequest(options, optionFields, 'the options object of the metrics')
  const { cluster = 'DefaultCluster' } = options
  checkString('cluster', cluster)
  return cluster
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, (letter) => (letter === '\n' ? '\\n' : `\\${letter}`))}"`)
    .join(',')
}

function commonLabels(cluster: string, brokerName: string) {
  return { cluster, node_type: 'broker', node_id: brokerName }
}

function counter(help: string, labels: readonly string[], read: Metric['read']): Metric {
  return { kind: 'Counter', help, labels, read }
}

function gauge(help: string, labels: readonly string[], read: Metric['read']): Metric {
  return { kind: 'Gauge', help, labels, read }
}

/** As in RocketMQ, what goes into retry and dead-letter topics is not counted as coming in. */
function eachKind(what: 'messages' | 'bytes'): Metric['read'] {
  return ({ topics }, tell) => {
    for (const { topic, isSystem, kinds } of topics) {
      if (isRetryOrDead({ topic })) continue
      for (const one of kinds) tell({ topic, message_type: one.kind, is_system: String(isSystem) }, one[what])
    }
  }
}

function eachGroupTopic(what: 'messagesOut' | 'bytesOut' | 'backlog' | 'inFlight' | 'backlogMs'): Metric['read'] {
  return (numbers, tell) => forGroupTopics(numbers, (labels, topic) => tell(labels, topic[what]))
}

interface GroupTopicLabels extends Record<string, string> {
  readonly topic: string
  readonly consumer_group: string
  readonly is_system: string
  readonly is_retry: string
}

function forGroupTopics({ groups }: BrokerNumbers, action: (labels: GroupTopicLabels, topic: GroupTopicNumbers) => void): void {
  for (const { group, isSystem, topics } of groups) {
    for (const topic of topics) {
      const labels = { topic: topic.topic, consumer_group: group, is_system: String(isSystem), is_retry: String(topic.isRetry) }
      action(labels, topic)
    }
  }
}

/** The age of the oldest message that nobody has taken. */
function queueingMs(at: number, queues: GroupTopicNumbers['queues']): number {
  let oldest = at
  for (const { nextStored } of queues) oldest = Math.min(oldest, nextStored ?? at)
  return at - oldest
}

function tellMembers({ groups }: BrokerNumbers, tell: Tell): void {
  for (const { group, isSystem, model = 'clustering', members } of groups) {
    const alike = new Map<string, number>()
    for (const { language, version } of members) {
      const key = `${language} ${version}`
      alike.set(key, (alike.get(key) ?? 0) + 1)
    }
    for (const [key, count] of alike) {
      const [language, version] = key.split(' ') as [string, string]
      const labels = { consumer_group: group, language, version, consume_mode: model, is_system: String(isSystem) }
      tell({ ...labels, protocol_type: 'remoting' }, count)
    }
  }
}

function isRetryOrDead({ topic }: Pick<TopicNumbers, 'topic'>): boolean {
  return topic.startsWith('%RETRY%') || topic.startsWith('%DLQ%')
}
