import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** What is particular to 4.9. */
final class Generation {
    private Generation() {
    }

    static void configure(MessageStoreConfig config, JSONObject command) {
        if (command.getBooleanValue("recordCrc")) {
            throw new IllegalArgumentException("4.9 knows no CRC of whole records");
        }
    }

    static DefaultMessageStore store(MessageStoreConfig config, JSONArray batchTopics) throws Exception {
        return new DefaultMessageStore(config, new BrokerStatsManager("interop", true),
            (topic, queueId, offset, tagsCode, time, bits, properties) -> { }, new BrokerConfig());
    }

    static PutMessageResult putInner(DefaultMessageStore store, MessageExtBatch batch, String id) {
        throw new IllegalArgumentException("4.9 knows no queues that hold batches");
    }

    static List<MessageExt> unwrap(MessageExt message) {
        return Collections.singletonList(message);
    }

    static long offsetByTime(DefaultMessageStore store, String topic, int queueId, long time, boolean upper) {
        return store.getOffsetInQueueByTime(topic, queueId, time);
    }

    static List<Object[]> queues(DefaultMessageStore store) {
        List<Object[]> queues = new ArrayList<>();
        store.getConsumeQueueTable().forEach((topic, table) -> table.keySet().forEach(id -> queues.add(new Object[] {topic, id})));
        return queues;
    }
}
