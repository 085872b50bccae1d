"""Producers and consumers of RocketMQ's C++ client, through the package that wraps it.

Its argument is the address of the name server. Commands come as lines, and what happens goes out as lines:

    send TOPIC COUNT                     all kinds of producers, COUNT messages of each
    start NAME KIND GROUP TOPIC FILTER   KIND: concurrent, failing, ordered, broadcast, lite
    stop NAME

    @ sent KIND NUMBER STATUS KEY IDS QUEUE OFFSET
    @ NAME TOPIC QUEUE OFFSET RECONSUMED BODY
    @ up, started NAME, stopped NAME, done COMMAND
"""
import sys
import threading
import time

from rocketmq.client import Message, Producer, PullConsumer, PushConsumer, RecvMessage, SendStatus
from rocketmq.exceptions import ffi_check
from rocketmq.ffi import MessageModel, _CConsumeStatus, dll

names = sys.argv[1]
stops = {}
saying = threading.Lock()


def say(text):
    with saying:
        sys.stdout.write('@ ' + text + '\n')
        sys.stdout.flush()


def message(topic, kind, number, body=None):
    text = '%s-%d' % (kind, number)
    one = Message(topic)
    one.set_keys(text)
    one.set_tags(kind)
    one.set_body(text if body is None else body)
    return one


def told(kind, number, result):
    status = 'SEND_OK' if result.status == SendStatus.OK else str(result.status)
    # The library tells the key and the offset, neither the broker's id nor the queue.
    say('sent %s %d %s %s - 0 %d' % (kind, number, status, result.msg_id, result.offset))


def send(topic, count):
    producer = Producer('cpp_producers', timeout=30000)
    producer.set_namesrv_addr(names)
    producer.start()
    for i in range(count):
        told('sync', i, producer.send_sync(message(topic, 'sync', i)))
    told('large', 0, producer.send_sync(message(topic, 'large', 0, 'abcdefg' * 10000)))
    left = threading.Semaphore(0)
    for i in range(count):
        def succeeded(result, number=i):
            told('async', number, result)
            left.release()

        def failed(error, number=i):
            say('failed async %d %s' % (number, error))
            left.release()
        producer.send_async(message(topic, 'async', i), succeeded, failed)
    for _ in range(count):
        left.acquire()
    for i in range(count):
        producer.send_oneway(message(topic, 'oneway', i))
    # No batches: this release marks them by 'batch=1', which RocketMQ reads as false and stores them as one message.
    for i in range(count):
        told('ordered', i, producer.send_orderly(message(topic, 'ordered', i), i % 3))
    late = message(topic, 'delayed', 0)
    late.set_delay_time_level(1)
    told('delayed', 0, producer.send_sync(late))
    # The one-way ones go out by a thread of the library's own.
    time.sleep(0.5)
    producer.shutdown()


def tell(name, one):
    body = one.body.decode()
    say('%s %s %d %d %d %s' % (name, one.topic, one.queue_id, one.queue_offset, one.reconsume_times, body))


def start(name, kind, group, topic, expression):
    if kind == 'lite':
        poll(name, group, topic, expression)
        return
    model = MessageModel.BROADCASTING if kind == 'broadcast' else MessageModel.CLUSTERING
    consumer = PushConsumer(group, orderly=kind == 'ordered', message_model=model)
    consumer.set_namesrv_addr(names)
    consumer.set_instance_name(name)
    consumer.set_thread_count(1 if kind == 'ordered' else 2)

    # The package's own subscribe() tells the library that all is well also when the handler raises.
    def take(_, handle):
        one = RecvMessage(handle)
        tell(name, one)
        fails = kind == 'failing' and one.reconsume_times < 2
        return (_CConsumeStatus.RECONSUME_LATER if fails else _CConsumeStatus.CONSUME_SUCCESS).value
    ffi_check(dll.Subscribe(consumer._handle, topic.encode(), expression.encode()))
    consumer._register_callback(take)
    consumer.start()
    stops[name] = consumer.shutdown


def poll(name, group, topic, expression):
    consumer = PullConsumer(group)
    consumer.set_namesrv_addr(names)
    consumer.start()
    going = threading.Event()
    going.set()

    def run():
        while going.is_set():
            for one in consumer.pull(topic, expression):
                tell(name, one)
            time.sleep(0.2)
    thread = threading.Thread(target=run)
    thread.start()

    def stop():
        going.clear()
        thread.join()
        consumer.shutdown()
    stops[name] = stop


say('up')
for line in sys.stdin:
    words = line.rstrip('\n').split(' ', 5)
    if words[0] == 'send':
        send(words[1], int(words[2]))
        say('done send')
    elif words[0] == 'start':
        start(*words[1:])
        say('started ' + words[1])
    else:
        stops.pop(words[1])()
        say('stopped ' + words[1])
for stop in stops.values():
    stop()
