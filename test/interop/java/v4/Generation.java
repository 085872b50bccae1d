import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** What is particular to 4.9. */
final class Generation {
    private Generation() {
    }

    static void configure(MessageStoreConfig config, boolean recordCrc) {
        if (recordCrc) {
            throw new IllegalArgumentException("4.9 knows no CRC of whole records");
        }
    }

    static DefaultMessageStore store(MessageStoreConfig config) throws Exception {
        return new DefaultMessageStore(config, new BrokerStatsManager("interop", true),
            (topic, queueId, offset, tagsCode, time, bits, properties) -> { }, new BrokerConfig());
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
