package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var cases = []struct {
	name string
	body func(*suite)
}{
	{"publish_and_consume", publishAndConsume},
	{"prefetch", prefetch},
	{"redelivered_after_close", redeliveredAfterClose},
	{"deferred_confirms", deferredConfirms},
	{"nacked_confirms", nackedConfirms},
	{"return_before_confirm", returnBeforeConfirm},
	{"header_types", headerTypes},
	{"properties", properties},
	{"dead_letter_headers", deadLetterHeaders},
	{"cancelled_by_delete", cancelledByDelete},
	{"channel_error", channelError},
	{"connection_error", connectionError},
	{"exclusive_queue", exclusiveQueue},
	{"transactions", transactions},
	{"exchange_to_exchange", exchangeToExchange},
	{"consumer_ends_by_cancel", consumerEndsByCancel},
	{"heartbeats", heartbeats},
	{"small_frames_and_few_channels", smallFrames},
	{"wrong_password", wrongPassword},
	{"many_goroutines", manyGoroutines},
}

func consume(channel *amqp.Channel, queue string, noAck bool) <-chan amqp.Delivery {
	deliveries, err := channel.Consume(queue, "", noAck, false, false, false, nil)
	ok(err)
	return deliveries
}

func publishAndConsume(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	for number := 0; number < 100; number++ {
		publish(channel, "", queue, text(fmt.Sprint(number)))
	}
	deliveries := consume(channel, queue, false)
	for number := 0; number < 100; number++ {
		delivery := receive(deliveries, "a delivery")
		equal(string(delivery.Body), fmt.Sprint(number), "body")
		equal(delivery.Redelivered, false, "redelivered")
		ok(delivery.Ack(false))
	}
	state, err := channel.QueueInspect(queue)
	ok(err)
	equal([]int{state.Messages, state.Consumers}, []int{0, 1}, "messages and consumers")
}

func prefetch(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	ok(channel.Qos(1, 0, false))
	deliveries := consume(channel, queue, false)
	for _, body := range []string{"a", "b"} {
		publish(channel, "", queue, text(body))
	}
	first := receive(deliveries, "the first")
	select {
	case <-deliveries:
		fail("a second one beyond the prefetch")
	case <-time.After(300 * time.Millisecond):
	}
	ok(first.Ack(false))
	equal(string(receive(deliveries, "the second").Body), "b", "body")
}

func redeliveredAfterClose(t *suite) {
	first, second := t.channel(), t.channel()
	queue := t.queue(first, nil)
	publish(first, "", queue, text("twice"))
	receive(consume(first, queue, false), "a delivery")
	ok(first.Close())
	again := receive(consume(second, queue, false), "the redelivery")
	equal(again.Redelivered, true, "redelivered")
	ok(again.Ack(false))
}

func deferredConfirms(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	ok(channel.Confirm(false))
	var pending []*amqp.DeferredConfirmation
	for number := 0; number < 1000; number++ {
		confirmation, err := channel.PublishWithDeferredConfirm("", queue, true, false, text("x"))
		ok(err)
		pending = append(pending, confirmation)
	}
	for number, confirmation := range pending {
		select {
		case <-confirmation.Done():
			equal(confirmation.Acked(), true, fmt.Sprint("confirm ", number))
		case <-time.After(10 * time.Second):
			fail("no confirm of %d", number)
		}
	}
	state, err := channel.QueueInspect(queue)
	ok(err)
	equal(state.Messages, 1000, "messages")
}

func nackedConfirms(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
	ok(channel.Confirm(false))
	for number := 0; number < 3; number++ {
		confirmation, err := channel.PublishWithDeferredConfirm("", queue, false, false, text("x"))
		ok(err)
		equal(confirmation.Wait(), number == 0, fmt.Sprint("confirm ", number))
	}
}

func returnBeforeConfirm(t *suite) {
	channel := t.channel()
	ok(channel.Confirm(false))
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, 1))
	publish(channel, "amq.direct", t.name("nobody"), text("back"))
	confirmation := receive(confirms, "a confirm")
	equal(confirmation, amqp.Confirmation{DeliveryTag: 1, Ack: true}, "confirm")
	select {
	case back := <-returns:
		equal([]any{back.ReplyCode, back.ReplyText, string(back.Body)}, []any{uint16(312), "NO_ROUTE", "back"}, "return")
	default:
		fail("the confirm came before the return")
	}
}

