package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const timeout = 30 * time.Second

func options(group string, more ...producer.Option) []producer.Option {
	return append([]producer.Option{
		producer.WithNsResolver(primitive.NewPassthroughResolver(names)),
		producer.WithGroupName(group),
		producer.WithInstanceName(group),
		producer.WithSendMsgTimeout(timeout),
		producer.WithRetry(2),
	}, more...)
}

func message(topic string, kind string, number int) *primitive.Message {
	text := fmt.Sprintf("%s-%d", kind, number)
	return primitive.NewMessage(topic, []byte(text)).WithTag(kind).WithKeys([]string{text})
}

func told(kind string, number int, result *primitive.SendResult) {
	status := map[primitive.SendStatus]string{primitive.SendOK: "SEND_OK"}[result.Status]
	if status == "" {
		status = strconv.Itoa(int(result.Status))
	}
	say(fmt.Sprintf("sent %s %d %s %s %s %d %d", kind, number, status,
		result.MsgID, result.OffsetMsgID, result.MessageQueue.QueueId, result.QueueOffset))
}

func send(topic string, count int) {
	ctx := context.Background()
	client, err := rocketmq.NewProducer(options("go_producers")...)
	must(err)
	must(client.Start())
	for i := 0; i < count; i++ {
		result, err := client.SendSync(ctx, message(topic, "sync", i))
		must(err)
		told("sync", i, result)
	}
	large := primitive.NewMessage(topic, bytes.Repeat([]byte("abcdefg"), 20_000))
	result, err := client.SendSync(ctx, large.WithTag("large").WithKeys([]string{"large-0"}))
	must(err)
	told("large", 0, result)
	var left sync.WaitGroup
	for i := 0; i < count; i++ {
		i := i
		left.Add(1)
		must(client.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
			must(err)
			told("async", i, result)
			left.Done()
		}, message(topic, "async", i)))
	}
	left.Wait()
	for i := 0; i < count; i++ {
		must(client.SendOneWay(ctx, message(topic, "oneway", i)))
	}
	batch := make([]*primitive.Message, count)
	for i := range batch {
		batch[i] = message(topic, "batch", i)
	}
	result, err = client.SendSync(ctx, batch...)
	must(err)
	told("batch", 0, result)
	result, err = client.SendSync(ctx, message(topic, "delayed", 0).WithDelayTimeLevel(1))
	must(err)
	told("delayed", 0, result)
	must(client.Shutdown())
	ordered(topic, count)
}

// Those of one key go to one queue.
func ordered(topic string, count int) {
	selector := producer.WithQueueSelector(producer.NewHashQueueSelector())
	client, err := rocketmq.NewProducer(options("go_ordered", selector)...)
	must(err)
	must(client.Start())
	for i := 0; i < count; i++ {
		result, err := client.SendSync(context.Background(), message(topic, "ordered", i).WithShardingKey(strconv.Itoa(i%3)))
		must(err)
		told("ordered", i, result)
	}
	must(client.Shutdown())
}

type listener struct{}

func (listener) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	number, _ := strconv.Atoi(strings.TrimPrefix(string(message.Body), "transaction-"))
	states := []primitive.LocalTransactionState{primitive.CommitMessageState, primitive.RollbackMessageState, primitive.UnknowState}
	return states[number%3]
}

func (listener) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	say(fmt.Sprintf("asked %s %s %s", message.Topic, message.GetKeys(), message.Body))
	return primitive.CommitMessageState
}

func transactions(topic string, count int) {
	client, err := rocketmq.NewTransactionProducer(listener{}, options("go_transactions")...)
	must(err)
	must(client.Start())
	for i := 0; i < count; i++ {
		result, err := client.SendMessageInTransaction(context.Background(), message(topic, "transaction", i))
		must(err)
		told("transaction", i, result.SendResult)
	}
	stops["transactions"] = func() { must(client.Shutdown()) }
}

func ask(topic string, text string) {
	client, err := rocketmq.NewProducer(options("go_asking")...)
	must(err)
	must(client.Start())
	answer, err := client.Request(context.Background(), timeout, primitive.NewMessage(topic, []byte(text)))
	must(err)
	say(fmt.Sprintf("answered %s", answer.Body))
	must(client.Shutdown())
}

func administer(act func(context.Context, admin.Admin) error) {
	client, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver(names)))
	must(err)
	must(act(context.Background(), client))
	must(client.Close())
}

func createTopic(topic string, queues int) {
	administer(func(ctx context.Context, client admin.Admin) error {
		broker := brokerAddress()
		if err := client.CreateTopic(ctx, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
			admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues)); err != nil {
			return err
		}
		found, err := client.FetchPublishMessageQueues(ctx, topic)
		if err != nil {
			return err
		}
		all, err := client.FetchAllTopicList(ctx)
		if err != nil {
			return err
		}
		groups, err := client.GetAllSubscriptionGroup(ctx, broker, timeout)
		if err != nil {
			return err
		}
		known := 0
		for group := range groups.SubscriptionGroupTable {
			if strings.HasPrefix(group, "g-") {
				known++
			}
		}
		say(fmt.Sprintf("created %s %d %t %d", topic, len(found), contains(all.TopicList, topic), known))
		return nil
	})
}

func deleteTopic(topic string) {
	administer(func(ctx context.Context, client admin.Admin) error {
		err := client.DeleteTopic(ctx, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(brokerAddress()),
			admin.WithNameSrvAddr(names))
		if err != nil {
			return err
		}
		all, err := client.FetchAllTopicList(ctx)
		if err != nil {
			return err
		}
		say(fmt.Sprintf("deleted %s %t", topic, !contains(all.TopicList, topic)))
		return nil
	})
}

func contains(list []string, text string) bool {
	for _, one := range list {
		if one == text {
			return true
		}
	}
	return false
}
