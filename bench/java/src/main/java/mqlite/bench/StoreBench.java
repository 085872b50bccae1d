package mqlite.bench;

import java.io.File;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicFilterType;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.PutMessageStatus;
import org.apache.rocketmq.store.QueryMessageResult;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/**
 * The workload of the other benchmarks on RocketMQ's store: 128-byte body, one tag, one key, four queues.
 *
 * Arguments: an empty directory, rounds, milliseconds of a round, messages to load, and what to measure:
 * async-1, async-64, sync-1, sync-64 (puts and threads) or reads. Prints a line for each measurement: RESULT,
 * its name, the messages per second of each round.
 */
public final class StoreBench {
    private static final String TOPIC = "bench";
    private static final int QUEUES = 4;
    private static final byte[] BODY = new byte[128];
    private static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 10911);

    private final String directory;
    private final int rounds;
    private final long roundMs;
    private final int messages;

    private StoreBench(String[] args) {
        directory = args[0];
        rounds = Integer.parseInt(args[1]);
        roundMs = Long.parseLong(args[2]);
        messages = Integer.parseInt(args[3]);
    }

    public static void main(String[] args) throws Exception {
        new Random(1).nextBytes(BODY);
        StoreBench bench = new StoreBench(args);
        if (args[4].equals("reads")) {
            bench.reads();
        } else {
            String[] parts = args[4].split("-");
            FlushDiskType flush = parts[0].equals("sync") ? FlushDiskType.SYNC_FLUSH : FlushDiskType.ASYNC_FLUSH;
            bench.puts(args[4], flush, Integer.parseInt(parts[1]));
        }
        System.exit(0);
    }

    /** Puts by a number of threads, each waiting for its own. */
    private void puts(String name, FlushDiskType flush, int threads) throws Exception {
        DefaultMessageStore store = open(name, flush);
        AtomicInteger next = new AtomicInteger();
        putFor(store, threads, Math.max(roundMs, 1000), next);
        double[] rates = new double[rounds];
        for (int i = 0; i < rounds; i++) rates[i] = putFor(store, threads, roundMs, next);
        report(name, rates);
        destroy(store);
    }

    private double putFor(DefaultMessageStore store, int threads, long ms, AtomicInteger next) throws Exception {
        AtomicLong total = new AtomicLong();
        Thread[] workers = new Thread[threads];
        long started = System.nanoTime();
        long deadline = started + ms * 1_000_000;
        for (int t = 0; t < threads; t++) {
            workers[t] = new Thread(() -> {
                long done = 0;
                while (System.nanoTime() < deadline) {
                    put(store, next.getAndIncrement());
                    done++;
                }
                total.addAndGet(done);
            });
            workers[t].start();
        }
        for (Thread worker : workers) worker.join();
        return total.get() * 1e9 / (System.nanoTime() - started);
    }

    /** Loads messages, then reads them in order, by position and by key. */
    private void reads() throws Exception {
        DefaultMessageStore store = open("reads", FlushDiskType.ASYNC_FLUSH);
        for (int i = 0; i < messages; i++) put(store, i);
        while (store.dispatchBehindBytes() > 0) Thread.sleep(10);

        read(store, false);
        double[] undecoded = new double[rounds];
        for (int i = 0; i < rounds; i++) undecoded[i] = read(store, false);
        report("read", undecoded);

        read(store, true);
        double[] decoded = new double[rounds];
        for (int i = 0; i < rounds; i++) decoded[i] = read(store, true);
        report("read-decoded", decoded);

        query(store, 1);
        double[] queries = new double[rounds];
        for (int i = 0; i < rounds; i++) queries[i] = query(store, i + 2);
        report("query", queries);
        destroy(store);
    }

    private double read(DefaultMessageStore store, boolean decode) throws Exception {
        long count = 0;
        long started = System.nanoTime();
        for (int queueId = 0; queueId < QUEUES; queueId++) {
            long max = store.getMaxOffsetInQueue(TOPIC, queueId);
            for (long offset = 0; offset < max; ) {
                GetMessageResult result = store.getMessage("bench", TOPIC, queueId, offset, 512, null);
                if (decode) {
                    for (ByteBuffer buffer : result.getMessageBufferList()) MessageDecoder.decode(buffer, true, false, false, false, true);
                }
                count += result.getMessageCount();
                offset = result.getNextBeginOffset();
                result.release();
            }
        }
        if (count != messages) throw new IllegalStateException(count + " messages read, " + messages + " expected");
        return count * 1e9 / (System.nanoTime() - started);
    }

    private double query(DefaultMessageStore store, int seed) {
        Random random = new Random(seed);
        long count = 0;
        long started = System.nanoTime();
        long deadline = started + roundMs * 1_000_000;
        while (System.nanoTime() < deadline) {
            QueryMessageResult result = store.queryMessage(TOPIC, key(random.nextInt(messages)), 32, 0, Long.MAX_VALUE);
            int hits = result.getMessageBufferList().size();
            if (hits != 1) throw new IllegalStateException(hits + " messages have a key that one has");
            result.release();
            count++;
        }
        return count * 1e9 / (System.nanoTime() - started);
    }

    private static String key(int i) {
        return "k" + (100_000_000 + i);
    }

    private static void put(DefaultMessageStore store, int i) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic(TOPIC);
        message.setQueueId(i % QUEUES);
        message.setBody(BODY);
        message.setTags("tag");
        message.setKeys(key(i));
        message.setTagsCode(MessageExtBrokerInner.tagsString2tagsCode(TopicFilterType.SINGLE_TAG, "tag"));
        message.setPropertiesString(MessageDecoder.messageProperties2String(message.getProperties()));
        message.setBornTimestamp(System.currentTimeMillis());
        message.setBornHost(HOST);
        message.setStoreHost(HOST);
        PutMessageStatus status = store.putMessage(message).getPutMessageStatus();
        if (status != PutMessageStatus.PUT_OK) throw new IllegalStateException("a put ended with " + status);
    }

    private DefaultMessageStore open(String name, FlushDiskType flush) throws Exception {
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(directory + File.separator + name);
        config.setStorePathCommitLog(directory + File.separator + name + File.separator + "commitlog");
        config.setFlushDiskType(flush);
        config.setHaListenPort(0);
        config.setMaxTransferCountOnMessageInMemory(512);
        config.setMaxTransferBytesOnMessageInMemory(1024 * 1024);
        BrokerConfig broker = new BrokerConfig();
        DefaultMessageStore store = new DefaultMessageStore(config, new BrokerStatsManager(broker),
            (topic, queueId, offset, tagsCode, storeTime, filter, properties) -> { }, broker, new ConcurrentHashMap<>());
        if (!store.load()) throw new IllegalStateException("the store does not load");
        store.start();
        return store;
    }

    private static void destroy(DefaultMessageStore store) {
        store.shutdown();
        store.destroy();
    }

    private static void report(String name, double[] rates) {
        StringBuilder line = new StringBuilder("RESULT ").append(name);
        for (double rate : rates) line.append(' ').append(Math.round(rate));
        System.out.println(line);
    }
}