// Go tells integer types apart, so each must come back as it went.
func headerTypes(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	headers := amqp.Table{
		"bool": true, "byte": byte(200), "int8": int8(-5), "int16": int16(-300), "int32": int32(-70000),
		"int64": int64(1) << 40, "float32": float32(1.5), "float64": 2.25, "string": "text", "bytes": []byte{0, 255},
		"decimal": amqp.Decimal{Scale: 2, Value: 12345}, "time": time.Unix(1_700_000_000, 0), "void": nil,
		"table": amqp.Table{"inner": amqp.Table{"deep": int32(1)}}, "array": []any{int32(1), "two", nil, false},
	}
	publish(channel, "", queue, amqp.Publishing{Headers: headers})
	got := get(channel, queue).Headers
	equal(len(got), len(headers), "headers")
	for key, want := range headers {
		if when, isTime := want.(time.Time); isTime {
			equal(got[key].(time.Time).Unix(), when.Unix(), key)
			continue
		}
		equal(got[key], want, key)
	}
}

func properties(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	sent := amqp.Publishing{ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: 2, Priority: 7,
		CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1_600_000_000, 0),
		Type: "t", UserId: "guest", AppId: "a", Body: []byte("body")}
	publish(channel, "", queue, sent)
	got := get(channel, queue)
	equal(amqp.Publishing{ContentType: got.ContentType, ContentEncoding: got.ContentEncoding,
		DeliveryMode: got.DeliveryMode, Priority: got.Priority, CorrelationId: got.CorrelationId, ReplyTo: got.ReplyTo,
		Expiration: got.Expiration, MessageId: got.MessageId, Timestamp: time.Unix(got.Timestamp.Unix(), 0),
		Type: got.Type, UserId: got.UserId, AppId: got.AppId, Body: got.Body}, sent, "properties")
	publish(channel, "", queue, amqp.Publishing{Body: []byte{}})
	equal(len(get(channel, queue).Body), 0, "an empty body")
}

