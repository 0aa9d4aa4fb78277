"""TTL, length limits, priorities."""

import time

import pika

from context import collect, drain, get, put, ready, take, wait_ready
from harness import case, equal


def confirming(t):
    channel = t.channel()
    channel.confirm_delivery()
    return channel


@case
def queue_ttl(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-message-ttl": 300})
    put(channel, name, b"short")
    equal(ready(channel, name), 1)
    time.sleep(0.5)
    wait_ready(channel, name, 0, 2)


@case
def message_ttl(t):
    channel = confirming(t)
    name = t.queue(channel)
    put(channel, name, b"short", properties=pika.BasicProperties(expiration="300"))
    put(channel, name, b"for ever")
    time.sleep(0.6)
    method, properties, body = get(channel, name)
    equal((body, method.message_count, properties.expiration), (b"for ever", 0, None))


@case
def message_ttl_waits_behind_others(t):
    """Classic queues drop expired messages at the head only, so an early one may still be counted."""
    channel = confirming(t)
    name = t.queue(channel)
    put(channel, name, b"for ever")
    put(channel, name, b"short", properties=pika.BasicProperties(expiration="200"))
    time.sleep(0.5)
    equal(get(channel, name)[2], b"for ever")
    equal(channel.basic_get(name)[0], None)


@case
def smaller_ttl_wins(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-message-ttl": 300})
    put(channel, name, b"x", properties=pika.BasicProperties(expiration="60000"))
    time.sleep(0.5)
    wait_ready(channel, name, 0, 2)


@case
def ttl_zero_expires_or_is_delivered_at_once(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-message-ttl": 0})
    put(channel, name, b"lost")
    equal(ready(channel, name), 0)
    got = []
    collect(channel, name, got, auto_ack=True)
    put(channel, name, b"seen")
    take(channel.connection, got, 1)
    equal(got[0][2], b"seen")


@case
def requeue_keeps_the_deadline(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-message-ttl": 600})
    put(channel, name, b"x")
    tag = get(channel, name, auto_ack=False)[0].delivery_tag
    time.sleep(0.4)
    channel.basic_nack(tag, requeue=True)
    time.sleep(0.4)
    wait_ready(channel, name, 0, 1)


@case
def unacked_messages_do_not_expire(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-message-ttl": 200})
    put(channel, name, b"x")
    tag = get(channel, name, auto_ack=False)[0].delivery_tag
    time.sleep(0.5)
    channel.basic_ack(tag)
    wait_ready(channel, name, 0)


@case
def very_long_ttl(t):
    channel = t.channel()
    t.queue(channel, arguments={"x-message-ttl": 134217728000})


@case
def max_length_drops_the_head(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-length": 3})
    put(channel, name, *[b"%d" % number for number in range(10)])
    equal(drain(channel, name, 3), [b"7", b"8", b"9"])


@case
def max_length_counts_ready_only(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-length": 2})
    put(channel, name, b"1", b"2")
    for _ in range(2):
        get(channel, name, auto_ack=False)
    put(channel, name, b"3", b"4")
    channel.basic_ack(0, multiple=True)
    equal(drain(channel, name, 2), [b"3", b"4"])


@case
def max_length_bytes_counts_bodies(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-length-bytes": 100})
    put(channel, name, *[b"%d" % number * 40 for number in range(5)],
        properties=pika.BasicProperties(headers={"big": "x" * 500}))
    equal(drain(channel, name, 2), [b"3" * 40, b"4" * 40])


@case
def max_length_zero(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-length": 0})
    put(channel, name, b"x")
    equal(ready(channel, name), 0)


@case
def reject_publish_without_confirms_drops_silently(t):
    channel = t.channel()
    name = t.queue(channel, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    put(channel, name, b"1")
    wait_ready(channel, name, 1)
    put(channel, name, b"2", b"3")
    equal(drain(channel, name, 1), [b"1"])


def priority(level):
    return pika.BasicProperties(priority=level)


@case
def priorities_in_order(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-priority": 5})
    for body, properties in ((b"0a", None), (b"1", priority(1)), (b"5a", priority(5)), (b"3", priority(3)),
                             (b"9 is 5", priority(9)), (b"0b", priority(0)), (b"5b", priority(5))):
        put(channel, name, body, properties=properties)
    equal(drain(channel, name, 7), [b"5a", b"9 is 5", b"5b", b"3", b"1", b"0a", b"0b"])


@case
def priority_is_ignored_without_the_argument(t):
    channel = confirming(t)
    name = t.queue(channel)
    put(channel, name, b"low", properties=priority(0))
    put(channel, name, b"high", properties=priority(9))
    equal(drain(channel, name, 2), [b"low", b"high"])


@case
def priority_requeue_keeps_the_place(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-priority": 5})
    put(channel, name, b"h1", b"h2", properties=priority(5))
    put(channel, name, b"low", properties=priority(1))
    tag = get(channel, name, auto_ack=False)[0].delivery_tag
    channel.basic_nack(tag, requeue=True)
    wait_ready(channel, name, 3)
    equal(drain(channel, name, 3), [b"h1", b"h2", b"low"])


@case
def max_length_drops_high_priority_first(t):
    """The head is what would be delivered next, so the most important message goes (RabbitMQ documents it)."""
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-priority": 5, "x-max-length": 2})
    put(channel, name, b"high", properties=priority(5))
    put(channel, name, b"low", properties=priority(1))
    put(channel, name, b"mid", properties=priority(3))
    equal(drain(channel, name, 2), [b"mid", b"low"])


@case
def priority_255(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-max-priority": 255})
    put(channel, name, b"1", properties=priority(1))
    put(channel, name, b"255", properties=priority(255))
    equal(drain(channel, name, 2), [b"255", b"1"])
