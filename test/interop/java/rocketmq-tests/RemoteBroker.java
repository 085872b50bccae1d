package org.apache.rocketmq.test.base;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Writer;
import java.io.OutputStreamWriter;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentMap;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.filter.ConsumerFilterManager;
import org.apache.rocketmq.broker.offset.ConsumerOffsetManager;
import org.apache.rocketmq.broker.offset.ConsumerOrderInfoManager;
import org.apache.rocketmq.broker.topic.TopicConfigManager;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.admin.OffsetWrapper;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.MessageFilter;
import org.apache.rocketmq.store.MessageStore;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import sun.reflect.ReflectionFactory;

/**
 * A broker of another process in the shape of Java's own: what tests ask it is asked over the wire, as mqadmin asks.
 *
 * Its superclass's constructor never runs. What has no request in the protocol is refused with words by which the
 * report knows a test that needs Java's broker in its own process. Settings can be set, and nobody reads them.
 */
final class RemoteBroker extends BrokerController {
    private static DefaultMQAdminExt admin;

    private BrokerConfig config;
    private MessageStoreConfig storeConfig;
    private Store store;
    private Offsets offsets;
    private Topics topics;

    private RemoteBroker() {
        super(null, null);
    }

    static void connect(String nameServer) {
        admin = new DefaultMQAdminExt(5000);
        admin.setInstanceName("stand-in");
        admin.setNamesrvAddr(nameServer);
        asked(() -> {
            admin.start();
            return null;
        });
    }

    static int brokersOf(String cluster) {
        try {
            return admin.examineTopicRouteInfo(cluster).getBrokerDatas().size();
        } catch (Exception notYet) {
            return -1;
        }
    }

    static RemoteBroker named(String name) {
        RemoteBroker broker = blank(RemoteBroker.class);
        broker.config = new BrokerConfig();
        broker.config.setBrokerName(name);
        broker.storeConfig = new MessageStoreConfig();
        broker.store = blank(Store.class);
        broker.store.broker = broker;
        broker.offsets = new Offsets();
        broker.offsets.broker = broker;
        broker.topics = new Topics();
        broker.topics.broker = broker;
        return broker;
    }

    /** Tells whoever started the brokers to do something, and waits until it is done. */
    static void tell(String order) {
        String[] control = System.getProperty("mqlite.control").split(":");
        try (Socket socket = new Socket(control[0], Integer.parseInt(control[1]))) {
            Writer out = new OutputStreamWriter(socket.getOutputStream(), StandardCharsets.UTF_8);
            out.write(order + "\n");
            out.flush();
            String reply = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8)).readLine();
            if (!"done".equals(reply)) {
                throw new IllegalStateException(order + ": " + reply);
            }
        } catch (IOException error) {
            throw new IllegalStateException(order, error);
        }
    }

    @Override
    public BrokerConfig getBrokerConfig() {
        return config;
    }

    @Override
    public MessageStoreConfig getMessageStoreConfig() {
        return storeConfig;
    }

    @Override
    public String getBrokerAddr() {
        return asked(() -> {
            Map<String, BrokerData> brokers = admin.examineBrokerClusterInfo().getBrokerAddrTable();
            return brokers.get(config.getBrokerName()).getBrokerAddrs().get(MixAll.MASTER_ID);
        });
    }

    @Override
    public MessageStore getMessageStore() {
        return store;
    }

    @Override
    public ConsumerOffsetManager getConsumerOffsetManager() {
        return offsets;
    }

    @Override
    public TopicConfigManager getTopicConfigManager() {
        return topics;
    }

    @Override
    public void shutdown() {
        tell("stop " + config.getBrokerName());
    }

    @Override
    public ConsumerOrderInfoManager getConsumerOrderInfoManager() {
        throw inside("its books of ordered pops");
    }

    @Override
    public ConsumerFilterManager getConsumerFilterManager() {
        throw inside("its books of filters");
    }

    @Override
    public void registerServerRPCHook(RPCHook hook) {
        throw inside("a hook before each request");
    }

    private static UnsupportedOperationException inside(String what) {
        return new UnsupportedOperationException("needs the inside of Java's broker: " + what);
    }

    private static <Result> Result asked(Callable<Result> question) {
        try {
            return question.call();
        } catch (RuntimeException error) {
            throw error;
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static <Kind> Kind blank(Class<Kind> kind) {
        return asked(() -> kind.cast(ReflectionFactory.getReflectionFactory()
            .newConstructorForSerialization(kind, Object.class.getDeclaredConstructor()).newInstance()));
    }

    private static final class Store extends DefaultMessageStore {
        private RemoteBroker broker;

        private Store() throws IOException {
            super(null, null, null, null, null);
        }

        @Override
        public long getMaxOffsetInQueue(String topic, int queueId) {
            return asked(() -> admin.maxOffset(queue(topic, queueId)));
        }

        @Override
        public long getMinOffsetInQueue(String topic, int queueId) {
            return asked(() -> admin.minOffset(queue(topic, queueId)));
        }

        @Override
        public long dispatchBehindBytes() {
            String address = broker.getBrokerAddr();
            return asked(() -> Long.parseLong(admin.fetchBrokerRuntimeStats(address).getTable().get("dispatchBehindBytes")));
        }

        @Override
        public long estimateMessageCount(String topic, int queueId, long from, long to, MessageFilter filter) {
            throw inside("its estimate of a filter's share");
        }

        private MessageQueue queue(String topic, int queueId) {
            return new MessageQueue(topic, broker.config.getBrokerName(), queueId);
        }
    }

    private static final class Offsets extends ConsumerOffsetManager {
        private RemoteBroker broker;

        @Override
        public long queryOffset(String group, String topic, int queueId) {
            return of(group, topic, queueId).getConsumerOffset();
        }

        @Override
        public long queryPullOffset(String group, String topic, int queueId) {
            return of(group, topic, queueId).getPullOffset();
        }

        private OffsetWrapper of(String group, String topic, int queueId) {
            String address = broker.getBrokerAddr();
            MessageQueue queue = new MessageQueue(topic, broker.config.getBrokerName(), queueId);
            return asked(() -> admin.examineConsumeStats(address, group, topic, 5000).getOffsetTable().get(queue));
        }
    }

    private static final class Topics extends TopicConfigManager {
        private RemoteBroker broker;

        @Override
        public ConcurrentMap<String, TopicConfig> getTopicConfigTable() {
            String address = broker.getBrokerAddr();
            return asked(() -> admin.getAllTopicConfig(address, 5000).getTopicConfigTable());
        }
    }
}
