import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import com.alibaba.fastjson.serializer.SerializerFeature;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.GetMessageStatus;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.QueryMessageResult;
import org.apache.rocketmq.store.SelectMappedBufferResult;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;

/**
 * A RocketMQ store behind a line protocol: a command per line on stdin, as JSON with its name in "do".
 * Each command answers with any number of lines {"item": ...} and then one line {"ok": ...} or {"error": ...}.
 */
public final class Shell {
    private static final int BLANK_MAGIC = 0xCBD43194;
    private final PrintStream out;
    private DefaultMessageStore store;

    private Shell(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        // What RocketMQ prints must not stand between our lines.
        System.setOut(System.err);
        Shell shell = new Shell(out);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        shell.answer("ok", "ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                JSONObject command = JSON.parseObject(line);
                shell.answer("ok", shell.execute(command));
            } catch (Throwable error) {
                error.printStackTrace();
                shell.answer("error", String.valueOf(error));
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private void print(String name, Object value) {
        JSONObject line = new JSONObject();
        line.put(name, value);
        out.println(line.toString(SerializerFeature.WriteMapNullValue));
    }

    private void answer(String name, Object value) {
        print(name, value);
        out.flush();
    }

    private Object execute(JSONObject command) throws Exception {
        switch (command.getString("do")) {
            case "open":
                return open(command);
            case "put":
                return put(command.getJSONArray("messages"));
            case "putBatch":
                return putBatch(command.getJSONArray("messages"));
            case "putBatches":
                return putBatches(command.getJSONArray("batches"), command.getJSONArray("ids"));
            case "read":
                return read();
            case "readQueues":
                settle();
                return new Queues(store).read(item -> print("item", item));
            case "saveConfig":
                return Configs.save(command);
            case "loadConfig":
                return Configs.load(command);
            case "log":
                return log();
            case "query":
                return query(command.getJSONArray("asked"));
            case "offsetByTime":
                return offsetByTime(command.getJSONArray("asked"));
            case "close":
                settle();
                store.shutdown();
                store = null;
                return true;
            case "abandon":
                // Neither shut down nor used again, so that another can be opened: a process for each takes too long.
                store = null;
                return true;
            case "halt":
                Runtime.getRuntime().halt(9);
                return null;
            default:
                throw new IllegalArgumentException("no command " + command);
        }
    }

    private Object open(JSONObject command) throws Exception {
        MessageStoreConfig config = new MessageStoreConfig();
        String directory = command.getString("directory");
        config.setStorePathRootDir(directory);
        config.setStorePathCommitLog(directory + "/commitlog");
        if (command.containsKey("segmentBytes")) {
            config.setMappedFileSizeCommitLog(command.getIntValue("segmentBytes"));
        }
        if (command.containsKey("queueSegmentEntries")) {
            config.setMappedFileSizeConsumeQueue(command.getIntValue("queueSegmentEntries") * 20);
        }
        if (command.containsKey("indexSlots")) {
            config.setMaxHashSlotNum(command.getIntValue("indexSlots"));
            config.setMaxIndexNum(command.getIntValue("indexEntries"));
        }
        config.setFlushDiskType("sync".equals(command.getString("flush")) ? FlushDiskType.SYNC_FLUSH : FlushDiskType.ASYNC_FLUSH);
        config.setHaListenPort(0);
        config.setCleanFileForciblyEnable(false);
        config.setEnableLmq(command.getBooleanValue("lmq"));
        config.setEnableMultiDispatch(command.getBooleanValue("lmq"));
        Generation.configure(config, command);
        JSONArray batchTopics = command.getJSONArray("batchTopics");
        DefaultMessageStore opened = Generation.store(config, batchTopics == null ? new JSONArray() : batchTopics);
        if (!opened.load()) {
            throw new IllegalStateException("the store could not be loaded");
        }
        opened.start();
        store = opened;
        settle();
        return null;
    }

    /** Waits until every record is in its queue and in the index. */
    private void settle() throws Exception {
        long end = System.currentTimeMillis() + 30_000;
        while (store.dispatchBehindBytes() > 0) {
            if (System.currentTimeMillis() > end) {
                throw new IllegalStateException("dispatch is behind by " + store.dispatchBehindBytes() + " bytes");
            }
            Thread.sleep(1);
        }
    }

    private Object put(JSONArray messages) throws Exception {
        for (int i = 0; i < messages.size(); i++) {
            Inner message = Messages.inner(messages.getJSONObject(i));
            PutMessageResult result = store.putMessage(message);
            checkStored(result, "message " + i);
            JSONObject receipt = receipt(result, message);
            receipt.put("storeTimestamp", message.getStoreTimestamp());
            receipt.put("size", result.getAppendMessageResult().getWroteBytes());
            // One by one: the reader may kill us at any of them, and what it has seen is acknowledged.
            answer("item", receipt);
        }
        return messages.size();
    }

    private Object putBatch(JSONArray messages) throws Exception {
        MessageExtBatch batch = Messages.batch(messages);
        PutMessageResult result = store.putMessages(batch);
        checkStored(result, "batch");
        JSONObject receipt = receipt(result, null);
        receipt.put("storeTimestamp", batch.getStoreTimestamp());
        return receipt;
    }

    /** Each batch as one record of a topic whose queues hold batches, as a broker puts it. */
    private Object putBatches(JSONArray batches, JSONArray ids) throws Exception {
        for (int i = 0; i < batches.size(); i++) {
            JSONArray messages = batches.getJSONArray(i);
            MessageExtBatch batch = Messages.batch(messages);
            PutMessageResult result = Generation.putInner(store, batch, ids.getString(i));
            checkStored(result, "batch " + i);
            JSONObject receipt = receipt(result, null);
            receipt.put("storeTimestamp", batch.getStoreTimestamp());
            answer("item", receipt);
        }
        return batches.size();
    }

    private static void checkStored(PutMessageResult result, String what) {
        if (!result.isOk()) {
            throw new IllegalStateException(what + " was refused: " + result.getPutMessageStatus());
        }
    }

    private static JSONObject receipt(PutMessageResult result, Inner message) {
        JSONObject receipt = new JSONObject();
        receipt.put("queueOffset", result.getAppendMessageResult().getLogicsOffset());
        receipt.put("commitLogOffset", result.getAppendMessageResult().getWroteOffset());
        receipt.put("messageId", result.getAppendMessageResult().getMsgId());
        return receipt;
    }

    /** Every message of every queue, and the bounds of each queue. */
    private Object read() throws Exception {
        settle();
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
            readQueue(topic, queueId, store.getMinOffsetInQueue(topic, queueId));
        }
        return bounds;
    }

    private void readQueue(String topic, int queueId, long from) {
        long offset = from;
        while (true) {
            GetMessageResult result = store.getMessage("interop", topic, queueId, offset, 32, null);
            try {
                if (result.getStatus() != GetMessageStatus.FOUND) {
                    if (result.getStatus() == GetMessageStatus.OFFSET_OVERFLOW_ONE) return;
                    if (result.getStatus() == GetMessageStatus.NO_MESSAGE_IN_QUEUE) return;
                    throw new IllegalStateException(topic + "/" + queueId + " at " + offset + ": " + result.getStatus());
                }
                for (ByteBuffer buffer : result.getMessageBufferList()) {
                    print("item", Messages.describe(buffer));
                }
                offset = result.getNextBeginOffset();
            } finally {
                result.release();
            }
        }
    }

    /** Every record of the log, also those that are in no queue. */
    private Object log() throws Exception {
        settle();
        long address = Math.max(0, store.getMinPhyOffset());
        while (address < store.getMaxPhyOffset()) {
            SelectMappedBufferResult rest = store.getCommitLogData(address);
            if (rest == null) {
                throw new IllegalStateException("nothing can be read at " + address);
            }
            try {
                ByteBuffer buffer = rest.getByteBuffer();
                int size = buffer.getInt(0);
                if (buffer.getInt(4) != BLANK_MAGIC) {
                    ByteBuffer record = buffer.slice();
                    record.limit(size);
                    print("item", Messages.describe(record));
                }
                address += size;
            } finally {
                rest.release();
            }
        }
        return store.getMaxPhyOffset();
    }

    /** For each topic and key the log offsets found. */
    private JSONArray query(JSONArray asked) throws Exception {
        settle();
        JSONArray answers = new JSONArray();
        for (int i = 0; i < asked.size(); i++) {
            JSONObject one = asked.getJSONObject(i);
            answers.add(query(one.getString("topic"), one.getString("key")));
        }
        return answers;
    }

    /** For each queue, time and boundary the queue offset found. */
    private JSONArray offsetByTime(JSONArray asked) {
        JSONArray answers = new JSONArray();
        for (int i = 0; i < asked.size(); i++) {
            JSONObject one = asked.getJSONObject(i);
            answers.add(Generation.offsetByTime(store, one.getString("topic"), one.getIntValue("queueId"),
                one.getLongValue("time"), "upper".equals(one.getString("boundary"))));
        }
        return answers;
    }

    /** Log offsets of the messages with a key, in ascending order; foreign messages, which the index may find, left out. */
    private JSONArray query(String topic, String key) throws Exception {
        QueryMessageResult result = store.queryMessage(topic, key, 64, 0, Long.MAX_VALUE);
        JSONArray found = new JSONArray();
        try {
            for (ByteBuffer buffer : result.getMessageBufferList()) {
                JSONObject message = Messages.describe(buffer);
                JSONObject properties = message.getJSONObject("properties");
                boolean has = key.equals(properties.getString("UNIQ_KEY"));
                String keys = properties.getString("KEYS");
                if (keys != null) {
                    for (String one : keys.split(" ")) {
                        has |= one.equals(key);
                    }
                }
                if (has && message.getString("topic").equals(topic)) {
                    found.add(message.getLong("commitLogOffset"));
                }
            }
        } finally {
            result.release();
        }
        return found;
    }
}
