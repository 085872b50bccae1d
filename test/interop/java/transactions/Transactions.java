import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Transactions of RocketMQ's own client, told line by line until standard input ends.
 *
 * <pre>
 *  send NAMESRV GROUP TOPIC COUNT      sends COUNT messages of each kind, and does not know when asked
 *  answer NAMESRV GROUP TOPIC          answers questions, and consumes the topic from its first message on
 * </pre>
 *
 * The first letter of a body says what its transaction does: C and R are decided at once, c and r when asked.
 */
public final class Transactions {
    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    private static synchronized void print(String what, String text) {
        System.out.println(what + " " + text);
        System.out.flush();
    }

    private static LocalTransactionState truthOf(String body) {
        return Character.toLowerCase(body.charAt(0)) == 'c'
            ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE;
    }

    private static TransactionMQProducer producer(String nameServer, String group, String topic, boolean knows) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(group);
        producer.setNamesrvAddr(nameServer);
        producer.setSendMsgTimeout(20_000);
        // A producer that has sent nothing yet is known only to brokers of these topics.
        producer.setTopics(List.of(topic));
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                String body = text(message);
                return Character.isUpperCase(body.charAt(0)) ? truthOf(body) : LocalTransactionState.UNKNOW;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                print("ASKED", text(message));
                return knows ? truthOf(text(message)) : LocalTransactionState.UNKNOW;
            }
        });
        producer.start();
        return producer;
    }

    private static void consume(String nameServer, String group, String topic) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                print("GOT", text(message) + " " + message.getQueueId() + " " + message.getTags() + " " + message.getKeys()
                    + " " + message.getTransactionId().equals(message.getProperty("UNIQ_KEY")));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    /** The name server may not know the broker yet. */
    private static TransactionSendResult send(TransactionMQProducer producer, Message message) throws Exception {
        for (int attempt = 0; ; attempt++) {
            try {
                return producer.sendMessageInTransaction(message, null);
            } catch (MQClientException problem) {
                if (attempt == 100 || !isWithoutRoute(problem)) throw problem;
                Thread.sleep(200);
            }
        }
    }

    /** The client wraps what went wrong in an exception that says only that it could not send. */
    private static boolean isWithoutRoute(Throwable problem) {
        for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
            if (String.valueOf(cause.getMessage()).contains("No route info")) return true;
        }
        return false;
    }

    public static void main(String[] arguments) {
        try {
            run(arguments);
        } catch (Throwable problem) {
            // Threads of the client would keep the program alive.
            problem.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String[] arguments) throws Exception {
        String nameServer = arguments[1];
        String group = arguments[2];
        String topic = arguments[3];
        boolean sends = arguments[0].equals("send");
        TransactionMQProducer producer = producer(nameServer, group, topic, !sends);
        if (sends) {
            for (int i = 0; i < Integer.parseInt(arguments[4]); i++) {
                for (String kind : List.of("C", "R", "c", "r")) {
                    Message message = new Message(topic, "tag" + i % 3, kind + i, (kind + i).getBytes(StandardCharsets.UTF_8));
                    TransactionSendResult result = send(producer, message);
                    if (result.getSendStatus() != SendStatus.SEND_OK) throw new IllegalStateException(result.toString());
                    print("SENT", kind + i + " " + result.getQueueOffset());
                }
            }
        } else {
            consume(nameServer, group + "-consumer", topic);
        }
        print("READY", "");
        while (System.in.read() >= 0) {
            // Until whoever started this ends it.
        }
        System.exit(0);
    }
}
