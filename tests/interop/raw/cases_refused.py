"""What docs/protocols/amqp.md lists as refused or as different from RabbitMQ, so that the page stays true."""

import re

from cases_soft import CONSUME, DECLARE_Q, DECLARE_X, declare
from context import expect_hard, expect_soft
from harness import case, equal, only, until
from wire import DURABLE

PLUGIN_TYPES = ("x-consistent-hash", "x-delayed-message", "x-random", "x-local-random", "x-modulus-hash",
                "x-recent-history", "x-jms-topic")
MEBIBYTE = 1 << 20


def ready(raw, name):
    return raw.call(1, "queue.declare", 0, name, 1, {}).args[1]


@case
@only("wharf", "RabbitMQ has streams")
def stream_queues(t):
    raw, name = t.channel(), t.name()
    declare(raw, name, DURABLE, {"x-queue-type": "stream"})
    text = f"PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue '{name}' in vhost '/': " \
           "\"unsupported queue type 'stream'\""
    expect_soft(raw, 406, "^" + re.escape(text) + "$", DECLARE_Q)


@case
@only("wharf", "3.10 answers 503 and closes the connection")
def exchange_types_of_plugins(t):
    raw = t.channel()
    for kind in PLUGIN_TYPES:
        raw.method(1, "exchange.declare", 0, t.name("x"), kind, DURABLE, {})
        expect_soft(raw, 406, f"^PRECONDITION_FAILED - unknown exchange type '{kind}'$", DECLARE_X)


@case
def consumer_arguments_of_streams(t):
    raw = t.channel()
    name = t.queue(raw)
    known = {"x-stream-offset": "first"}
    if t.server == "wharf":  # 3.10 does not know these yet
        known |= {"x-stream-filter": "a", "x-stream-match-unfiltered": True}
    for key, value in known.items():
        raw.method(1, "basic.consume", 0, name, "c", 0, {key: value})
        expect_soft(raw, 406, f"^PRECONDITION_FAILED - invalid arg '{key}' for queue '{name}' in vhost '/' of queue type "
                              "rabbit_classic_queue$", CONSUME)


@case
def unknown_arguments_of_consumers_are_fine(t):
    """Of old releases and of frameworks."""
    raw = t.channel()
    name = t.queue(raw)
    raw.call(1, "basic.consume", 0, name, "c", 0, {"x-cancel-on-ha-failover": True, "x-mine": 1, "x-priority": 2})


@case
def no_local_is_ignored(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.call(1, "basic.consume", 0, name, "c", 1 | 2, {})
    raw.publish(1, "", name, b"my own")
    equal(raw.content("basic.deliver").body, b"my own")


@case
@only("wharf", "RabbitMQ has no such limit")
def large_transactions(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.call(1, "tx.select")
    body = bytes(4 * MEBIBYTE)
    for _ in range(16):
        raw.publish(1, "", name, body)
    raw.publish(1, "", name, b"one byte too many")
    expect_hard(raw, 506, "^RESOURCE_ERROR - transaction is too large$", (60, 40), timeout=30)


@case
def exchange_that_goes_before_the_commit(t):
    """RabbitMQ has routed by then; Wharf routes at the commit, and the message reaches nobody."""
    raw, other = t.channel(), t.channel()
    name, exchange = t.queue(raw), t.name("x")
    raw.call(1, "exchange.declare", 0, exchange, "fanout", DURABLE, {})
    raw.call(1, "queue.bind", 0, name, exchange, "", 0, {})
    raw.call(1, "tx.select")
    raw.publish(1, exchange, "", b"x")
    raw.call(1, "basic.qos", 0, 0, 0)  # the publish has been seen
    other.call(1, "exchange.delete", 0, exchange, 0)
    raw.call(1, "tx.commit")
    equal(ready(raw, name), t.by_name(rabbitmq=1, wharf=0, why="routed at the commit"))


@case
def exclusive_consumer_of_a_quorum_queue(t):
    """The flag is ignored there."""
    raw = t.channel()
    name = t.queue(raw, arguments={"x-queue-type": "quorum"})
    raw.call(1, "basic.consume", 0, name, "a", 4, {})
    raw.call(1, "basic.consume", 0, name, "b", 4, {})


@case
def arguments_of_a_quorum_queue_without_effect(t):
    raw = t.channel()
    arguments = {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-most-once", "x-quorum-initial-group-size": 1,
                 "x-max-in-memory-length": 10, "x-max-in-memory-bytes": 1000, "x-queue-leader-locator": "client-local",
                 "x-overflow": "reject-publish"}
    name = t.queue(raw, arguments=arguments)
    raw.call(1, "queue.declare", 0, name, DURABLE, arguments)
    declare(raw, name, DURABLE, {**arguments, "x-quorum-initial-group-size": 3})
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - inequivalent arg 'x-quorum-initial-group-size' for queue '{name}'",
                DECLARE_Q)


@case
def quorum_returns_come_first(t):
    """RabbitMQ serves what came back before all else; in Wharf it keeps its own place, which is before all else here."""
    raw = t.channel()
    name = t.queue(raw, arguments={"x-queue-type": "quorum", "x-delivery-limit": 5})
    for body in (b"1", b"2", b"3"):
        raw.publish(1, "", name, body)
    raw.call(1, "basic.qos", 0, 2, 0)
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    first, second = (raw.content("basic.deliver") for _ in range(2))
    equal((first.body, second.body), (b"1", b"2"))
    raw.method(1, "basic.nack", first.method.args[1], 2)
    again = raw.content("basic.deliver")
    equal((again.body, again.method.args[2], again.properties["headers"]["x-delivery-count"].value), (b"1", 1, 1))


@case
def trace_exchange_is_silent(t):
    """The firehose is off, there and here; the exchange can be bound all the same."""
    raw = t.channel()
    name, traced = t.queue(raw), t.queue(raw, "traced")
    raw.call(1, "queue.bind", 0, name, "amq.rabbitmq.trace", "#", 0, {})
    raw.publish(1, "", traced, b"x")
    until(lambda: ready(raw, traced) == 1, 5, "the message")
    equal(ready(raw, name), 0)


@case
def handshake_takes_ten_seconds_at_most(t):
    raw = t.connect()
    raw.start()
    assert not raw.closed_by_peer(8), "dropped early"
    assert raw.closed_by_peer(5), "never dropped"
