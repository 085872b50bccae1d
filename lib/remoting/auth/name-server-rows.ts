/**
 * What each request to a name server needs its sender to be allowed. Where brokers and topics are may be asked by whoever
 * is known, as clients must; to say so takes an administrator, or a broker that signs as one.
 */
import { nameServerRequests as codes } from '../codes.js'
import type { Row, Rows } from './guard.js'
import { clusterNeed } from './needs.js'

const known: Row = () => []
const administrator: Row = () => [clusterNeed('Update')]

/** Rows of all requests that a name server handles. */
export const nameServerRows: Rows = new Map<number, Row>([
  [codes.GET_ROUTEINFO_BY_TOPIC, known],
  [codes.GET_BROKER_CLUSTER_INFO, known],
  [codes.GET_BROKER_MEMBER_GROUP, known],
  [codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, known],
  [codes.GET_TOPICS_BY_CLUSTER, known],
  [codes.GET_SYSTEM_TOPIC_LIST_FROM_NS, known],
  [codes.GET_UNIT_TOPIC_LIST, known],
  [codes.GET_HAS_UNIT_SUB_TOPIC_LIST, known],
  [codes.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, known],
  [codes.GET_KV_CONFIG, known],
  [codes.GET_KVLIST_BY_NAMESPACE, known],
  [codes.GET_NAMESRV_CONFIG, administrator],
  [codes.PUT_KV_CONFIG, administrator],
  [codes.DELETE_KV_CONFIG, administrator],
  [codes.REGISTER_BROKER, administrator],
  [codes.UNREGISTER_BROKER, administrator],
  [codes.QUERY_DATA_VERSION, administrator],
  [codes.BROKER_HEARTBEAT, administrator],
  [codes.WIPE_WRITE_PERM_OF_BROKER, administrator],
  [codes.ADD_WRITE_PERM_OF_BROKER, administrator],
  [codes.DELETE_TOPIC_IN_NAMESRV, administrator],
  [codes.REGISTER_TOPIC_IN_NAMESRV, administrator],
])
