/** The requests about the broker itself: what it does just now, and how it is configured. */

import type { ConfigObject } from '../../format/config-json.js'
import { printBody } from '../body-json.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import { answer, OUR_VERSION } from '../command.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'

/** Names that tools of RocketMQ read as numbers, for what there is none of here: pools of threads, waiting in them. */
const POOLS = ['send', 'pull', 'litePull', 'ack', 'query']
const NO_RATE = '0.0 0.0 0.0'

/** Figures that are not kept: RocketMQ's tools fail without them. */
const notKept: Readonly<Record<string, string>> = {
  msgPutTotalYesterdayMorning: '0',
  msgPutTotalTodayMorning: '0',
  msgGetTotalYesterdayMorning: '0',
  msgGetTotalTodayMorning: '0',
  EndTransactionQueueSize: '0',
  EndTransactionThreadPoolQueueCapacity: '0',
  pageCacheLockTimeMills: '0',
  getMissTps: NO_RATE,
  commitLogDiskRatio: '0.0',
  consumeQueueDiskRatio: '0.0',
  remainHowManyDataToCommit: '0',
  remainTransientStoreBufferNumbs: '0',
  timerReadBehind: '0',
  timerOffsetBehind: '0',
  timerCongestNum: '0',
  timerEnqueueTps: '0.0',
  timerDequeueTps: '0.0',
}

/** See the head of this file. */
export function runtimeHandlers(served: ServedBroker): Entries {
  const { clock } = served.served.base.ports
  const startedAt = clock.now()
  const info: Handler = async (command) => {
    const table = {
      ...notKept,
      ...poolFigures(),
      ...timeFigures(startedAt, clock.now()),
      ...(await storeFigures(served)),
      ...(await trafficFigures(served)),
    }
    return answer(command, responseCodes.SUCCESS, { body: printBody({ table }) })
  }
  const config: Handler = (command) => {
    const text = Object.entries(settingsOf(served)).map(([name, value]) => `${name}=${String(value)}\n`)
    const version = printBody({ counter: 0, stateVersion: 0, timestamp: startedAt }).toString()
    return answer(command, responseCodes.SUCCESS, { ext: { version }, body: Buffer.from(text.join('')) })
  }
  return [
    [codes.GET_BROKER_RUNTIME_INFO, info],
    [codes.GET_BROKER_CONFIG, config],
  ]
}

function poolFigures(): Record<string, string> {
  const figures: Record<string, string> = {}
  for (const pool of POOLS) {
    figures[`${pool}ThreadPoolQueueSize`] = '0'
    figures[`${pool}ThreadPoolQueueCapacity`] = '0'
    figures[`${pool}ThreadPoolQueueHeadWaitTimeMills`] = '0'
  }
  return figures
}

function timeFigures(startedAt: number, now: number): Record<string, string> {
  const seconds = Math.max(0, Math.floor((now - startedAt) / 1000))
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit)) as [number, number, number]
  return {
    brokerActive: 'true',
    brokerVersion: String(OUR_VERSION),
    brokerVersionDesc: 'V5_3_3',
    bootTimestamp: String(startedAt),
    startAcceptSendRequestTimeStamp: '0',
    runtime: `[ ${days} days, ${hours % 24} hours, ${minutes % 60} minutes, ${seconds % 60} seconds ]`,
  }
}

async function storeFigures({ served: { store } }: ServedBroker): Promise<Record<string, string>> {
  const { commitLogStart = 0, commitLogEnd = 0, durableEnd = 0 } = store.metrics.snapshot()
  const first = commitLogEnd > commitLogStart ? await store.lookup({ commitLogOffset: commitLogStart }) : undefined
  const figures: Record<string, string> = {
    commitLogMinOffset: String(commitLogStart),
    commitLogMaxOffset: String(commitLogEnd),
    earliestMessageTimeStamp: String(first?.storeTimestamp ?? -1),
    remainHowManyDataToFlush: `${commitLogEnd - durableEnd} bytes`,
    dispatchBehindBytes: '0',
  }
  return figures
}

/** What came in and went out since the start, and in the last minute; RocketMQ has three spans, so it stands there thrice. */
async function trafficFigures({ served: { metrics } }: ServedBroker): Promise<Record<string, string>> {
  const { topics, groups } = await metrics.snapshot()
  const total = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
    items.reduce((sum, item) => sum + of(item), 0)
  const came = total(topics, ({ messagesIn }) => messagesIn)
  const bytes = total(topics, ({ bytesIn }) => bytesIn)
  const rate = (perSecond: number): string => Array(3).fill(perSecond.toFixed(2)).join(' ')
  const out = rate(total(groups, ({ messagesOutPerSecond }) => messagesOutPerSecond))
  return {
    msgPutTotalTodayNow: String(came),
    msgGetTotalTodayNow: String(total(groups, ({ messagesOut }) => messagesOut)),
    putMessageTimesTotal: String(came),
    putMessageSizeTotal: String(bytes),
    putMessageAverageSize: String(came === 0 ? 0 : bytes / came),
    putTps: rate(total(topics, ({ messagesInPerSecond }) => messagesInPerSecond)),
    getTotalTps: out,
    getFoundTps: out,
    getTransferredTps: out,
    getTransferedTps: out,
  }
}

/** The settings by RocketMQ's names. */
function settingsOf({ endpoint, served: { base, store } }: ServedBroker): ConfigObject {
  const { autoCreateTopics, autoCreateGroups, clusterName, defaultQueues } = base.options
  return {
    autoCreateSubscriptionGroup: autoCreateGroups,
    autoCreateTopicEnable: autoCreateTopics,
    brokerClusterName: clusterName,
    brokerId: 0,
    brokerName: store.brokerName,
    brokerPermission: 6,
    defaultTopicQueueNums: defaultQueues,
    ...(endpoint === undefined ? {} : { brokerIP1: endpoint.host, listenPort: endpoint.port }),
  }
}
