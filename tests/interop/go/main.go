// amqp091-go suite: the harness. A case is an entry of `cases`; what it calls fails by panic.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type suite struct {
	url, server, prefix string
	names               []string
	after               []func()
}

func fail(format string, arguments ...any) { panic(fmt.Sprintf(format, arguments...)) }

func ok(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func equal(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %T %v, expected %T %v", what, got, got, want, want)
	}
}

// receive waits a bounded time for something from a channel of Go.
func receive[T any](from <-chan T, what string) T {
	select {
	case value, open := <-from:
		if !open {
			fail("%s: the channel was closed", what)
		}
		return value
	case <-time.After(10 * time.Second):
		fail("%s: nothing came", what)
	}
	panic("not reached")
}

func (t *suite) connect(config amqp.Config) *amqp.Connection {
	connection, err := amqp.DialConfig(t.url, config)
	ok(err)
	t.after = append(t.after, func() { connection.Close() })
	return connection
}

func (t *suite) channel() *amqp.Channel {
	channel, err := t.connect(amqp.Config{}).Channel()
	ok(err)
	return channel
}

func (t *suite) name(suffix string) string {
	name := t.prefix + "." + suffix
	t.names = append(t.names, name)
	return name
}

func (t *suite) queue(channel *amqp.Channel, arguments amqp.Table) string {
	queue, err := channel.QueueDeclare(t.name(fmt.Sprintf("q%d", len(t.names))), true, false, false, false, arguments)
	ok(err)
	return queue.Name
}

func publish(channel *amqp.Channel, exchange, key string, message amqp.Publishing) {
	ok(channel.PublishWithContext(context.Background(), exchange, key, true, false, message))
}

func text(body string) amqp.Publishing {
	return amqp.Publishing{Body: []byte(body), DeliveryMode: amqp.Persistent}
}

// get waits for a message: publishing without confirms takes a moment.
func get(channel *amqp.Channel, queue string) amqp.Delivery {
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		delivery, found, err := channel.Get(queue, true)
		ok(err)
		if found {
			return delivery
		}
	}
	fail("no message in %s", queue)
	panic("not reached")
}

func (t *suite) clean() {
	for _, action := range t.after {
		action()
	}
	connection, err := amqp.Dial(t.url)
	if err != nil {
		return
	}
	defer connection.Close()
	if channel, err := connection.Channel(); err == nil {
		for _, name := range t.names {
			channel.QueueDelete(name, false, false, false)
			channel.ExchangeDelete(name, false, false)
		}
	}
}

func run(body func(*suite), t *suite, limit time.Duration) string {
	done := make(chan string, 1)
	go func() {
		defer func() {
			if reason := recover(); reason != nil {
				done <- strings.Join(strings.Fields(fmt.Sprint(reason)), " ")
			}
		}()
		body(t)
		done <- ""
	}()
	select {
	case reason := <-done:
		return reason
	case <-time.After(limit):
		return fmt.Sprintf("still running after %v", limit)
	}
}

func main() {
	url := flag.String("url", "", "the server")
	server := flag.String("name", "wharf", "whose behaviour to expect")
	filter := flag.String("filter", "", "only cases whose name contains this")
	seconds := flag.Float64("timeout", 30, "seconds a case may take")
	flag.Parse()
	failed := false
	for _, each := range cases {
		if !strings.Contains(each.name, *filter) {
			continue
		}
		chance := make([]byte, 3)
		rand.Read(chance)
		t := &suite{url: *url, server: *server, prefix: fmt.Sprintf("interop.go.%s.%x", each.name, chance)}
		if reason := run(each.body, t, time.Duration(*seconds*float64(time.Second))); reason != "" {
			failed = true
			fmt.Printf("FAIL %s: %.400s\n", each.name, reason)
		} else {
			fmt.Printf("ok %s\n", each.name)
		}
		run((*suite).clean, t, 5*time.Second)
	}
	if failed {
		os.Exit(1)
	}
}
