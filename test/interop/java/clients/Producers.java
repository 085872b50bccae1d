import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * The producers of RocketMQ's quick start: synchronous, asynchronous, one-way, in batches, and in order by a selector.
 *
 * Arguments: address of the name server, topic, messages of each kind, how large ones are compressed. Prints a line for each result:
 * kind, number, status, id of the client, id of the broker, queue, offset.
 */
public class Producers {
    private final DefaultMQProducer producer;
    private final String topic;
    private final int count;

    private Producers(DefaultMQProducer producer, String topic, int count) {
        this.producer = producer;
        this.topic = topic;
        this.count = count;
    }

    public static void main(String[] given) throws Exception {
        System.setProperty("rocketmq.message.compressType", given.length > 3 ? given[3] : "ZLIB");
        DefaultMQProducer producer = new DefaultMQProducer("interop_producers");
        producer.setNamesrvAddr(given[0]);
        producer.setSendMsgTimeout(30_000);
        producer.start();
        Producers producers = new Producers(producer, given[1], Integer.parseInt(given[2]));
        producers.synchronous();
        producers.asynchronous();
        producers.oneWay();
        producers.batch();
        producers.ordered();
        producer.shutdown();
        System.exit(0);
    }

    private void synchronous() throws Exception {
        for (int i = 0; i < count; i++) told("sync", i, producer.send(message("sync", i)));
        // Large enough for the client to compress it.
        byte[] large = new byte[100_000];
        for (int i = 0; i < large.length; i++) large[i] = (byte) ('a' + i % 7);
        told("large", 0, producer.send(new Message(topic, "large", "large-0", large)));
    }

    private void asynchronous() throws Exception {
        CountDownLatch left = new CountDownLatch(count);
        for (int i = 0; i < count; i++) {
            int number = i;
            producer.send(message("async", i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    told("async", number, result);
                    left.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    System.out.println("FAILED async " + number + " " + error);
                    left.countDown();
                }
            });
        }
        left.await(60, TimeUnit.SECONDS);
    }

    private void oneWay() throws Exception {
        for (int i = 0; i < count; i++) producer.sendOneway(message("oneway", i));
    }

    private void batch() throws Exception {
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < count; i++) messages.add(message("batch", i));
        told("batch", 0, producer.send(messages));
    }

    private void ordered() throws Exception {
        for (int i = 0; i < count; i++) {
            SendResult result = producer.send(
                message("ordered", i), (queues, chosen, order) -> queues.get((Integer) order % queues.size()), i % 3);
            told("ordered", i, result);
        }
    }

    private Message message(String kind, int number) {
        String text = kind + "-" + number;
        return new Message(topic, kind, text, text.getBytes(StandardCharsets.UTF_8));
    }

    private static synchronized void told(String kind, int number, SendResult result) {
        System.out.println("SENT " + kind + " " + number + " " + result.getSendStatus() + " " + result.getMsgId() + " "
            + result.getOffsetMsgId() + " " + result.getMessageQueue().getQueueId() + " " + result.getQueueOffset());
    }
}
