import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Consumers of RocketMQ's client library, as in its quick start. Commands come as lines, and what happens goes out so.
 *
 * <pre>
 *  start NAME KIND GROUP TOPIC FILTER     KIND: concurrent, failing, refusing, ordered, broadcast, assigned, lite,
 *                                               popping, slow, late: the broker shares the queues; with each message
 *                                               slow takes too long the first time, late wants it again once;
 *                                               brief tells once what it wants, and then that it is there;
 *                                               busy is never done with its first two messages, and then pulls no more
 *  stop NAME
 *  send TOPIC COUNT PREFIX                as fast as answers come, each until some broker has it
 *  @ sent BROKER NUMBER STATUS KEY ID QUEUE OFFSET
 *  @ NAME TOPIC QUEUE OFFSET RECONSUMED BODY
 * </pre>
 */
public final class Consumers {
    private static final Map<String, Runnable> STOPS = new HashMap<>();
    private static final List<String> BY_BROKER = List.of("assigned", "popping", "slow", "late");

    public static void main(String[] args) throws Exception {
        String names = args[0];
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("up");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", 6);
            if (words[0].equals("send")) {
                send(names, words[1], Integer.parseInt(words[2]), words[3]);
                say("done send");
            } else if (words[0].equals("stop")) {
                STOPS.remove(words[1]).run();
                say("stopped " + words[1]);
            } else if (words[2].equals("lite")) {
                lite(names, words[1], words[3], words[4], words[5]);
            } else {
                push(names, words[1], words[2], words[3], words[4], words[5]);
            }
        }
        for (Runnable stop : STOPS.values()) stop.run();
        System.exit(0);
    }

    private static void push(String names, String name, String kind, String group, String topic, String filter) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(names);
        consumer.setInstanceName(name);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPollNameServerInterval(Integer.getInteger("pollNameServers", 30_000));
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(4);
        if (filter.startsWith("sql:")) consumer.subscribe(topic, MessageSelector.bySql(filter.substring(4)));
        else consumer.subscribe(topic, filter);
        if (kind.equals("refusing")) consumer.setMaxReconsumeTimes(1);
        if (kind.equals("broadcast")) broadcast(consumer);
        if (BY_BROKER.contains(kind)) consumer.getClass().getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        // The shortest time that a popped message may be hidden.
        if (kind.equals("slow")) consumer.getClass().getMethod("setPopInvisibleTime", long.class).invoke(consumer, 5_000L);
        AtomicInteger taken = new AtomicInteger();
        if (kind.equals("busy")) {
            consumer.setPullThresholdForQueue(1);
            consumer.setConsumeThreadMin(3);
        }
        if (kind.equals("brief")) {
            consumer.getClass().getMethod("setUseHeartbeatV2", boolean.class).invoke(consumer, true);
            consumer.setHeartbeatBrokerInterval(500);
        }
        if (kind.equals("ordered")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                tell(name, messages);
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                tell(name, messages);
                int before = messages.get(0).getReconsumeTimes();
                if (kind.equals("slow") && before == 0) sleep(7_000);
                if (kind.equals("busy") && taken.incrementAndGet() <= 2) sleep(300_000);
                boolean fails = kind.equals("refusing") || kind.equals("failing") && before < 2 || kind.equals("late") && before == 0;
                // One second, the shortest delay; of popped messages the shortest one is the first of their own.
                context.setDelayLevelWhenNextConsume(kind.equals("late") ? 0 : 1);
                return fails ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        STOPS.put(name, consumer::shutdown);
        say("started " + name);
    }

    /** The enum has another package in each generation. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    private static void broadcast(DefaultMQPushConsumer consumer) throws Exception {
        for (java.lang.reflect.Method method : consumer.getClass().getMethods()) {
            if (!method.getName().equals("setMessageModel")) continue;
            method.invoke(consumer, Enum.valueOf((Class<Enum>) method.getParameterTypes()[0], "BROADCASTING"));
        }
    }

    private static void lite(String names, String name, String group, String topic, String filter) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group);
        consumer.setNamesrvAddr(names);
        consumer.setInstanceName(name);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, filter);
        consumer.start();
        Thread poller = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted() && consumer.isRunning()) tell(name, consumer.poll(500));
        });
        poller.setDaemon(true);
        poller.start();
        STOPS.put(name, () -> {
            poller.interrupt();
            consumer.shutdown();
        });
        say("started " + name);
    }

    private static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private static void send(String names, String topic, int count, String prefix) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("interop_senders");
        producer.setNamesrvAddr(names);
        producer.setInstanceName("sender");
        producer.setPollNameServerInterval(1000);
        producer.setRetryTimesWhenSendFailed(10);
        producer.start();
        for (int i = 0; i < count; i++) {
            byte[] body = (prefix + i).getBytes(StandardCharsets.UTF_8);
            SendResult result = producer.send(new Message(topic, "", prefix + i, body), 30_000);
            MessageQueue queue = result.getMessageQueue();
            say("sent " + queue.getBrokerName() + " " + i + " " + result.getSendStatus() + " " + result.getMsgId() + " "
                + result.getOffsetMsgId() + " " + queue.getQueueId() + " " + result.getQueueOffset());
        }
        producer.shutdown();
    }

    private static void tell(String name, List<MessageExt> messages) {
        for (MessageExt message : messages) {
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            String where = message.getTopic() + " " + message.getQueueId() + " " + message.getQueueOffset();
            say(name + " " + where + " " + message.getReconsumeTimes() + " " + body);
        }
    }

    private static synchronized void say(String text) {
        System.out.println("@ " + text);
        System.out.flush();
    }

    private Consumers() {}
}
