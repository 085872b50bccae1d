package org.apache.rocketmq.test.base;

import java.io.File;
import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicAttributes;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.attribute.CQType;
import org.apache.rocketmq.common.attribute.TopicMessageType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.test.util.MQAdminTestUtils;

/** Stands in for the class of this name in RocketMQ's tests: what of it {@link BaseConf} and the tests call. */
public class IntegrationTestBase {
    private static final int TOPIC_SECONDS = 30;

    static String brokerName(int number) {
        return "TestBrokerName_" + number;
    }

    /** Starts a broker that was shut down. Its configuration is what it had: the one given is of Java's broker. */
    public static BrokerController createAndStartBroker(MessageStoreConfig store, BrokerConfig broker) {
        RemoteBroker.tell("start " + broker.getBrokerName());
        return RemoteBroker.named(broker.getBrokerName());
    }

    public static boolean initTopic(
        String topic, String nsAddr, String sample, int queues, CQType queueType, TopicMessageType messageType) {
        Map<String, String> attributes = new HashMap<>();
        if (queueType != CQType.SimpleCQ) {
            attributes.put("+" + TopicAttributes.QUEUE_TYPE_ATTRIBUTE.getName(), queueType.toString());
        }
        if (messageType != TopicMessageType.NORMAL) {
            attributes.put("+" + TopicAttributes.TOPIC_MESSAGE_TYPE_ATTRIBUTE.getName(), messageType.toString());
        }
        return MQAdminTestUtils.createTopic(nsAddr, sample, topic, queues, attributes, TOPIC_SECONDS);
    }

    public static boolean initTopic(String topic, String nsAddr, String sample, int queues, CQType queueType) {
        return initTopic(topic, nsAddr, sample, queues, queueType, TopicMessageType.NORMAL);
    }

    public static boolean initTopic(String topic, String nsAddr, String sample, CQType queueType) {
        return initTopic(topic, nsAddr, sample, BaseConf.QUEUE_NUMBERS, queueType, TopicMessageType.NORMAL);
    }

    public static boolean initTopic(String topic, String nsAddr, String sample, TopicMessageType messageType) {
        return initTopic(topic, nsAddr, sample, BaseConf.QUEUE_NUMBERS, CQType.SimpleCQ, messageType);
    }

    public static void deleteFile(File file) {
        UtilAll.deleteFile(file);
    }

    public static void initMQAdmin(String nsAddr) {
        try {
            MQAdminTestUtils.startAdmin(nsAddr);
        } catch (MQClientException error) {
            throw new IllegalStateException(error);
        }
    }
}
