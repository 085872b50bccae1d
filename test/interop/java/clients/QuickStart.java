import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * RocketMQ's quick start: a push consumer, and a producer that sends and waits, sends and goes on, sends and does not ask,
 * and sends for later. Both write traces of what they do.
 *
 * Arguments: address of the name server, topic, messages of each kind, and "timed" if some are to come after a time that
 * is no level, which 4.9 does not know. Prints a line for each message that came: its text,
 * and how long after it was sent, in milliseconds; and the id of the first message.
 */
public class QuickStart {
    private static DefaultMQProducer producer;

    public static void main(String[] given) throws Exception {
        String topic = given[1];
        int count = Integer.parseInt(given[2]);
        boolean isTimed = given.length > 3 && given[3].equals("timed");
        CountDownLatch coming = new CountDownLatch((isTimed ? 5 : 4) * count);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("quick_start_consumer", true, null);
        consumer.setNamesrvAddr(given[0]);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                String text = new String(message.getBody(), StandardCharsets.UTF_8);
                say("GOT " + text + " " + (System.currentTimeMillis() - message.getBornTimestamp()));
                coming.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();

        producer = new DefaultMQProducer("quick_start_producer", true, null);
        producer.setNamesrvAddr(given[0]);
        producer.start();
        CountDownLatch sent = new CountDownLatch(count);
        for (int i = 0; i < count; i++) {
            SendResult result = producer.send(message(topic, "sync-" + i));
            if (i == 0) say("FIRST " + result.getMsgId());
            producer.send(message(topic, "async-" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult told) {
                    sent.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    say("FAILED " + error);
                    sent.countDown();
                }
            });
            producer.sendOneway(message(topic, "oneway-" + i));
            Message later = message(topic, "later-" + i);
            // Five seconds.
            later.setDelayTimeLevel(2);
            producer.send(later);
            if (!isTimed) continue;
            Message timed = message(topic, "timed-" + i);
            Message.class.getMethod("setDelayTimeMs", long.class).invoke(timed, 3_000L);
            producer.send(timed);
        }
        sent.await(60, TimeUnit.SECONDS);
        coming.await(60, TimeUnit.SECONDS);
        // What is traced leaves with the end of each client.
        producer.shutdown();
        consumer.shutdown();
        System.exit(0);
    }

    private static Message message(String topic, String text) {
        return new Message(topic, "TagA", text, text.getBytes(StandardCharsets.UTF_8));
    }

    private static synchronized void say(String text) {
        System.out.println(text);
    }
}