func deadLetterHeaders(t *suite) {
	channel := t.channel()
	dead := t.queue(channel, nil)
	queue := t.queue(channel, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
	publish(channel, "", queue, text("refused"))
	ok(receive(consume(channel, queue, false), "a delivery").Reject(false))
	got := get(channel, dead)
	death := got.Headers["x-death"].([]any)[0].(amqp.Table)
	equal([]any{death["count"], death["reason"], death["queue"], death["exchange"], death["routing-keys"]},
		[]any{int64(1), "rejected", queue, "", []any{queue}}, "x-death")
	if _, isTime := death["time"].(time.Time); !isTime {
		fail("time of x-death is a %T", death["time"])
	}
	equal(got.Headers["x-first-death-queue"], queue, "x-first-death-queue")
}

func cancelledByDelete(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	cancels := channel.NotifyCancel(make(chan string, 1))
	deliveries, err := channel.Consume(queue, "tag", false, false, false, false, nil)
	ok(err)
	_, err = channel.QueueDelete(queue, false, false, false)
	ok(err)
	equal(receive(cancels, "a cancel"), "tag", "consumer")
	if _, open := <-deliveries; open {
		fail("deliveries go on")
	}
}

func expectError(err error, code int, server bool) {
	var fault *amqp.Error
	if !errors.As(err, &fault) {
		fail("got %v, expected code %d", err, code)
	}
	equal([]any{fault.Code, fault.Server}, []any{code, server}, fault.Reason)
}

func channelError(t *suite) {
	connection := t.connect(amqp.Config{})
	channel, err := connection.Channel()
	ok(err)
	closes := channel.NotifyClose(make(chan *amqp.Error, 1))
	_, err = channel.QueueDeclarePassive(t.name("ghost"), true, false, false, false, nil)
	expectError(err, 404, true)
	expectError(receive(closes, "the close"), 404, true)
	again, err := connection.Channel()
	ok(err)
	queue := t.queue(again, nil)
	_, err = again.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": int64(5)})
	expectError(err, 406, true)
	equal(connection.IsClosed(), false, "connection closed")
}

func connectionError(t *suite) {
	connection := t.connect(amqp.Config{})
	closes := connection.NotifyClose(make(chan *amqp.Error, 1))
	channel, err := connection.Channel()
	ok(err)
	expectError(channel.Qos(1, 10, false), 540, true)
	expectError(receive(closes, "the close"), 540, true)
}

func exclusiveQueue(t *suite) {
	owner, other := t.channel(), t.channel()
	queue, err := owner.QueueDeclare(t.name("own"), false, false, true, false, nil)
	ok(err)
	_, err = other.Consume(queue.Name, "", false, false, false, false, nil)
	expectError(err, 405, true)
}

func transactions(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	ok(channel.Tx())
	publish(channel, "", queue, text("kept back"))
	ok(channel.TxRollback())
	publish(channel, "", queue, text("committed"))
	ok(channel.TxCommit())
	equal(string(get(channel, queue).Body), "committed", "body")
	ok(channel.TxCommit())
}

func exchangeToExchange(t *suite) {
	channel := t.channel()
	source, sink := t.name("source"), t.name("sink")
	ok(channel.ExchangeDeclare(source, "topic", false, false, false, false, nil))
	ok(channel.ExchangeDeclare(sink, "fanout", false, false, true, false, nil))
	queue := t.queue(channel, nil)
	ok(channel.QueueBind(queue, "", sink, false, nil))
	ok(channel.ExchangeBind(sink, "a.#", source, false, nil))
	publish(channel, source, "a.b.c", text("through"))
	equal(get(channel, queue).Exchange, source, "exchange")
	ok(channel.ExchangeUnbind(sink, "a.#", source, false, nil))
	ok(channel.ExchangeDelete(sink, false, false))
}

func consumerEndsByCancel(t *suite) {
	channel := t.channel()
	queue := t.queue(channel, nil)
	deliveries, err := channel.Consume(queue, "mine", true, false, false, false, nil)
	ok(err)
	publish(channel, "", queue, text("one"))
	receive(deliveries, "a delivery")
	ok(channel.Cancel("mine", false))
	if _, open := <-deliveries; open {
		fail("a delivery after cancel")
	}
}

func heartbeats(t *suite) {
	connection := t.connect(amqp.Config{Heartbeat: time.Second})
	time.Sleep(3500 * time.Millisecond)
	channel, err := connection.Channel()
	ok(err)
	_, err = channel.QueueDeclare("", false, false, true, false, nil)
	ok(err)
}

func smallFrames(t *suite) {
	connection := t.connect(amqp.Config{FrameSize: 4096, ChannelMax: 2})
	channel, err := connection.Channel()
	ok(err)
	_, err = connection.Channel()
	ok(err)
	_, err = connection.Channel()
	equal(err, error(amqp.ErrChannelMax), "a third channel")
	queue := t.queue(channel, nil)
	body := make([]byte, 300_000)
	for index := range body {
		body[index] = byte(index * 7)
	}
	publish(channel, "", queue, amqp.Publishing{Body: body})
	equal(get(channel, queue).Body, body, "body")
}

func wrongPassword(t *suite) {
	_, err := amqp.DialConfig(t.url, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "no"}}})
	equal(errors.Is(err, amqp.ErrCredentials) || err.(*amqp.Error).Code == 403, true, "a refusal")
}

func manyGoroutines(t *suite) {
	const publishers, each = 8, 500
	connection := t.connect(amqp.Config{})
	setup, err := connection.Channel()
	ok(err)
	queue := t.queue(setup, nil)
	seen, mutex, all := map[string]int{}, sync.Mutex{}, make(chan struct{})
	for number := 0; number < 4; number++ {
		channel, err := connection.Channel()
		ok(err)
		ok(channel.Qos(50, 0, false))
		go func(deliveries <-chan amqp.Delivery) {
			for delivery := range deliveries {
				mutex.Lock()
				seen[string(delivery.Body)]++
				if len(seen) == publishers*each {
					close(all)
				}
				mutex.Unlock()
				if delivery.DeliveryTag%10 == 0 {
					delivery.Ack(true)
				}
			}
		}(consume(channel, queue, false))
	}
	for number := 0; number < publishers; number++ {
		channel, err := t.connect(amqp.Config{}).Channel()
		ok(err)
		go func(number int) {
			for index := 0; index < each; index++ {
				publish(channel, "", queue, text(fmt.Sprintf("%d.%d", number, index)))
			}
		}(number)
	}
	select {
	case <-all:
	case <-time.After(20 * time.Second):
		fail("%d of %d arrived", len(seen), publishers*each)
	}
	for body, count := range seen {
		equal(count, 1, body)
	}
}
