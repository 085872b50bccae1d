import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;

/**
 * Clients that sign what they send: for each account a message is sent, then some are pulled; the last one has a consumer
 * as well, which must get so many messages.
 *
 * Arguments: address of the name server, topic, broker name, group, messages that the consumer gets, then accounts:
 * access key, colon, secret key; or `-`, who signs nothing. Prints `ACCOUNT DEED OUTCOME`, the outcome being `done` or
 * `refused` with what the broker said.
 */
public final class Signed {
    private interface Deed {
        String run() throws Exception;
    }

    public static void main(String[] given) throws Exception {
        int count = Integer.parseInt(given[4]);
        for (int i = 5; i < given.length; i++) {
            String account = given[i].split(":")[0];
            RPCHook hook = hookOf(given[i]);
            tell(account, "send", () -> send(given[0], given[1], given[2], account, hook));
            tell(account, "pull", () -> pull(given[0], given[1], given[2], given[3], account, hook));
            if (i == given.length - 1) tell(account, "consume", () -> consume(given[0], given[1], given[3], count, hook));
        }
        System.exit(0);
    }

    private static RPCHook hookOf(String text) {
        String[] parts = text.split(":");
        return parts.length < 2 ? null : new AclClientRPCHook(new SessionCredentials(parts[0], parts[1]));
    }

    private static void tell(String account, String deed, Deed run) {
        String outcome;
        try {
            outcome = run.run();
        } catch (MQBrokerException error) {
            outcome = "refused " + error.getResponseCode() + " " + error.getErrorMessage();
        } catch (Exception error) {
            outcome = "refused - " + String.valueOf(error.getMessage()).split("\n")[0];
        }
        System.out.println("OUTCOME " + account + " " + deed + " " + outcome);
    }

    private static String send(String names, String topic, String broker, String account, RPCHook hook) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("signed_producers", hook);
        producer.setInstanceName("send-" + account);
        producer.setNamesrvAddr(names);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setSendMsgTimeout(20_000);
        producer.start();
        try {
            Message message = new Message(topic, account, "key-" + account, ("ä of " + account).getBytes(StandardCharsets.UTF_8));
            return "done " + producer.send(message, new MessageQueue(topic, broker, 0)).getSendStatus();
        } finally {
            producer.shutdown();
        }
    }

    private static String pull(String names, String topic, String broker, String group, String account, RPCHook hook) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group, hook);
        consumer.setInstanceName("pull-" + account);
        consumer.setNamesrvAddr(names);
        consumer.start();
        try {
            consumer.fetchSubscribeMessageQueues(topic);
            PullResult result = consumer.pull(new MessageQueue(topic, broker, 0), "*", 0, 32, 20_000);
            return "done " + result.getPullStatus();
        } finally {
            consumer.shutdown();
        }
    }

    private static String consume(String names, String topic, String group, int count, RPCHook hook) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(null, group, hook, new AllocateMessageQueueAveragely());
        consumer.setInstanceName("consume");
        consumer.setNamesrvAddr(names);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        CountDownLatch left = new CountDownLatch(count);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (int i = 0; i < messages.size(); i++) left.countDown();
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        boolean came = left.await(60, TimeUnit.SECONDS);
        consumer.shutdown();
        return (came ? "done" : "refused - messages are missing: " + left.getCount());
    }
}
