import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Questions and answers, as in RocketMQ's example: a producer sends questions and waits, a consumer answers each.
 *
 * Arguments: address of the name server, topic, how many, and "sync" if the producer shall also stand still for answers:
 * in 5.3.3 it does not wait for them, as what wakes it is that its question was stored. Prints what the answers say, and
 * what came of each.
 */
public class Replies {
    public static void main(String[] given) throws Exception {
        int count = Integer.parseInt(given[2]);
        boolean isSync = given.length > 3 && given[3].equals("sync");
        CountDownLatch answers = new CountDownLatch(isSync ? 2 * count : count);
        DefaultMQProducer answering = producer(given[0], "interop_answering");
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("interop_answering_consumer");
        consumer.setNamesrvAddr(given[0]);
        consumer.setPullInterval(0);
        consumer.subscribe(given[1], "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                try {
                    String text = "answer to " + new String(message.getBody(), StandardCharsets.UTF_8);
                    Message reply = MessageUtil.createReplyMessage(message, text.getBytes(StandardCharsets.UTF_8));
                    SendResult result = answering.send(reply, 10_000);
                    System.out.println("ANSWERED " + result.getSendStatus() + " " + reply.getTopic());
                } catch (Exception error) {
                    System.out.println("FAILED " + error);
                }
                answers.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();

        DefaultMQProducer asking = producer(given[0], "interop_asking");
        for (int i = 0; isSync && i < count; i++) told("sync", asking.request(question(given[1], "sync-" + i), 30_000));
        CountDownLatch left = new CountDownLatch(count);
        for (int i = 0; i < count; i++) {
            asking.request(question(given[1], "async-" + i), new RequestCallback() {
                @Override
                public void onSuccess(Message answer) {
                    told("async", answer);
                    left.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    System.out.println("FAILED " + error);
                    left.countDown();
                }
            }, 30_000);
        }
        left.await(60, TimeUnit.SECONDS);
        answers.await(60, TimeUnit.SECONDS);
        consumer.shutdown();
        asking.shutdown();
        answering.shutdown();
        System.exit(0);
    }

    private static DefaultMQProducer producer(String names, String group) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group);
        producer.setNamesrvAddr(names);
        producer.setInstanceName(group);
        producer.start();
        return producer;
    }

    private static Message question(String topic, String text) {
        return new Message(topic, "question", text, text.getBytes(StandardCharsets.UTF_8));
    }

    private static synchronized void told(String kind, Message answer) {
        System.out.println("TOLD " + kind + ": " + new String(answer.getBody(), StandardCharsets.UTF_8));
    }
}
