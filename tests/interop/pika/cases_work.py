"""The tutorials: work queue, default exchange, redelivery, prefetch."""

from pika import spec

from context import PERSISTENT, collect, drain, drop, get, put, ready, settle_down, take, wait_ready
from harness import case, equal


@case
def hello_world(t):
    channel = t.channel()
    name = t.queue(channel, durable=False)
    put(channel, name, b"Hello World!")
    equal(get(channel, name)[2], b"Hello World!")


@case
def task_queue_worker(t):
    """Durable queue, prefetch 1, manual ack: two workers share fairly and nothing is lost."""
    sender = t.channel()
    name = t.queue(sender, "task_queue")
    put(sender, name, *[b"task %d" % number for number in range(20)], properties=PERSISTENT)
    seen = []
    for worker in range(2):
        connection = t.connect()
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        got = []
        collect(channel, name, got)
        seen.append((connection, channel, got))
    done = []
    while len(done) < 20:
        for connection, channel, got in seen:
            take(connection, got, 1)
            equal(len(got), 1, "unacked at prefetch 1")
            method, _, body = got.pop()
            equal(method.redelivered, False)
            done.append(body)
            channel.basic_ack(method.delivery_tag)
    equal(sorted(done), sorted(b"task %d" % number for number in range(20)))


@case
def dropped_connection_redelivers(t):
    sender = t.channel()
    name = t.queue(sender)
    put(sender, name, b"first", b"second", properties=PERSISTENT)
    worker = t.connect()
    got = []
    channel = worker.channel()
    channel.basic_qos(prefetch_count=1)
    collect(channel, name, got)
    take(worker, got, 1)
    equal((got[0][2], got[0][0].redelivered), (b"first", False))
    drop(worker)
    wait_ready(sender, name, 2)
    again = [get(sender, name) for _ in range(2)]
    equal([(body, method.redelivered) for method, _, body in again], [(b"first", True), (b"second", False)])


@case
def closed_channel_redelivers(t):
    connection = t.connect()
    channel, other = connection.channel(), connection.channel()
    name = t.queue(channel)
    put(channel, name, b"x")
    get(channel, name, auto_ack=False)
    channel.close()
    equal(get(other, name)[0].redelivered, True)


@case
def fifo_of_a_thousand(t):
    channel = t.channel()
    name = t.queue(channel)
    bodies = [b"%d" % number for number in range(1000)]
    put(channel, name, *bodies)
    equal(drain(channel, name, 1000), bodies)


@case
def prefetch_limits_the_unacked(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    put(channel, name, *[b"x"] * 10)
    channel.basic_qos(prefetch_count=3)
    got = []
    collect(channel, name, got)
    take(connection, got, 3)
    settle_down(connection)
    equal(len(got), 3)
    channel.basic_ack(got[1][0].delivery_tag, multiple=True)
    take(connection, got, 5)
    settle_down(connection)
    equal(len(got), 5)


@case
def prefetch_is_per_consumer(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    channel.basic_qos(prefetch_count=2)
    got = []
    collect(channel, name, got, consumer_tag="a")
    collect(channel, name, got, consumer_tag="b")
    put(channel, name, *[b"x"] * 10)
    take(connection, got, 4)
    settle_down(connection)
    equal(sorted(method.consumer_tag for method, _, _ in got), ["a", "a", "b", "b"])


@case
def prefetch_global_is_shared(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    channel.basic_qos(prefetch_count=3, global_qos=True)
    got = []
    collect(channel, name, got, consumer_tag="a")
    collect(channel, name, got, consumer_tag="b")
    put(channel, name, *[b"x"] * 10)
    take(connection, got, 3)
    settle_down(connection)
    equal(len(got), 3)
    channel.basic_ack(0, multiple=True)
    take(connection, got, 6)
    settle_down(connection)
    equal(len(got), 6)


@case
def prefetch_both_kinds(t):
    """Each consumer at most 2, the channel at most 3."""
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    channel.basic_qos(prefetch_count=2)
    channel.basic_qos(prefetch_count=3, global_qos=True)
    got = []
    collect(channel, name, got, consumer_tag="a")
    put(channel, name, *[b"x"] * 10)
    take(connection, got, 2)
    settle_down(connection)
    equal(len(got), 2)
    collect(channel, name, got, consumer_tag="b")
    take(connection, got, 3)
    settle_down(connection)
    equal(len(got), 3)


@case
def qos_spares_earlier_consumers(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    got = []
    collect(channel, name, got)
    channel.basic_qos(prefetch_count=1)
    put(channel, name, *[b"x"] * 5)
    take(connection, got, 5)


@case
def auto_ack_ignores_prefetch(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    channel.basic_qos(prefetch_count=1)
    got = []
    collect(channel, name, got, auto_ack=True)
    put(channel, name, *[b"x"] * 5)
    take(connection, got, 5)
    equal(ready(channel, name), 0)


@case
def get_reports_what_is_left(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"a", b"b", b"c")
    wait_ready(channel, name, 3)
    left = [get(channel, name, auto_ack=False)[0].message_count for _ in range(3)]
    equal(left, [2, 1, 0])
    equal(channel.basic_get(name)[0], None)


@case
def get_names_exchange_and_key(t):
    channel = t.channel()
    name = t.bound(channel, "amq.direct", "the key")
    channel.basic_publish("amq.direct", "the key", b"x")
    method = get(channel, name)[0]
    assert isinstance(method, spec.Basic.GetOk)
    equal((method.exchange, method.routing_key, method.redelivered), ("amq.direct", "the key", False))


@case
def round_robin_between_consumers(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    got = []
    for tag in "abc":
        collect(channel, name, got, consumer_tag=tag, auto_ack=True)
    put(channel, name, *[b"x"] * 30)
    take(connection, got, 30)
    counts = {tag: sum(method.consumer_tag == tag for method, _, _ in got) for tag in "abc"}
    equal(counts, {"a": 10, "b": 10, "c": 10})
