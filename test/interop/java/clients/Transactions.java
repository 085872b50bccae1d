import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A producer of transactions: of each three, one is committed, one rolled back, one left unknown.
 *
 * Arguments: address of the name server, topic, how many, seconds to wait for questions. A question is answered by a
 * commit. Prints a line for each result, and one for each question with what the broker says of the message.
 */
public class Transactions {
    private static final LocalTransactionState[] ENDS = {
        LocalTransactionState.COMMIT_MESSAGE, LocalTransactionState.ROLLBACK_MESSAGE, LocalTransactionState.UNKNOW
    };

    public static void main(String[] given) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer("interop_transactions");
        producer.setNamesrvAddr(given[0]);
        producer.setSendMsgTimeout(30_000);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object number) {
                return ENDS[(Integer) number % ENDS.length];
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                System.out.println("ASKED " + message.getTopic() + " " + message.getQueueId() + " "
                    + message.getKeys() + " " + new String(message.getBody(), StandardCharsets.UTF_8));
                return LocalTransactionState.COMMIT_MESSAGE;
            }
        });
        producer.start();
        for (int i = 0; i < Integer.parseInt(given[2]); i++) {
            String text = "transaction-" + i;
            Message message = new Message(given[1], "half", text, text.getBytes(StandardCharsets.UTF_8));
            TransactionSendResult result = producer.sendMessageInTransaction(message, i);
            System.out.println("SENT " + i + " " + result.getSendStatus() + " " + result.getLocalTransactionState() + " "
                + result.getMsgId() + " " + result.getMessageQueue().getQueueId());
        }
        Thread.sleep(1000L * Integer.parseInt(given[3]));
        producer.shutdown();
        System.exit(0);
    }
}
