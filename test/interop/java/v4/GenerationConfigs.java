import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.apache.rocketmq.common.ConfigManager;
import org.apache.rocketmq.common.DataVersion;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.protocol.body.ConsumerOffsetSerializeWrapper;
import org.apache.rocketmq.common.protocol.body.SubscriptionGroupWrapper;
import org.apache.rocketmq.common.protocol.body.TopicConfigSerializeWrapper;
import org.apache.rocketmq.common.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.store.schedule.DelayOffsetSerializeWrapper;

/**
 * The files of a broker of 4.9. Its broker is not among the published jars, so what is run here is what is: the class
 * that loads, writes and keeps the copy, and the classes that stand for the content.
 */
final class GenerationConfigs {
    private GenerationConfigs() {
    }

    /** A file whose content is an object of one class. */
    private static final class Content<T extends RemotingSerializable> extends ConfigManager {
        private final String path;
        private final Class<T> type;
        T content;

        Content(String directory, String name, Class<T> type, T content) {
            this.path = directory + "/config/" + name + ".json";
            this.type = type;
            this.content = content;
        }

        @Override
        public String configFilePath() {
            return path;
        }

        @Override
        public String encode() {
            return encode(false);
        }

        @Override
        public String encode(boolean pretty) {
            return content.toJson(pretty);
        }

        @Override
        public void decode(String text) {
            content = RemotingSerializable.fromJson(text, type);
        }
    }

    static Object contentOf(ConfigManager file) {
        return ((Content<?>) file).content;
    }

    static Map<String, ConfigManager> open(JSONObject command) {
        String directory = command.getString("directory");
        TopicConfigSerializeWrapper topics = new TopicConfigSerializeWrapper();
        topics.setDataVersion(new DataVersion());
        SubscriptionGroupWrapper groups = new SubscriptionGroupWrapper();
        groups.setDataVersion(new DataVersion());
        DelayOffsetSerializeWrapper delays = new DelayOffsetSerializeWrapper();
        delays.setOffsetTable(new ConcurrentHashMap<>());
        Map<String, ConfigManager> files = new LinkedHashMap<>();
        files.put("topics", new Content<>(directory, "topics", TopicConfigSerializeWrapper.class, topics));
        files.put("offsets", new Content<>(directory, "consumerOffset", ConsumerOffsetSerializeWrapper.class,
            new ConsumerOffsetSerializeWrapper()));
        files.put("groups", new Content<>(directory, "subscriptionGroup", SubscriptionGroupWrapper.class, groups));
        files.put("delays", new Content<>(directory, "delayOffset", DelayOffsetSerializeWrapper.class, delays));
        return files;
    }

    static void change(Map<String, ConfigManager> files, JSONObject command) {
        TopicConfigSerializeWrapper topicsFile = (TopicConfigSerializeWrapper) contentOf(files.get("topics"));
        JSONArray topics = command.getJSONArray("topics");
        for (int i = 0; i < topics.size(); i++) {
            TopicConfig topic = topics.getObject(i, TopicConfig.class);
            topicsFile.getTopicConfigTable().put(topic.getTopicName(), topic);
            topicsFile.getDataVersion().nextVersion();
        }
        ConcurrentMap<String, ConcurrentMap<Integer, Long>> offsetTable =
            ((ConsumerOffsetSerializeWrapper) contentOf(files.get("offsets"))).getOffsetTable();
        JSONArray offsets = command.getJSONArray("offsets");
        for (int i = 0; i < offsets.size(); i++) {
            JSONObject one = offsets.getJSONObject(i);
            offsetTable.computeIfAbsent(one.getString("topic") + "@" + one.getString("group"), key -> new ConcurrentHashMap<>())
                .put(one.getIntValue("queueId"), one.getLongValue("offset"));
        }
        SubscriptionGroupWrapper groupsFile = (SubscriptionGroupWrapper) contentOf(files.get("groups"));
        JSONArray groups = command.getJSONArray("groups");
        for (int i = 0; i < groups.size(); i++) {
            SubscriptionGroupConfig group = groups.getObject(i, SubscriptionGroupConfig.class);
            groupsFile.getSubscriptionGroupTable().put(group.getGroupName(), group);
            groupsFile.getDataVersion().nextVersion();
        }
        command.getJSONObject("delays").forEach((level, offset) ->
            ((DelayOffsetSerializeWrapper) contentOf(files.get("delays"))).getOffsetTable()
                .put(Integer.valueOf(level), ((Number) offset).longValue()));
    }
}
