import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.AllocateMessageQueueStrategy;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMachineRoomNearby;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragelyByCircle;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByConfig;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByMachineRoom;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueConsistentHash;
import org.apache.rocketmq.client.latency.MQFaultStrategy;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * What RocketMQ's clients compute without a broker: shares of queues, unique ids, times to leave a broker alone.
 * A question per line on stdin, as JSON with its name in "do"; each is answered with one line {"ok": ...} or
 * {"error": class of the exception}.
 */
public final class Clients {
    private Clients() {
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        // What RocketMQ prints must not stand between our lines.
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject answer = new JSONObject();
            try {
                answer.put("ok", answerTo(JSON.parseObject(line)));
            } catch (Exception error) {
                answer.put("error", error.getClass().getSimpleName());
            }
            out.println(answer.toJSONString());
        }
        out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static Object answerTo(JSONObject question) throws Exception {
        switch (question.getString("do")) {
            case "allocate":
                return allocate(question);
            case "decodeId":
                return decodeId(question.getString("id"));
            case "createId":
                return createId();
            case "away":
                return away(question.getLongValue("latencyMs"));
            default:
                throw new IllegalStateException(question.getString("do"));
        }
    }

    /** The share of each client that is asked for, as places in the list of queues. */
    private static Object allocate(JSONObject question) {
        List<MessageQueue> queues = new ArrayList<>();
        for (Object each : question.getJSONArray("queues")) {
            JSONObject queue = (JSONObject) each;
            queues.add(new MessageQueue(queue.getString("topic"), queue.getString("brokerName"), queue.getIntValue("queueId")));
        }
        List<String> clients = question.getJSONArray("clientIds").toJavaList(String.class);
        AllocateMessageQueueStrategy strategy = strategy(question, queues);
        JSONArray shares = new JSONArray();
        for (String client : question.getJSONArray("asking").toJavaList(String.class)) {
            JSONArray share = new JSONArray();
            for (MessageQueue queue : strategy.allocate("g", client, queues, clients)) share.add(queues.indexOf(queue));
            shares.add(share);
        }
        JSONObject answer = new JSONObject();
        answer.put("name", strategy.getName());
        answer.put("shares", shares);
        return answer;
    }

    private static AllocateMessageQueueStrategy strategy(JSONObject question, List<MessageQueue> queues) {
        switch (question.getString("strategy")) {
            case "AVG":
                return new AllocateMessageQueueAveragely();
            case "AVG_BY_CIRCLE":
                return new AllocateMessageQueueAveragelyByCircle();
            case "CONSISTENT_HASH":
                return new AllocateMessageQueueConsistentHash(question.getIntValue("placesEach"));
            case "MACHINE_ROOM":
                AllocateMessageQueueByMachineRoom byRoom = new AllocateMessageQueueByMachineRoom();
                byRoom.setConsumeridcs(new HashSet<>(question.getJSONArray("rooms").toJavaList(String.class)));
                return byRoom;
            case "CONFIG":
                AllocateMessageQueueByConfig byConfig = new AllocateMessageQueueByConfig();
                byConfig.setMessageQueueList(queues.subList(0, queues.size() / 2));
                return byConfig;
            case "MACHINE_ROOM_NEARBY":
                return new AllocateMachineRoomNearby(strategy(question.getJSONObject("inner"), queues), new Rooms());
            default:
                throw new IllegalStateException(question.getString("strategy"));
        }
    }

    private static Object decodeId(String id) {
        JSONObject parts = new JSONObject();
        parts.put("host", MessageClientIDSetter.getIPStrFromID(id));
        parts.put("pid", MessageClientIDSetter.getPidFromID(id));
        parts.put("timestamp", MessageClientIDSetter.getNearlyTimeFromID(id).getTime());
        return parts;
    }

    private static Object createId() {
        JSONObject made = new JSONObject();
        made.put("from", System.currentTimeMillis());
        String id = MessageClientIDSetter.createUniqID();
        made.put("to", System.currentTimeMillis());
        made.put("id", id);
        made.put("host", MessageClientIDSetter.getIPStrFromID(id));
        made.put("pid", ProcessHandle.current().pid());
        return made;
    }

    private static Object away(long latencyMs) throws Exception {
        Method compute = MQFaultStrategy.class.getDeclaredMethod("computeNotAvailableDuration", long.class);
        compute.setAccessible(true);
        return compute.invoke(Faults.STRATEGY, latencyMs);
    }

    /** Made when it is first asked for: it starts threads and a log. */
    private static final class Faults {
        private static final MQFaultStrategy STRATEGY = new MQFaultStrategy(new ClientConfig(), null, null);
    }

    /** A room stands before the @ of a name; without one it is not known. */
    private static final class Rooms implements AllocateMachineRoomNearby.MachineRoomResolver {
        @Override
        public String brokerDeployIn(MessageQueue queue) {
            return roomOf(queue.getBrokerName());
        }

        @Override
        public String consumerDeployIn(String clientId) {
            return roomOf(clientId);
        }

        private static String roomOf(String name) {
            return name.substring(0, Math.max(0, name.indexOf('@')));
        }
    }
}
