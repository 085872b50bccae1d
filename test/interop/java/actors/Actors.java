import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * A producer, an administrator and consumers of RocketMQ's client, told what to do by lines of JSON on stdin. A line
 * {"id", "do", ...} is answered by {"id", "ok"} or {"id", "error"}, in any order; each delivery is a line
 * {"delivery"} when it happens, and fails as often as its member was told for its body.
 */
public final class Actors {
    private static final Map<String, DefaultMQPushConsumer> MEMBERS = new ConcurrentHashMap<>();
    private static final DefaultMQProducer PRODUCER = new DefaultMQProducer("actors");
    private static final DefaultMQAdminExt ADMIN = new DefaultMQAdminExt();
    private static PrintStream out;
    private static String nameServer;
    private static String broker;
    private static String brokerName;

    private Actors() {
    }

    /** Name server, broker and the broker's name. */
    public static void main(String[] arguments) throws Exception {
        System.setProperty("rocketmq.client.rebalance.waitInterval", "1000");
        System.setProperty("rocketmq.client.rebalance.minInterval", "200");
        out = new PrintStream(System.out, true, "UTF-8");
        // What RocketMQ prints must not stand between our lines.
        System.setOut(System.err);
        nameServer = arguments[0];
        broker = arguments[1];
        brokerName = arguments[2];
        PRODUCER.setNamesrvAddr(nameServer);
        PRODUCER.setPollNameServerInterval(500);
        PRODUCER.setSendMsgTimeout(20_000);
        PRODUCER.start();
        ADMIN.setNamesrvAddr(nameServer);
        ADMIN.setInstanceName("admin");
        ADMIN.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        tell("ready", "ok", null);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject command = JSON.parseObject(line);
            new Thread(() -> execute(command)).start();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void execute(JSONObject command) {
        Object id = command.get("id");
        try {
            tell(id, "ok", done(command));
        } catch (Throwable error) {
            error.printStackTrace();
            tell(id, "error", String.valueOf(error));
        }
    }

    private static void tell(Object id, String what, Object content) {
        JSONObject line = new JSONObject();
        line.put("id", id);
        line.put(what, content == null ? true : content);
        synchronized (out) {
            out.println(line.toJSONString());
        }
    }

    private static Object done(JSONObject command) throws Exception {
        switch (command.getString("do")) {
            case "topic":
                ADMIN.createAndUpdateTopicConfig(broker,
                    new TopicConfig(command.getString("topic"), command.getIntValue("queues"), command.getIntValue("queues")));
                return null;
            case "send":
                return send(command);
            case "sendBatch":
                return sendBatch(command);
            case "join":
                join(command);
                return null;
            case "queues":
                return queues(command.getString("member"));
            case "leave":
                MEMBERS.remove(command.getString("member")).shutdown();
                return null;
            case "reset":
                ADMIN.resetOffsetByTimestamp(command.getString("topic"), command.getString("group"),
                    command.getLongValue("time"), true);
                return null;
            case "now":
                return System.currentTimeMillis();
            case "close":
                for (DefaultMQPushConsumer member : MEMBERS.values()) member.shutdown();
                PRODUCER.shutdown();
                ADMIN.shutdown();
                return null;
            default:
                throw new IllegalStateException(command.getString("do"));
        }
    }

    private static Object send(JSONObject command) throws Exception {
        JSONArray receipts = new JSONArray();
        for (Object each : command.getJSONArray("messages")) {
            JSONObject spec = (JSONObject) each;
            MessageQueue queue = new MessageQueue(command.getString("topic"), brokerName, spec.getIntValue("queueId"));
            Message message = message(command, spec);
            receipts.add(receipt(sent(() -> PRODUCER.send(message, queue))));
        }
        return receipts;
    }

    private static Object sendBatch(JSONObject command) throws Exception {
        List<Message> messages = new ArrayList<>();
        for (Object each : command.getJSONArray("messages")) messages.add(message(command, (JSONObject) each));
        MessageQueue queue = new MessageQueue(command.getString("topic"), brokerName, command.getIntValue("queueId"));
        return receipt(sent(() -> PRODUCER.send(messages, queue)));
    }

    /** Sends; again while the client has not heard of the broker, and so has sent nothing. */
    private static SendResult sent(Callable<SendResult> send) throws Exception {
        for (int attempt = 0;; attempt++) {
            try {
                return send.call();
            } catch (MQClientException error) {
                if (attempt == 200 || !error.getMessage().contains("not exist")) throw error;
                Thread.sleep(100);
            }
        }
    }

    private static JSONObject receipt(SendResult result) {
        if (result.getSendStatus() != SendStatus.SEND_OK) throw new IllegalStateException(result.toString());
        JSONObject receipt = new JSONObject();
        receipt.put("queueId", result.getMessageQueue().getQueueId());
        receipt.put("queueOffset", result.getQueueOffset());
        return receipt;
    }

    private static Message message(JSONObject command, JSONObject spec) {
        Message message = new Message(command.getString("topic"), spec.getString("body").getBytes(StandardCharsets.UTF_8));
        if (spec.containsKey("tags")) message.setTags(spec.getString("tags"));
        if (spec.containsKey("keys")) message.setKeys(spec.getString("keys"));
        if (spec.containsKey("delayLevel")) message.setDelayTimeLevel(spec.getIntValue("delayLevel"));
        if (spec.containsKey("properties")) {
            JSONObject properties = spec.getJSONObject("properties");
            for (String name : properties.keySet()) message.putUserProperty(name, properties.getString(name));
        }
        return message;
    }

    private static void join(JSONObject command) throws Exception {
        String name = command.getString("member");
        DefaultMQPushConsumer member = new DefaultMQPushConsumer(command.getString("group"));
        member.setNamesrvAddr(nameServer);
        member.setInstanceName(name);
        member.setPollNameServerInterval(500);
        member.setHeartbeatBrokerInterval(1000);
        member.setPersistConsumerOffsetInterval(1000);
        member.setConsumeThreadMin(1);
        member.setConsumeThreadMax(1);
        member.setAwaitTerminationMillisWhenShutdown(5000);
        if (command.containsKey("maxRetries")) member.setMaxReconsumeTimes(command.getIntValue("maxRetries"));
        if (command.containsKey("suspendMs")) member.setSuspendCurrentQueueTimeMillis(command.getLongValue("suspendMs"));
        if ("broadcasting".equals(command.getString("model"))) member.setMessageModel(MessageModel.BROADCASTING);
        startAt(member, command.get("startAt"));
        JSONObject subscribe = command.getJSONObject("subscribe");
        for (String topic : subscribe.keySet()) {
            Object wanted = subscribe.get(topic);
            if (wanted instanceof String) member.subscribe(topic, (String) wanted);
            else member.subscribe(topic, MessageSelector.bySql(((JSONObject) wanted).getString("sql")));
        }
        Fails fails = new Fails(command);
        if (command.getBooleanValue("ordered")) {
            member.registerMessageListener((MessageListenerOrderly) (messages, context) ->
                fails.handle(name, messages) ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT);
        } else {
            member.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                if (fails.handle(name, messages)) return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                context.setDelayLevelWhenNextConsume(command.getIntValue("delayLevel"));
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            });
        }
        member.start();
        MEMBERS.put(name, member);
    }

    private static void startAt(DefaultMQPushConsumer member, Object startAt) {
        if ("first".equals(startAt)) member.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        if (!(startAt instanceof Number)) return;
        member.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP);
        member.setConsumeTimestamp(new SimpleDateFormat("yyyyMMddHHmmss").format(new Date(((Number) startAt).longValue())));
    }

    private static Object queues(String member) {
        TreeSet<String> queues = new TreeSet<>();
        for (MessageQueue queue : MEMBERS.get(member).getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()) {
            queues.add(queue.getTopic() + "/" + queue.getQueueId());
        }
        return new JSONArray(new ArrayList<>(queues));
    }

    /** How often the messages of a member still fail, by body; -1 is always. */
    private static final class Fails {
        private final Map<String, Object> left = new ConcurrentHashMap<>();
        private final long slowMs;

        Fails(JSONObject command) {
            slowMs = command.getLongValue("slowMs");
            if (command.containsKey("fails")) left.putAll(command.getJSONObject("fails"));
        }

        boolean handle(String member, List<MessageExt> messages) {
            boolean isDone = true;
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                JSONObject delivery = new JSONObject();
                delivery.put("member", member);
                delivery.put("topic", message.getTopic());
                delivery.put("queueId", message.getQueueId());
                delivery.put("queueOffset", message.getQueueOffset());
                delivery.put("reconsumeTimes", message.getReconsumeTimes());
                delivery.put("body", body);
                tell(null, "delivery", delivery);
                if (slowMs > 0) LockSupport.parkNanos(slowMs * 1_000_000);
                int times = ((Number) left.getOrDefault(body, 0)).intValue();
                if (times == 0) continue;
                if (times > 0) left.put(body, times - 1);
                isDone = false;
            }
            return isDone;
        }
    }
}
