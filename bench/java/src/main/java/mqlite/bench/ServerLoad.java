package mqlite.bench;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * RocketMQ's own client as the load of a server, whichever one it is: clients with their standard settings.
 *
 * Arguments: address of the name server, rounds, milliseconds of a round, length of bodies, and
 * the kinds of load with commas between them when only some are wanted. The first round of each kind warms up and is
 * not told. Prints, for whoever reads its output while it runs:
 *
 * START kind            a round that counts begins
 * ROUND kind messages   it is over
 * RESULT kind figures   one for each round: messages a second, or milliseconds
 */
public class ServerLoad {
    private static final int IN_FLIGHT = 256;
    private static final int BATCH = 32;
    private static final long PACE_NANOS = 1_000_000;
    /** So many messages are there for each millisecond of consuming. */
    private static final int STOCK_PER_MILLI = 100;

    private interface Work {
        /** Works until a time, and says how much it did. */
        long until(long deadline) throws Exception;
    }

    private final String nameServer;
    private final int rounds;
    private final long roundMs;
    private final byte[] body;
    private final List<String> wanted;
    private final DefaultMQProducer producer = new DefaultMQProducer("bench_producers");

    private ServerLoad(String[] given) {
        nameServer = given[0];
        rounds = Integer.parseInt(given[1]);
        roundMs = Long.parseLong(given[2]);
        body = new byte[Integer.parseInt(given[3])];
        wanted = given.length > 4 ? Arrays.asList(given[4].split(",")) : null;
        for (int i = 0; i < body.length; i++) body[i] = (byte) (i * 73 + 41);
    }

    public static void main(String[] given) throws Exception {
        ServerLoad load = new ServerLoad(given);
        load.producer.setNamesrvAddr(load.nameServer);
        load.producer.setSendMsgTimeout(30_000);
        load.producer.start();
        load.sendAll();
        if (load.wants("push")) load.consume();
        if (load.wants("latency")) load.latency();
        System.exit(0);
    }

    private void sendAll() throws Exception {
        rates("sync-1", deadline -> sendUntil(deadline));
        rates("sync-32", deadline -> inThreads(32, deadline));
        rates("async", this::asynchronously);
        rates("batch-32", deadline -> inBatches("bench", deadline, Long.MAX_VALUE));
    }

    private boolean wants(String kind) {
        return wanted == null || wanted.contains(kind);
    }

    private void rates(String kind, Work work) throws Exception {
        if (!wants(kind)) return;
        double[] figures = new double[rounds];
        for (int round = -1; round < rounds; round++) {
            if (round >= 0) tell("START " + kind);
            long started = System.nanoTime();
            long messages = work.until(started + roundMs * 1_000_000);
            double seconds = (System.nanoTime() - started) / 1e9;
            if (round < 0) continue;
            tell("ROUND " + kind + " " + messages);
            figures[round] = messages / seconds;
        }
        tellResult(kind, figures);
    }

    private long sendUntil(long deadline) throws Exception {
        long sent = 0;
        for (; System.nanoTime() < deadline; sent++) producer.send(new Message("bench", "tag", "key", body));
        return sent;
    }

    private long inThreads(int count, long deadline) throws Exception {
        AtomicLong sent = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Thread thread = new Thread(() -> {
                try {
                    sent.addAndGet(sendUntil(deadline));
                } catch (Exception error) {
                    fail(error);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) thread.join();
        return sent.get();
    }

    private long asynchronously(long deadline) throws Exception {
        Semaphore free = new Semaphore(IN_FLIGHT);
        AtomicLong sent = new AtomicLong();
        SendCallback callback = new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                sent.incrementAndGet();
                free.release();
            }

            @Override
            public void onException(Throwable error) {
                // A broker that is too busy says so, and the message counts for nothing.
                free.release();
            }
        };
        while (System.nanoTime() < deadline) {
            free.acquire();
            producer.send(new Message("bench", "tag", "key", body), callback);
        }
        free.acquire(IN_FLIGHT);
        return sent.get();
    }

    private long inBatches(String topic, long deadline, long most) throws Exception {
        long sent = 0;
        for (; sent < most && System.nanoTime() < deadline; sent += BATCH) {
            List<Message> messages = new ArrayList<>();
            for (int i = 0; i < BATCH; i++) messages.add(new Message(topic, "tag", "key", body));
            producer.send(messages);
        }
        return sent;
    }

