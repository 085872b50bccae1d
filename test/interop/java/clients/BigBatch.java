import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * Sends one batch of small messages. Arguments: address of the name server, topic, how many. Prints status, how many
 * different ids of the broker and of the client the answer has, and the first offset.
 */
public final class BigBatch {
    private BigBatch() {
    }

    public static void main(String[] given) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("interop_big_batch");
        producer.setNamesrvAddr(given[0]);
        producer.setSendMsgTimeout(30_000);
        producer.start();
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(given[2]); i++) {
            messages.add(new Message(given[1], String.valueOf(i).getBytes(StandardCharsets.UTF_8)));
        }
        SendResult result = producer.send(messages);
        System.out.println("SENT " + result.getSendStatus() + " " + different(result.getOffsetMsgId()) + " "
            + different(result.getMsgId()) + " " + result.getQueueOffset());
        producer.shutdown();
        System.exit(0);
    }

    private static int different(String ids) {
        return new HashSet<>(Arrays.asList(ids.split(","))).size();
    }
}
