import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.GetMessageStatus;

/** Reads queue by queue as a consumer does: batches come apart, and a message is told with the queue it was found in. */
final class Queues {
    private final DefaultMessageStore store;

    Queues(DefaultMessageStore store) {
        this.store = store;
    }

    JSONArray read(Consumer<JSONObject> each) throws Exception {
        JSONArray bounds = new JSONArray();
        for (Object[] queue : Generation.queues(store)) {
            String topic = (String) queue[0];
            int queueId = (Integer) queue[1];
            JSONObject bound = new JSONObject();
            bound.put("topic", topic);
            bound.put("queueId", queueId);
            bound.put("minOffset", store.getMinOffsetInQueue(topic, queueId));
            bound.put("maxOffset", store.getMaxOffsetInQueue(topic, queueId));
            bounds.add(bound);
            readQueue(topic, queueId, each);
        }
        return bounds;
    }

    private void readQueue(String topic, int queueId, Consumer<JSONObject> each) throws Exception {
        long offset = Math.max(0, store.getMinOffsetInQueue(topic, queueId));
        long end = store.getMaxOffsetInQueue(topic, queueId);
        while (offset < end) {
            GetMessageResult result = store.getMessage("interop", topic, queueId, offset, 32, null);
            try {
                if (result.getStatus() != GetMessageStatus.FOUND) {
                    throw new IllegalStateException(topic + "/" + queueId + " at " + offset + ": " + result.getStatus());
                }
                for (ByteBuffer buffer : result.getMessageBufferList()) {
                    int bodyCrc = buffer.getInt(8);
                    for (MessageExt message : Generation.unwrap(MessageDecoder.decode(buffer, true, false))) {
                        JSONObject item = new JSONObject();
                        item.put("queue", topic + "/" + queueId);
                        item.put("message", Messages.describe(message, bodyCrc));
                        each.accept(item);
                    }
                }
                offset = result.getNextBeginOffset();
            } finally {
                result.release();
            }
        }
    }
}
