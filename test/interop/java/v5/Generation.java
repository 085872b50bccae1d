import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.apache.rocketmq.common.BoundaryType;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** What is particular to 5.3. */
final class Generation {
    private Generation() {
    }

    static void configure(MessageStoreConfig config, JSONObject command) {
        config.setEnabledAppendPropCRC(command.getBooleanValue("recordCrc"));
        if (command.containsKey("queueSegmentEntries")) {
            config.setMapperFileSizeBatchConsumeQueue(command.getIntValue("queueSegmentEntries") * 46);
        }
    }

    static DefaultMessageStore store(MessageStoreConfig config, JSONArray batchTopics) throws Exception {
        ConcurrentMap<String, TopicConfig> topics = new ConcurrentHashMap<>();
        for (Object name : batchTopics) {
            TopicConfig topic = new TopicConfig((String) name);
            topic.getAttributes().put("queue.type", "BatchCQ");
            topics.put((String) name, topic);
        }
        return new DefaultMessageStore(config, new BrokerStatsManager("interop", true),
            (topic, queueId, offset, tagsCode, time, bits, properties) -> { }, new BrokerConfig(), topics);
    }

    /** Puts a batch as a broker does on a topic whose queues hold batches; the client gave the batch an id of its own. */
    static PutMessageResult putInner(DefaultMessageStore store, MessageExtBatch batch, String id) {
        batch.setSysFlag(batch.getSysFlag() | MessageSysFlag.NEED_UNWRAP_FLAG | MessageSysFlag.INNER_BATCH_FLAG);
        batch.setInnerBatch(true);
        MessageAccessor.putProperty(batch, "UNIQ_KEY", id);
        MessageAccessor.putProperty(batch, "CLUSTER", "interop");
        int count = MessageDecoder.countInnerMsgNum(ByteBuffer.wrap(batch.getBody()));
        MessageAccessor.putProperty(batch, MessageConst.PROPERTY_INNER_NUM, String.valueOf(count));
        batch.setPropertiesString(MessageDecoder.messageProperties2String(batch.getProperties()));
        return store.putMessage(batch);
    }

    /** The messages of a batch, as a consumer takes it apart, or the message itself. */
    static List<MessageExt> unwrap(MessageExt message) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        int both = MessageSysFlag.NEED_UNWRAP_FLAG | MessageSysFlag.INNER_BATCH_FLAG;
        if ((message.getSysFlag() & both) == both) {
            MessageDecoder.decodeMessage(message, messages);
        } else {
            messages.add(message);
        }
        return messages;
    }

    static long offsetByTime(DefaultMessageStore store, String topic, int queueId, long time, boolean upper) {
        return store.getOffsetInQueueByTime(topic, queueId, time, upper ? BoundaryType.UPPER : BoundaryType.LOWER);
    }

    static List<Object[]> queues(DefaultMessageStore store) {
        List<Object[]> queues = new ArrayList<>();
        store.getConsumeQueueTable().forEach((topic, table) -> table.keySet().forEach(id -> queues.add(new Object[] {topic, id})));
        return queues;
    }
}