    /** From the first message that a new group gets, out of a stock that was sent before. */
    private void consume() throws Exception {
        String topic = "stock";
        long stock = inBatches(topic, Long.MAX_VALUE, roundMs * STOCK_PER_MILLI);
        Thread.sleep(500);
        double[] figures = new double[rounds];
        for (int round = -1; round < rounds; round++) {
            AtomicLong first = new AtomicLong();
            AtomicLong last = new AtomicLong();
            AtomicLong got = new AtomicLong();
            boolean counts = round >= 0;
            DefaultMQPushConsumer consumer = consumer("bench_push_" + body.length + "_" + (round + 1), topic, messages -> {
                long now = System.nanoTime();
                if (first.compareAndSet(0, now)) {
                    if (counts) tell("START push");
                    return;
                }
                if (now - first.get() > roundMs * 1_000_000) return;
                got.addAndGet(messages.size());
                last.accumulateAndGet(now, Math::max);
            });
            long started = System.nanoTime();
            while (first.get() == 0) {
                if (System.nanoTime() - started > 60e9) throw new IllegalStateException("nothing is delivered");
                Thread.sleep(1);
            }
            tell("WAITED push " + (first.get() - started) / 1_000_000);
            long deadline = first.get() + roundMs * 1_000_000;
            while (System.nanoTime() < deadline && got.get() < stock - 1) Thread.sleep(1);
            if (counts) {
                tell("ROUND push " + got.get());
                figures[round] = got.get() / ((last.get() - first.get()) / 1e9);
            }
            consumer.shutdown();
        }
        tellResult("push", figures);
    }

    private interface Taker {
        void take(List<MessageExt> messages);
    }

    private DefaultMQPushConsumer consumer(String group, String topic, Taker taker) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            taker.take(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    /** From the call that sends a message to the listener that gets it, a message each millisecond. */
    private void latency() throws Exception {
        String topic = "latency";
        AtomicInteger warm = new AtomicInteger();
        long[] taken = new long[(int) roundMs * 2];
        AtomicInteger count = new AtomicInteger();
        AtomicBoolean isCounted = new AtomicBoolean();
        producer.send(new Message(topic, "tag", "key", stamped()));
        Thread.sleep(500);
        consumer("bench_latency_" + body.length, topic, messages -> {
            long now = System.nanoTime();
            warm.incrementAndGet();
            if (!isCounted.get()) return;
            for (MessageExt message : messages) {
                int at = count.getAndIncrement();
                if (at < taken.length) taken[at] = now - ByteBuffer.wrap(message.getBody()).getLong();
            }
        });
        while (warm.get() == 0) Thread.sleep(1);
        double[] middle = new double[rounds];
        double[] late = new double[rounds];
        for (int round = -1; round < rounds; round++) {
            count.set(0);
            isCounted.set(true);
            if (round >= 0) tell("START latency");
            int sent = paced(topic);
            for (int i = 0; i < 1000 && count.get() < sent; i++) Thread.sleep(1);
            isCounted.set(false);
            if (round < 0) continue;
            tell("ROUND latency " + sent);
            long[] sorted = Arrays.copyOf(taken, Math.min(count.get(), taken.length));
            Arrays.sort(sorted);
            middle[round] = sorted[sorted.length / 2] / 1e6;
            late[round] = sorted[sorted.length * 99 / 100] / 1e6;
        }
        tellResult("latency-p50", middle);
        tellResult("latency-p99", late);
    }

    private int paced(String topic) throws Exception {
        int sent = 0;
        long next = System.nanoTime();
        for (long deadline = next + roundMs * 1_000_000; System.nanoTime() < deadline; sent++) {
            producer.send(new Message(topic, "tag", "key", stamped()));
            next = Math.max(next + PACE_NANOS, System.nanoTime());
            LockSupport.parkNanos(next - System.nanoTime());
        }
        return sent;
    }

    private byte[] stamped() {
        byte[] bytes = body.clone();
        ByteBuffer.wrap(bytes).putLong(System.nanoTime());
        return bytes;
    }

    private static void fail(Exception error) {
        error.printStackTrace();
        System.exit(1);
    }

    private static synchronized void tell(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void tellResult(String kind, double[] figures) {
        StringBuilder line = new StringBuilder("RESULT ").append(kind);
        for (double figure : figures) line.append(' ').append(figure);
        tell(line.toString());
    }
}
