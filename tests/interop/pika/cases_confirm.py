"""Publisher confirms as pika shows them."""

import pika
from pika import exceptions

from context import PERSISTENT, channel_error, drain, ready
from harness import case, equal


def confirming(t):
    channel = t.channel()
    channel.confirm_delivery()
    return channel


@case
def confirmed_publish_is_in_the_queue(t):
    channel = confirming(t)
    name = t.queue(channel)
    for number in range(50):
        channel.basic_publish("", name, b"%d" % number, PERSISTENT)
        equal(ready(channel, name), number + 1)


@case
def unroutable_without_mandatory_is_confirmed(t):
    channel = confirming(t)
    for _ in range(5):
        channel.basic_publish("amq.direct", "nobody", b"x")


@case
def unroutable_with_mandatory_raises(t):
    channel = confirming(t)
    for number in range(3):
        try:
            channel.basic_publish("amq.direct", "nobody", b"%d" % number, mandatory=True)
            raise AssertionError("no UnroutableError")
        except exceptions.UnroutableError as error:
            equal([(m.method.reply_code, m.method.reply_text, m.body) for m in error.messages],
                  [(312, "NO_ROUTE", b"%d" % number)])
    name = t.queue(channel)
    channel.basic_publish("", name, b"routable", mandatory=True)
    equal(drain(channel, name, 1), [b"routable"])


@case
def mandatory_through_alternate_exchange_is_routed(t):
    channel = confirming(t)
    spare = t.exchange(channel, "fanout", "spare")
    name = t.bound(channel, spare)
    first = t.exchange(channel, "direct", "first", arguments={"alternate-exchange": spare})
    channel.basic_publish(first, "k", b"x", mandatory=True)
    equal(drain(channel, name, 1), [b"x"])


@case
def nack_by_reject_publish(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    channel.basic_publish("", name, b"1")
    channel.basic_publish("", name, b"2")
    try:
        channel.basic_publish("", name, b"3")
        raise AssertionError("no NackError")
    except exceptions.NackError:
        pass
    equal(drain(channel, name, 2), [b"1", b"2"])


@case
def transient_and_persistent_to_both_kinds_of_queue(t):
    channel = confirming(t)
    durable, transient = t.queue(channel, "durable"), t.queue(channel, "transient", durable=False)
    for name in (durable, transient):
        for mode in (1, 2):
            channel.basic_publish("", name, b"x", pika.BasicProperties(delivery_mode=mode))
        equal(ready(channel, name), 2)


@case
def confirm_after_fanout_to_many(t):
    channel = confirming(t)
    exchange = t.exchange(channel, "fanout")
    names = [t.bound(channel, exchange, "", f"q{number}") for number in range(20)]
    channel.basic_publish(exchange, "", b"x", PERSISTENT)
    equal({ready(channel, name) for name in names}, {1})


@case
def failing_publish_is_not_confirmed(t):
    channel = confirming(t)
    channel_error(404, "^NOT_FOUND - no exchange 'no-such-exchange'",
                  lambda: channel.basic_publish("no-such-exchange", "k", b"x"))
