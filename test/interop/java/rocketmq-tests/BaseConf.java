package org.apache.rocketmq.test.base;

import static org.awaitility.Awaitility.await;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.client.consumer.MQPullConsumer;
import org.apache.rocketmq.client.consumer.MQPushConsumer;
import org.apache.rocketmq.client.producer.MQProducer;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.common.attribute.CQType;
import org.apache.rocketmq.common.attribute.TopicMessageType;
import org.apache.rocketmq.namesrv.NamesrvController;
import org.apache.rocketmq.test.client.rmq.RMQAsyncSendProducer;
import org.apache.rocketmq.test.client.rmq.RMQNormalConsumer;
import org.apache.rocketmq.test.client.rmq.RMQNormalProducer;
import org.apache.rocketmq.test.client.rmq.RMQTransactionalProducer;
import org.apache.rocketmq.test.clientinterface.MQConsumer;
import org.apache.rocketmq.test.factory.ConsumerFactory;
import org.apache.rocketmq.test.listener.AbstractListener;
import org.apache.rocketmq.test.util.MQAdminTestUtils;
import org.apache.rocketmq.test.util.MQRandomUtils;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.admin.MQAdminExt;

/**
 * Stands in for the class of this name in RocketMQ's tests, which starts servers in the process: here they run
 * elsewhere, and the system property {@code mqlite.nameServer} tells where. What tests read and call has the names and
 * the meanings that they expect.
 */
public class BaseConf {
    public static final String NAMESRV_ADDR = System.getProperty("mqlite.nameServer");
    protected static final String CLUSTER_NAME = "DefaultCluster";
    protected static final String BROKER1_NAME = IntegrationTestBase.brokerName(1);
    protected static final String BROKER2_NAME = IntegrationTestBase.brokerName(2);
    protected static final String BROKER3_NAME = IntegrationTestBase.brokerName(3);
    protected static final int BROKER_NUM = 3;
    protected static final int WAIT_TIME = 5;
    protected static final int CONSUME_TIME = 120_000;
    protected static final int QUEUE_NUMBERS = 8;

    /** There is none in the process: a test that reaches for it fails. */
    protected static NamesrvController namesrvController;
    protected static BrokerController brokerController1;
    protected static BrokerController brokerController2;
    protected static BrokerController brokerController3;
    protected static List<BrokerController> brokerControllerList;
    protected static Map<String, BrokerController> brokerControllerMap = new LinkedHashMap<>();

    protected static List<Object> mqClients = new ArrayList<>();
    protected static boolean debug = false;

    static {
        IntegrationTestBase.initMQAdmin(NAMESRV_ADDR);
        RemoteBroker.connect(NAMESRV_ADDR);
        brokerController1 = RemoteBroker.named(BROKER1_NAME);
        brokerController2 = RemoteBroker.named(BROKER2_NAME);
        brokerController3 = RemoteBroker.named(BROKER3_NAME);
        brokerControllerList = List.of(brokerController1, brokerController2, brokerController3);
        for (BrokerController broker : brokerControllerList) {
            brokerControllerMap.put(broker.getBrokerConfig().getBrokerName(), broker);
        }
    }

    public BaseConf() {
        waitBrokerRegistered(NAMESRV_ADDR, CLUSTER_NAME, BROKER_NUM);
    }

    public static void waitBrokerRegistered(String nsAddr, String clusterName, int expectedBrokerNum) {
        await().atMost(30, TimeUnit.SECONDS).until(() -> RemoteBroker.brokersOf(clusterName) == expectedBrokerNum);
    }

