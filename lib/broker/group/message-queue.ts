/** A queue as clients name it, and the orders in which all members of a group must see queues and clients. */

/** One queue of one topic on one broker. */
export interface MessageQueue {
  /** Topic of the queue. */
  readonly topic: string
  /** Broker that the queue is on. */
  readonly brokerName: string
  /** Its number in the topic on that broker. */
  readonly queueId: number
}

/** Order by topic, then broker, then queue, names by UTF-16 units: the order of `java.lang.String`. */
export function compareQueues(a: MessageQueue, b: MessageQueue): number {
  return compareText(a.topic, b.topic) || compareText(a.brokerName, b.brokerName) || a.queueId - b.queueId
}

/** The text under which RocketMQ's clients hash a queue. Never change it: all members must hash alike. */
export function queueText({ topic, brokerName, queueId }: MessageQueue): string {
  return `MessageQueue [topic=${topic}, brokerName=${brokerName}, queueId=${queueId}]`
}

/** A key for tables: different queues have different keys, whatever their names hold. */
export function queueKey({ topic, brokerName, queueId }: MessageQueue): string {
  return `${queueId} ${topic.length} ${topic}${brokerName}`
}

/** Order of texts by UTF-16 units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
