package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func brokerAddress() string { return os.Args[2] }

func selectorOf(filter string) consumer.MessageSelector {
	if strings.HasPrefix(filter, "sql:") {
		return consumer.MessageSelector{Type: consumer.SQL92, Expression: filter[4:]}
	}
	return consumer.MessageSelector{Type: consumer.TAG, Expression: filter}
}

func start(name string, kind string, group string, topic string, filter string) {
	given := []consumer.Option{
		consumer.WithNsResolver(primitive.NewPassthroughResolver(names)),
		consumer.WithGroupName(group),
		consumer.WithInstance(name),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}
	switch kind {
	case "ordered":
		given = append(given, consumer.WithConsumerOrder(true))
	case "broadcast":
		given = append(given, consumer.WithConsumerModel(consumer.BroadCasting))
	case "refusing":
		given = append(given, consumer.WithMaxReconsumeTimes(1))
	case "lite":
		poll(name, topic, filter, given)
		return
	}
	var answer func(*primitive.MessageExt)
	if kind == "answering" {
		answer = answering(name)
	}
	client, err := rocketmq.NewPushConsumer(given...)
	must(err)
	must(client.Subscribe(topic, selectorOf(filter), func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		if context, known := primitive.GetConcurrentlyCtx(ctx); known {
			// One second, the shortest delay.
			context.DelayLevelWhenNextConsume = 1
		}
		tell(name, messages)
		if kind == "refusing" || kind == "failing" && messages[0].ReconsumeTimes < 2 {
			return consumer.ConsumeRetryLater, nil
		}
		if answer != nil {
			answer(messages[0])
		}
		return consumer.ConsumeSuccess, nil
	}))
	must(client.Start())
	stops[name] = func() { must(client.Shutdown()) }
}

func tell(name string, messages []*primitive.MessageExt) {
	for _, message := range messages {
		say(fmt.Sprintf("%s %s %d %d %d %s", name, message.Topic, message.Queue.QueueId, message.QueueOffset,
			message.ReconsumeTimes, message.Body))
	}
}

func poll(name string, topic string, filter string, given []consumer.Option) {
	client, err := rocketmq.NewPullConsumer(given...)
	must(err)
	must(client.Subscribe(topic, selectorOf(filter)))
	must(client.Start())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			request, err := client.Poll(ctx, 500*time.Millisecond)
			if err != nil {
				continue
			}
			tell(name, request.GetMsgList())
			client.ACK(context.Background(), request, consumer.ConsumeSuccess)
		}
	}()
	stops[name] = func() {
		stop()
		<-ended
		must(client.PersistOffset(context.Background(), topic))
		must(client.Shutdown())
	}
}

// Answers what comes as a request. The library leaves the body of an answer empty, so it is set here unless asked not to.
func answering(name string) func(*primitive.MessageExt) {
	client, err := rocketmq.NewProducer(options(name + "_answers")...)
	must(err)
	must(client.Start())
	return func(message *primitive.MessageExt) {
		reply, err := consumer.CreateReplyMessage(message, nil)
		must(err)
		if string(message.Body) != "nothing" {
			reply.Body = append([]byte("re:"), message.Body...)
		}
		// The broker does not know who waits before its first heartbeat, a second after it started.
		for range make([]struct{}, 100) {
			if _, err = client.SendSync(context.Background(), reply); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		must(err)
	}
}