    public boolean awaitDispatchMs(long timeMs) throws Exception {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeMs);
        while (System.nanoTime() < end) {
            if (brokerControllerList.stream().allMatch(each -> each.getMessageStore().dispatchBehindBytes() == 0)) {
                return true;
            }
            Thread.sleep(100);
        }
        return false;
    }

    public static String initTopic() {
        return initTopicWithName(MQRandomUtils.getRandomTopic());
    }

    public static String initTopic(TopicMessageType type) {
        return initTopicWithName(MQRandomUtils.getRandomTopic(), type);
    }

    public static String initTopicWithName(String topic) {
        return topicLike(topic, CLUSTER_NAME, TopicMessageType.NORMAL);
    }

    public static String initTopicWithName(String topic, TopicMessageType type) {
        return topicLike(topic, CLUSTER_NAME, type);
    }

    public static String initTopicOnSampleTopicBroker(String sample) {
        return topicLike(MQRandomUtils.getRandomTopic(), sample, TopicMessageType.NORMAL);
    }

    public static String initTopicOnSampleTopicBroker(String sample, TopicMessageType type) {
        return topicLike(MQRandomUtils.getRandomTopic(), sample, type);
    }

    public static String initTopicOnSampleTopicBroker(String topic, String sample) {
        return topicLike(topic, sample, TopicMessageType.NORMAL);
    }

    public static String initTopicOnSampleTopicBroker(String topic, String sample, TopicMessageType type) {
        return topicLike(topic, sample, type);
    }

    /** Makes a topic on the brokers that have another one: each cluster and each broker has one of its own name. */
    private static String topicLike(String topic, String sample, TopicMessageType type) {
        IntegrationTestBase.initTopic(topic, NAMESRV_ADDR, sample, QUEUE_NUMBERS, CQType.SimpleCQ, type);
        return topic;
    }

    public static String initConsumerGroup() {
        return initConsumerGroup(MQRandomUtils.getRandomConsumerGroup());
    }

    public static String initConsumerGroup(String group) {
        MQAdminTestUtils.createSub(NAMESRV_ADDR, CLUSTER_NAME, group);
        return group;
    }

    public static DefaultMQAdminExt getAdmin(String nsAddr) {
        DefaultMQAdminExt admin = kept(new DefaultMQAdminExt(3000));
        admin.setNamesrvAddr(nsAddr);
        admin.setPollNameServerInterval(100);
        return admin;
    }

    public static RMQNormalProducer getProducer(String nsAddr, String topic) {
        return getProducer(nsAddr, topic, false);
    }

    public static RMQNormalProducer getProducer(String nsAddr, String topic, boolean useTLS) {
        return kept(new RMQNormalProducer(nsAddr, topic, useTLS));
    }

    public static RMQNormalProducer getProducer(String nsAddr, String topic, String group, String instance) {
        return kept(new RMQNormalProducer(nsAddr, topic, group, instance));
    }

    public static RMQTransactionalProducer getTransactionalProducer(String nsAddr, String topic, TransactionListener listener) {
        return kept(new RMQTransactionalProducer(nsAddr, topic, false, listener));
    }

    public static RMQAsyncSendProducer getAsyncProducer(String nsAddr, String topic) {
        return kept(new RMQAsyncSendProducer(nsAddr, topic));
    }

    public static RMQNormalConsumer getConsumer(String nsAddr, String topic, String expression, AbstractListener listener) {
        return getConsumer(nsAddr, initConsumerGroup(), topic, expression, listener, false);
    }

    public static RMQNormalConsumer getConsumer(
        String nsAddr, String topic, String expression, AbstractListener listener, boolean useTLS) {
        return getConsumer(nsAddr, initConsumerGroup(), topic, expression, listener, useTLS);
    }

    public static RMQNormalConsumer getConsumer(
        String nsAddr, String group, String topic, String expression, AbstractListener listener) {
        return getConsumer(nsAddr, group, topic, expression, listener, false);
    }

    public static RMQNormalConsumer getConsumer(
        String nsAddr, String group, String topic, String expression, AbstractListener listener, boolean useTLS) {
        return kept(ConsumerFactory.getRMQNormalConsumer(nsAddr, group, topic, expression, listener, useTLS));
    }

    public static Set<String> getBrokers() {
        return new HashSet<>(brokerControllerMap.keySet());
    }

    public static void shutdown() {
        List<Object> ended = List.copyOf(mqClients);
        mqClients.clear();
        shutdown(ended);
    }

    public static void shutdown(List<Object> clients) {
        for (Object client : clients) {
            CompletableFuture.runAsync(() -> end(client));
        }
    }

    private static <Client> Client kept(Client client) {
        mqClients.add(client);
        return client;
    }

    private static void end(Object client) {
        if (client instanceof MQAdminExt) {
            ((MQAdminExt) client).shutdown();
        } else if (client instanceof org.apache.rocketmq.test.clientinterface.MQProducer) {
            ((org.apache.rocketmq.test.clientinterface.MQProducer) client).shutdown();
        } else if (client instanceof MQConsumer) {
            ((MQConsumer) client).shutdown();
        } else if (client instanceof MQProducer) {
            ((MQProducer) client).shutdown();
        } else if (client instanceof MQPullConsumer) {
            ((MQPullConsumer) client).shutdown();
        } else if (client instanceof MQPushConsumer) {
            ((MQPushConsumer) client).shutdown();
        }
    }
}
