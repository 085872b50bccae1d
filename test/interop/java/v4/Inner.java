import org.apache.rocketmq.store.MessageExtBrokerInner;

/** A message to put; the class it extends lives in another package in each generation. */
final class Inner extends MessageExtBrokerInner {
    private static final long serialVersionUID = 1;
}
