"""Quorum queues as a client sees them; Wharf keeps them as a durable single copy."""

import pika

from context import PERSISTENT, channel_error, collect, drain, get, put, ready, take, wait_ready
from harness import case, equal, only


def quorum(t, channel, suffix="q", **arguments):
    return t.queue(channel, suffix, arguments={"x-queue-type": "quorum", **arguments})


def confirming(t):
    channel = t.channel()
    channel.confirm_delivery()
    return channel


def give_back(channel, name, times):
    for _ in range(times):
        method, _, _ = get(channel, name, auto_ack=False)
        channel.basic_nack(method.delivery_tag, requeue=True)


@case
def ordinary_work(t):
    channel = confirming(t)
    name = quorum(t, channel)
    bodies = [b"%d" % number for number in range(30)]
    put(channel, name, *bodies, properties=PERSISTENT)
    got = []
    consumer = t.connect()
    consuming = consumer.channel()
    consuming.basic_qos(prefetch_count=5)
    consuming.basic_consume(name, lambda active, method, _, body:
                            [got.append(body), active.basic_ack(method.delivery_tag)])
    take(consumer, got, 30)
    equal(got, bodies)
    wait_ready(channel, name, 0)


@case
def delivery_count_header(t):
    channel = confirming(t)
    name = quorum(t, channel)
    put(channel, name, b"x")
    method, properties, _ = get(channel, name, auto_ack=False)
    first = t.by_name(rabbitmq=0, wharf=None, why="3.10 sends 0 on the first delivery, 4.x leaves the header out")
    equal((method.redelivered, (properties.headers or {}).get("x-delivery-count")), (False, first))
    for count in (1, 2):
        channel.basic_nack(method.delivery_tag, requeue=True)
        method, properties, _ = get(channel, name, auto_ack=False)
        equal((method.redelivered, properties.headers["x-delivery-count"]), (True, count))


@case
def delivery_limit(t):
    channel = confirming(t)
    dead = t.queue(channel, "dead")
    name = quorum(t, channel, **{"x-delivery-limit": 2, "x-dead-letter-exchange": "",
                                 "x-dead-letter-routing-key": dead})
    put(channel, name, b"poison")
    give_back(channel, name, 3)
    _, properties, body = get(channel, dead)
    equal((body, properties.headers["x-death"][0]["reason"]), (b"poison", "delivery_limit"))
    equal(ready(channel, name), 0)


@case
@only("wharf", "3.10 has no default limit; 4.0 made it 20")
def delivery_limit_by_default(t):
    channel = confirming(t)
    dead = t.queue(channel, "dead")
    name = quorum(t, channel, **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    put(channel, name, b"poison")
    give_back(channel, name, 20)
    wait_ready(channel, name, 1)
    give_back(channel, name, 1)
    equal(get(channel, dead)[1].headers["x-death"][0]["reason"], "delivery_limit")


@case
def dead_letters_of_a_quorum_queue(t):
    channel = confirming(t)
    dead = t.queue(channel, "dead")
    name = quorum(t, channel, **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    put(channel, name, b"x")
    channel.basic_reject(get(channel, name, auto_ack=False)[0].delivery_tag, requeue=False)
    _, properties, _ = get(channel, dead)
    found = properties.headers["x-death"][0]
    equal((found["queue"], found["reason"], found["count"]), (name, "rejected", 1))


@case
def max_length_and_reject_publish(t):
    channel = confirming(t)
    name = quorum(t, channel, **{"x-max-length": 3})
    put(channel, name, *[b"%d" % number for number in range(6)])
    wait_ready(channel, name, 3)
    equal(drain(channel, name, 3), [b"3", b"4", b"5"])


@case
def message_ttl(t):
    channel = confirming(t)
    name = quorum(t, channel)
    put(channel, name, b"short", properties=pika.BasicProperties(expiration="200"))
    wait_ready(channel, name, 0, 5)


@case
def purge(t):
    channel = confirming(t)
    name = quorum(t, channel)
    put(channel, name, *[b"x"] * 5)
    wait_ready(channel, name, 5)
    equal(channel.queue_purge(name).method.message_count, 5)


@case
def single_active(t):
    connection = t.connect()
    channel = connection.channel()
    name = quorum(t, channel, **{"x-single-active-consumer": True})
    first, second = [], []
    collect(channel, name, first, consumer_tag="first")
    collect(channel, name, second, consumer_tag="second")
    put(channel, name, b"1", b"2")
    take(connection, first, 2)
    equal(second, [])


@case
def get_on_single_active_is_refused(t):
    channel = t.channel()
    name = quorum(t, channel, **{"x-single-active-consumer": True})
    channel_error(405, "^RESOURCE_LOCKED", lambda: channel.basic_get(name))


@case
def redeclare_is_equal(t):
    channel = t.channel()
    name = quorum(t, channel)
    quorum(t, channel)
    channel_error(406, "inequivalent arg 'x-queue-type'", lambda: channel.queue_declare(name, durable=True))


@case
def unknown_arguments_of_other_types_are_refused(t):
    channel = t.channel()
    channel_error(406, "x-max-priority", lambda: quorum(t, channel, **{"x-max-priority": 3}))
