import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBatch;

/** Messages from the JSON of the protocol, and JSON from messages. */
final class Messages {
    /** Longer bodies are described by length and digest. */
    private static final int SMALL_BODY = 64;

    private Messages() {
    }

    static Inner inner(JSONObject given) throws Exception {
        Inner message = new Inner();
        fill(message, given);
        message.setBody(body(given));
        String properties = given.getString("properties");
        MessageAccessor.setProperties(message, MessageDecoder.string2messageProperties(properties));
        message.setPropertiesString(properties);
        return message;
    }

    /** The form in which clients send batches; queue, hosts and times are the first message's. */
    static MessageExtBatch batch(JSONArray given) throws Exception {
        MessageExtBatch batch = new MessageExtBatch();
        fill(batch, given.getJSONObject(0));
        byte[][] bodies = new byte[given.size()][];
        byte[][] properties = new byte[given.size()][];
        int total = 0;
        for (int i = 0; i < given.size(); i++) {
            bodies[i] = body(given.getJSONObject(i));
            properties[i] = given.getJSONObject(i).getString("properties").getBytes(StandardCharsets.UTF_8);
            total += 22 + bodies[i].length + properties[i].length;
        }
        ByteBuffer buffer = ByteBuffer.allocate(total);
        for (int i = 0; i < given.size(); i++) {
            buffer.putInt(22 + bodies[i].length + properties[i].length).putInt(0).putInt(0);
            buffer.putInt(given.getJSONObject(i).getIntValue("flag"));
            buffer.putInt(bodies[i].length).put(bodies[i]);
            buffer.putShort((short) properties[i].length).put(properties[i]);
        }
        batch.setBody(buffer.array());
        return batch;
    }

    private static void fill(MessageExt message, JSONObject given) throws Exception {
        message.setTopic(given.getString("topic"));
        message.setQueueId(given.getIntValue("queueId"));
        message.setFlag(given.getIntValue("flag"));
        message.setSysFlag(given.getIntValue("sysFlag"));
        message.setBornTimestamp(given.getLongValue("bornTimestamp"));
        message.setBornHost(host(given.getString("bornHost")));
        message.setStoreHost(host(given.getString("storeHost")));
        message.setReconsumeTimes(given.getIntValue("reconsumeTimes"));
        message.setPreparedTransactionOffset(given.getLongValue("preparedTransactionOffset"));
    }

    /** A body in base64, or one of `bodySize` bytes that a seed determines. */
    private static byte[] body(JSONObject given) {
        if (given.containsKey("body")) {
            return Base64.getDecoder().decode(given.getString("body"));
        }
        byte[] body = new byte[given.getIntValue("bodySize")];
        int state = given.getIntValue("bodySeed");
        for (int i = 0; i < body.length; i++) {
            state ^= state << 13;
            state ^= state >>> 17;
            state ^= state << 5;
            body[i] = (byte) state;
        }
        return body;
    }

    /** Raw address in hexadecimal, a slash, the port. */
    private static InetSocketAddress host(String text) throws Exception {
        int slash = text.indexOf('/');
        byte[] address = new byte[slash / 2];
        for (int i = 0; i < address.length; i++) {
            address[i] = (byte) Integer.parseInt(text.substring(i * 2, i * 2 + 2), 16);
        }
        return new InetSocketAddress(InetAddress.getByAddress(address), Integer.parseInt(text.substring(slash + 1)));
    }

    private static String host(SocketAddress host) {
        InetSocketAddress address = (InetSocketAddress) host;
        return hex(address.getAddress().getAddress()) + "/" + address.getPort();
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(String.format("%02x", b & 0xff));
        }
        return text.toString();
    }

    static JSONObject describe(ByteBuffer record) {
        record.rewind();
        int bodyCrc = record.getInt(8);
        MessageExt message = MessageDecoder.decode(record, true, false);
        if (message == null) {
            throw new IllegalStateException("a record of " + record.limit() + " bytes could not be decoded");
        }
        return describe(message, bodyCrc);
    }

    static JSONObject describe(MessageExt message, int bodyCrc) {
        JSONObject described = new JSONObject();
        described.put("topic", message.getTopic());
        described.put("queueId", message.getQueueId());
        described.put("queueOffset", message.getQueueOffset());
        described.put("commitLogOffset", message.getCommitLogOffset());
        described.put("size", message.getStoreSize());
        described.put("messageId", message.getMsgId());
        described.put("tags", message.getTags());
        described.put("keys", message.getKeys());
        described.put("properties", new JSONObject(new java.util.TreeMap<String, Object>(message.getProperties())));
        described.put("bornTimestamp", message.getBornTimestamp());
        described.put("storeTimestamp", message.getStoreTimestamp());
        described.put("bornHost", host(message.getBornHost()));
        described.put("storeHost", host(message.getStoreHost()));
        described.put("reconsumeTimes", message.getReconsumeTimes());
        described.put("preparedTransactionOffset", message.getPreparedTransactionOffset());
        described.put("sysFlag", message.getSysFlag());
        described.put("flag", message.getFlag());
        described.put("bodyCrc", bodyCrc);
        described.put("body", body(message.getBody()));
        return described;
    }

    private static String body(byte[] given) {
        byte[] body = given == null ? new byte[0] : given;
        if (body.length <= SMALL_BODY) {
            return Base64.getEncoder().encodeToString(body);
        }
        try {
            return body.length + " bytes, sha256 " + hex(MessageDigest.getInstance("SHA-256").digest(body));
        } catch (java.security.NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
