"""Of two things that are wrong with one request, RabbitMQ names a certain one: the owner before the existence, that
before the values, and an existing queue is compared before new values are judged."""

from wire import DURABLE, EXCLUSIVE, X_INTERNAL
from cases_soft import BIND_Q, CONSUME, DECLARE_Q, DELETE_Q, GET, PUBLISH, declare, locked
from context import expect_hard, expect_soft
from harness import case, equal

MODES = {"x-queue-mode": "lazy", "x-queue-version": 2, "x-queue-master-locator": "min-masters"}


def inequivalent(name, key, received, current):
    return (f"^PRECONDITION_FAILED - inequivalent arg '{key}' for queue '{name}' in vhost '/': "
            f"received {received} but current is {current}$")


@case
def bad_arguments_of_an_existing_queue(t):
    raw = t.channel()
    name = t.queue(raw, arguments={"x-max-length": 5})
    same = {"x-max-length": 5}
    for arguments, key, received, current in (
            ({**same, "x-message-ttl": "10"}, "x-message-ttl", "the value '10' of type 'longstr'", "none"),
            ({**same, "x-expires": -1}, "x-expires", "the value '-1' of type 'signedint'", "none"),
            ({"x-max-length": -1}, "x-max-length", "'-1'", "'5'"),
            ({**same, "x-dead-letter-routing-key": "k"}, "x-dead-letter-routing-key",
             "the value 'k' of type 'longstr'", "none")):
        declare(raw, name, DURABLE, arguments)
        expect_soft(raw, 406, inequivalent(name, key, received, current), DECLARE_Q)
    declare(raw, name, 0, {"x-message-ttl": "10"})
    expect_soft(raw, 406, inequivalent(name, "durable", "'false'", "'true'"), DECLARE_Q)


@case
def arguments_of_other_types_for_an_existing_queue(t):
    """They are refused for a new queue only; an existing one is compared by what its type knows."""
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"x")
    raw.call(1, "queue.declare", 0, name, DURABLE, {"x-max-age": "1D"})
    declare(raw, t.name("new"), DURABLE, {"x-max-age": "1D"})
    expect_soft(raw, 406, "invalid arg 'x-max-age' for queue '.*' in vhost '/' of queue type rabbit_classic_queue",
                DECLARE_Q)


@case
def bad_arguments_of_a_locked_queue(t):
    owner, raw, name = t.channel(), t.channel(), t.name()
    owner.call(1, "queue.declare", 0, name, EXCLUSIVE, {})
    for flags in (0, EXCLUSIVE):
        declare(raw, name, flags, {"x-message-ttl": -1})
        expect_soft(raw, 405, locked(name), DECLARE_Q)
    raw.call(1, "queue.declare", 0, t.name("free"), 0, {})


@case
def arguments_without_effect_are_compared(t):
    raw = t.channel()
    for key, value in MODES.items():
        name = t.queue(raw, key, arguments={key: value})
        raw.call(1, "queue.declare", 0, name, DURABLE, {key: value})
        letter = "signedint" if isinstance(value, int) else "longstr"
        declare(raw, name)
        expect_soft(raw, 406, inequivalent(name, key, "none", f"the value '{value}' of type '{letter}'"), DECLARE_Q)


@case
def consume_of_a_missing_queue_with_bad_arguments(t):
    raw, name = t.channel(), t.name("ghost")
    raw.method(1, "basic.consume", 0, name, "c", 0, {"x-priority": "high"})
    expect_soft(raw, 404, f"^NOT_FOUND - no queue '{name}' in vhost '/'$", CONSUME)


@case
def publish_to_a_missing_exchange_of_bad_content(t):
    raw, name = t.channel(), t.name("ghost")
    for properties in ({"expiration": "soon"}, {"user_id": "someone"}, {"headers": {"CC": "not a list"}},
                       {"reply_to": "amq.rabbitmq.reply-to"}):
        raw.publish(1, name, "k", b"x", **properties)
        expect_soft(raw, 404, f"^NOT_FOUND - no exchange '{name}' in vhost '/'$", PUBLISH)
    raw.publish(1, name, "k", b"x", flags=2)
    expect_hard(raw, 540, "^NOT_IMPLEMENTED - immediate=true$", PUBLISH)


@case
def bind_of_a_missing_queue_with_a_bad_match(t):
    raw, name = t.channel(), t.name("ghost")
    raw.method(1, "queue.bind", 0, name, "amq.headers", "", 0, {"x-match": "most"})
    expect_soft(raw, 404, f"^NOT_FOUND - no queue '{name}' in vhost '/'$", BIND_Q)


@case
def delete_of_anothers_queue_in_use(t):
    owner, raw, name = t.channel(), t.channel(), t.name()
    owner.call(1, "queue.declare", 0, name, EXCLUSIVE, {})
    owner.publish(1, "", name, b"x")
    owner.call(1, "basic.consume", 0, name, "c", 0, {})
    raw.method(1, "queue.delete", 0, name, 3)
    expect_soft(raw, 405, locked(name), DELETE_Q)
    raw.method(1, "basic.get", 0, name, 0)
    expect_soft(raw, 405, locked(name), GET)


@case
def publishing_in_a_transaction_is_checked_at_once(t):
    raw, name, internal = t.channel(), t.name("ghost"), t.name("internal")
    raw.call(1, "exchange.declare", 0, internal, "fanout", DURABLE | X_INTERNAL, {})
    queue = t.queue(raw)
    for exchange, code, text in ((name, 404, f"^NOT_FOUND - no exchange '{name}' in vhost '/'$"),
                                 (internal, 403, f"^ACCESS_REFUSED - cannot publish to internal exchange '{internal}'")):
        raw.call(1, "tx.select")
        raw.publish(1, "", queue, b"dropped with the channel")
        raw.publish(1, exchange, "", b"x")
        expect_soft(raw, code, text, PUBLISH)
    equal(raw.call(1, "queue.declare", 0, queue, 1, {}).args[1], 0)


@case
def commit_of_what_a_full_queue_refuses(t):
    raw = t.channel()
    full = t.queue(raw, "full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    other = t.queue(raw, "other")
    raw.call(1, "tx.select")
    for queue in (full, other, full):
        raw.publish(1, "", queue, b"x")
    raw.method(1, "tx.commit")
    expect_soft(raw, 406, "^PRECONDITION_FAILED - partial tx completion$", None)
    for queue in (full, other):
        equal(raw.call(1, "queue.declare", 0, queue, 1, {}).args[1], 1, queue)


@case
def multiple_ack_of_a_settled_tag(t):
    """Everything up to a tag needs that tag itself to be outstanding; a refused one settles nothing."""
    raw = t.channel()
    name = t.queue(raw)
    for body in (b"1", b"2", b"3"):
        raw.publish(1, "", name, body)
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    for _ in range(3):
        raw.content("basic.deliver")
    raw.method(1, "basic.ack", 2, 0)
    raw.method(1, "basic.ack", 2, 1)
    expect_soft(raw, 406, "^PRECONDITION_FAILED - unknown delivery tag 2$", (60, 80))
    bodies = []
    for _ in range(2):
        raw.method(1, "basic.get", 0, name, 1)
        bodies.append(raw.content("basic.get-ok").body)
    equal(bodies, [b"1", b"3"])
