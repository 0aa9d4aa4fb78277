"""Consumers: cancel notices, priorities, exclusive, single active."""

from context import channel_error, collect, drop, put, settle_down, take, wait_ready
from harness import case, equal, until


@case
def cancelled_when_the_queue_is_deleted(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    cancelled = []
    channel.add_on_cancel_callback(lambda method: cancelled.append(method.method.consumer_tag))
    tags = {collect(channel, name, []) for _ in range(2)}
    t.channel().queue_delete(name)
    until(lambda: [settle_down(connection, 0.05), len(cancelled) == 2][1], what="two cancel notices")
    equal(set(cancelled), tags)
    t.queue(channel, "another")


@case
def no_delivery_after_cancel(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    got = []
    tag = collect(channel, name, got, auto_ack=True)
    channel.basic_cancel(tag)
    put(channel, name, b"x")
    settle_down(connection)
    equal(got, [])
    wait_ready(channel, name, 1)


@case
def higher_priority_is_served_first(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    channel.basic_qos(prefetch_count=2)
    low, high = [], []
    collect(channel, name, low)
    collect(channel, name, high, arguments={"x-priority": 10})
    put(channel, name, b"1", b"2")
    take(connection, high, 2)
    settle_down(connection, 0.2)
    equal(low, [])
    put(channel, name, b"3")
    take(connection, low, 1)
    equal([body for _, _, body in high + low], [b"1", b"2", b"3"])


@case
def negative_priority(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    low, normal = [], []
    collect(channel, name, low, arguments={"x-priority": -5}, auto_ack=True)
    collect(channel, name, normal, auto_ack=True)
    put(channel, name, *[b"x"] * 10)
    take(connection, normal, 10)
    equal(low, [])


@case
def exclusive_consumer(t):
    channel, other = t.channel(), t.channel()
    name = t.queue(channel)
    tag = collect(channel, name, [], exclusive=True)
    channel_error(403, f"^ACCESS_REFUSED - queue '{name}' in vhost '/' in exclusive use$",
                  lambda: collect(other, name, []))
    channel.basic_cancel(tag)
    collect(t.channel(), name, [])


@case
def exclusive_refused_beside_others(t):
    channel, other = t.channel(), t.channel()
    name = t.queue(channel)
    collect(channel, name, [])
    channel_error(403, "in exclusive use$", lambda: collect(other, name, [], exclusive=True))


@case
def exclusive_ends_with_its_connection(t):
    connection, other = t.connect(), t.channel()
    channel = connection.channel()
    name = t.queue(channel)
    collect(channel, name, [], exclusive=True)
    drop(connection)
    until(lambda: other.queue_declare(name, passive=True).method.consumer_count == 0, what="consumer gone")
    collect(other, name, [], exclusive=True)


@case
def single_active_consumer(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel, arguments={"x-single-active-consumer": True})
    first, second = [], []
    tag = collect(channel, name, first, auto_ack=True)
    collect(channel, name, second, auto_ack=True)
    put(channel, name, *[b"x"] * 5)
    take(connection, first, 5)
    equal(second, [])
    channel.basic_cancel(tag)
    put(channel, name, *[b"y"] * 5)
    take(connection, second, 5)
    equal(len(first), 5)


@case
def single_active_takes_over_after_a_crash(t):
    one, two = t.connect(), t.connect()
    channel = one.channel()
    name = t.queue(channel, arguments={"x-single-active-consumer": True})
    first, second = [], []
    collect(channel, name, first)
    collect(two.channel(), name, second)
    put(two.channel(), name, b"x")
    take(one, first, 1)
    drop(one)
    take(two, second, 1)
    equal(second[0][0].redelivered, True)


@case
def exclusive_on_single_active_is_refused(t):
    channel = t.channel()
    name = t.queue(channel, arguments={"x-single-active-consumer": True})
    channel_error(403, "^ACCESS_REFUSED", lambda: collect(channel, name, [], exclusive=True))


@case
def unacked_of_one_consumer_go_to_the_other(t):
    one, two = t.connect(), t.connect()
    channel = one.channel()
    name = t.queue(channel)
    put(channel, name, *[b"%d" % number for number in range(10)])
    first, second = [], []
    collect(channel, name, first)
    take(one, first, 10)
    collect(two.channel(), name, second)
    one.close()
    take(two, second, 10)
    equal([body for _, _, body in second], [b"%d" % number for number in range(10)])
    equal({method.redelivered for method, _, _ in second}, {True})


@case
def consuming_iterator(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, *[b"x"] * 10)
    seen = 0
    for method, _, _ in channel.consume(name, inactivity_timeout=1):
        if method is None:
            break
        channel.basic_ack(method.delivery_tag)
        seen += 1
        if seen == 10:
            break
    channel.cancel()
    equal(seen, 10)
