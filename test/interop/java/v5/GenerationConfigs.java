import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.offset.ConsumerOffsetManager;
import org.apache.rocketmq.broker.schedule.ScheduleMessageService;
import org.apache.rocketmq.broker.subscription.SubscriptionGroupManager;
import org.apache.rocketmq.broker.topic.TopicConfigManager;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.ConfigManager;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyServerConfig;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.config.StorePathConfigHelper;

/** The files of a broker of 5.3, which is never started. */
final class GenerationConfigs {
    private GenerationConfigs() {
    }

    static Map<String, ConfigManager> open(JSONObject command) throws Exception {
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(command.getString("directory"));
        config.setEnableLmq(command.getBooleanValue("lmq"));
        config.setEnableMultiDispatch(command.getBooleanValue("lmq"));
        NettyServerConfig server = new NettyServerConfig();
        server.setListenPort(0);
        BrokerController broker = new BrokerController(new BrokerConfig(), server, new NettyClientConfig(), config);
        Map<String, ConfigManager> files = new LinkedHashMap<>();
        files.put("topics", broker.getTopicConfigManager());
        files.put("offsets", broker.getConsumerOffsetManager());
        files.put("groups", broker.getSubscriptionGroupManager());
        files.put("delays", new ScheduleMessageService(broker) {
            @Override
            public String configFilePath() {
                return StorePathConfigHelper.getDelayOffsetStorePath(config.getStorePathRootDir());
            }

            @Override
            public boolean correctDelayOffset() {
                // There are no queues that the offsets could be corrected by.
                return true;
            }
        });
        return files;
    }

    static Object contentOf(ConfigManager file) {
        return file;
    }

    static void change(Map<String, ConfigManager> files, JSONObject command) {
        JSONArray topics = command.getJSONArray("topics");
        for (int i = 0; i < topics.size(); i++) {
            ((TopicConfigManager) files.get("topics")).updateTopicConfig(topics.getObject(i, TopicConfig.class));
        }
        JSONArray offsets = command.getJSONArray("offsets");
        for (int i = 0; i < offsets.size(); i++) {
            JSONObject one = offsets.getJSONObject(i);
            ((ConsumerOffsetManager) files.get("offsets")).commitOffset("interop", one.getString("group"), one.getString("topic"),
                one.getIntValue("queueId"), one.getLongValue("offset"));
        }
        SubscriptionGroupManager groupsFile = (SubscriptionGroupManager) files.get("groups");
        JSONArray groups = command.getJSONArray("groups");
        for (int i = 0; i < groups.size(); i++) {
            groupsFile.updateSubscriptionGroupConfig(groups.getObject(i, SubscriptionGroupConfig.class));
            groupsFile.setForbidden(groups.getJSONObject(i).getString("groupName"), "orders", i + 1);
        }
        command.getJSONObject("delays").forEach((level, offset) ->
            ((ScheduleMessageService) files.get("delays")).getOffsetTable().put(Integer.valueOf(level), ((Number) offset).longValue()));
    }
}
