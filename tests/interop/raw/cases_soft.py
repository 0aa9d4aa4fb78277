"""Channel errors: code, text, class and method of each, and that the channel number can be opened again."""

import re

from wire import AUTO_DELETE, DURABLE, EXCLUSIVE, PASSIVE, X_INTERNAL
from context import expect_soft
from fields import Tagged
from harness import case, equal, only

DECLARE_X, DELETE_X, BIND_X = (40, 10), (40, 20), (40, 30)
DECLARE_Q, BIND_Q, PURGE_Q, DELETE_Q = (50, 10), (50, 20), (50, 30), (50, 40)
CONSUME, PUBLISH, GET, ACK, REJECT, NACK = (60, 20), (60, 40), (60, 70), (60, 80), (60, 90), (60, 120)


def locked(name):
    """A text above 255 bytes is cut to 252 and three dots."""
    text = (f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be "
            "originally declared on another connection or the exclusive property value does not match that of the "
            "original declaration.")
    return "^" + re.escape(text if len(text) <= 255 else text[:252] + "...") + "$"


def declare(raw, name, flags=DURABLE, arguments=None):
    raw.method(1, "queue.declare", 0, name, flags, arguments or {})


def declare_x(raw, name, kind="direct", flags=DURABLE, arguments=None):
    raw.method(1, "exchange.declare", 0, name, kind, flags, arguments or {})


@case
def queue_not_found_everywhere(t):
    raw, name = t.channel(), t.name("ghost")
    text = f"^NOT_FOUND - no queue '{name}' in vhost '/'$"
    for args, class_method in (
            (("queue.declare", 0, name, PASSIVE, {}), DECLARE_Q),
            (("queue.bind", 0, name, "amq.direct", "k", 0, {}), BIND_Q),
            (("queue.purge", 0, name, 0), PURGE_Q),
            (("basic.consume", 0, name, "", 0, {}), CONSUME),
            (("basic.get", 0, name, 0), GET)):
        raw.method(1, *args)
        expect_soft(raw, 404, text, class_method)


@case
def exchange_not_found_everywhere(t):
    raw, name = t.channel(), t.name("ghost")
    queue = t.queue(raw)
    text = f"^NOT_FOUND - no exchange '{name}' in vhost '/'$"
    for args, class_method in (
            (("exchange.declare", 0, name, "direct", PASSIVE, {}), DECLARE_X),
            (("exchange.bind", 0, name, "amq.direct", "k", 0, {}), BIND_X),
            (("exchange.bind", 0, "amq.direct", name, "k", 0, {}), BIND_X),
            (("queue.bind", 0, queue, name, "k", 0, {}), BIND_Q)):
        raw.method(1, *args)
        expect_soft(raw, 404, text, class_method)
    raw.publish(1, name, "k", b"lost")
    expect_soft(raw, 404, text, PUBLISH)


@case
def missing_things_that_are_fine(t):
    raw, name = t.channel(), t.name("ghost")
    equal(raw.call(1, "queue.delete", 0, name, 0).args, [0])
    raw.call(1, "exchange.delete", 0, name, 0)
    raw.call(1, "queue.unbind", 0, name, "amq.direct", "k", {})
    raw.call(1, "exchange.unbind", 0, name, "amq.direct", "k", 0, {})
    equal(raw.call(1, "basic.cancel", "no-such-tag", 0).args, ["no-such-tag"])


@case
def reserved_names(t):
    raw = t.channel()
    declare(raw, "amq.mine")
    expect_soft(raw, 403, r"^ACCESS_REFUSED - queue name 'amq\.mine' contains reserved prefix 'amq\.\*'$", DECLARE_Q)
    declare_x(raw, "amq.mine")
    expect_soft(raw, 403, r"^ACCESS_REFUSED - exchange name 'amq\.mine' contains reserved prefix 'amq\.\*'$", DECLARE_X)
    raw.method(1, "exchange.delete", 0, "amq.direct", 0)
    expect_soft(raw, 403, None, DELETE_X)


@case
def predeclared_exchanges_can_be_redeclared(t):
    raw = t.channel()
    for name, kind in (("amq.direct", "direct"), ("amq.fanout", "fanout"), ("amq.topic", "topic"),
                       ("amq.headers", "headers"), ("amq.match", "headers")):
        raw.call(1, "exchange.declare", 0, name, kind, DURABLE, {})
        raw.call(1, "exchange.declare", 0, name, kind, PASSIVE, {})
    raw.call(1, "exchange.declare", 0, "amq.rabbitmq.trace", "topic", PASSIVE, {})


@case
def default_exchange_is_untouchable(t):
    raw = t.channel()
    queue = t.queue(raw)
    text = "^ACCESS_REFUSED - operation not permitted on the default exchange$"
    for args, class_method in (
            (("exchange.declare", 0, "", "direct", DURABLE, {}), DECLARE_X),
            (("exchange.delete", 0, "", 0), DELETE_X),
            (("exchange.bind", 0, "", "amq.direct", "k", 0, {}), BIND_X),
            (("exchange.bind", 0, "amq.direct", "", "k", 0, {}), BIND_X),
            (("queue.bind", 0, queue, "", "k", 0, {}), BIND_Q),
            (("queue.unbind", 0, queue, "", queue, {}), (50, 50))):
        raw.method(1, *args)
        expect_soft(raw, 403, text, class_method)


@case
def exchange_inequivalent(t):
    raw, name = t.channel(), t.name("x")
    raw.call(1, "exchange.declare", 0, name, "direct", DURABLE, {"alternate-exchange": "amq.fanout"})
    head = "^PRECONDITION_FAILED - inequivalent arg '{}' for exchange '" + name + "' in vhost '/': received {} but current is {}$"
    same = {"alternate-exchange": "amq.fanout"}
    for kind, flags, arguments, what, got, current in (
            ("fanout", DURABLE, same, "type", "'fanout'", "'direct'"),
            ("direct", 0, same, "durable", "'false'", "'true'"),
            ("direct", DURABLE | 4, same, "auto_delete", "'true'", "'false'"),
            ("direct", DURABLE | X_INTERNAL, same, "internal", "'true'", "'false'")):
        declare_x(raw, name, kind, flags, arguments)
        expect_soft(raw, 406, head.format(what, got, current), DECLARE_X)
    declare_x(raw, name, "direct", DURABLE, {"alternate-exchange": "amq.topic"})
    expect_soft(raw, 406, head.format("alternate-exchange", "'amq.topic'", "'amq.fanout'"), DECLARE_X)
    declare_x(raw, name, "direct", DURABLE)
    expect_soft(raw, 406, "received none but current is the value 'amq.fanout' of type 'longstr'$", DECLARE_X)
    raw.call(1, "exchange.declare", 0, name, "direct", DURABLE, {**same, "x-other": 1})
    raw.call(1, "exchange.declare", 0, name, "nonsense", PASSIVE, {})


@case
@only("wharf", "3.10 answers 503 and closes the connection")
def unknown_exchange_type(t):
    raw = t.channel()
    declare_x(raw, t.name("x"), "nonsense")
    expect_soft(raw, 406, "^PRECONDITION_FAILED - unknown exchange type 'nonsense'", DECLARE_X)


@case
def alternate_exchange_not_a_string(t):
    raw = t.channel()
    declare_x(raw, t.name("x"), arguments={"alternate-exchange": 5})
    expect_soft(raw, 406, "invalid type 'signedint' for arg 'alternate-exchange'|alternate-exchange", DECLARE_X)


@case
def queue_inequivalent(t):
    raw, name = t.channel(), t.name()
    raw.call(1, "queue.declare", 0, name, DURABLE, {"x-max-length": 5})
    head = "^PRECONDITION_FAILED - inequivalent arg '{}' for queue '" + name + "' in vhost '/': received {} but current is {}$"
    same = {"x-max-length": 5}
    for flags, arguments, what, got, current in (
            (0, same, "durable", "'false'", "'true'"),
            (DURABLE | AUTO_DELETE, same, "auto_delete", "'true'", "'false'"),
            (DURABLE, {**same, "x-message-ttl": Tagged("l", 10)}, "x-message-ttl",
             "the value '10' of type 'long'", "none"),
            (DURABLE, {**same, "x-message-ttl": 10}, "x-message-ttl", "the value '10' of type 'signedint'", "none"),
            (DURABLE, {}, "x-max-length", "none", "the value '5' of type 'signedint'"),
            (DURABLE, {"x-max-length": 6}, "x-max-length", "'6'", "'5'"),
            (DURABLE, {"x-max-length": Tagged("l", 6)}, "x-max-length", "'6'", "'5'"),
            (DURABLE, {**same, "x-overflow": "reject-publish"}, "x-overflow",
             "the value 'reject-publish' of type 'longstr'", "none")):
        declare(raw, name, flags, arguments)
        expect_soft(raw, 406, head.format(what, got, current), DECLARE_Q)
    declare(raw, name, DURABLE | EXCLUSIVE, {"x-max-length": 99})
    expect_soft(raw, 405, locked(name), DECLARE_Q)
    for letter in "bBsuIilL":
        raw.call(1, "queue.declare", 0, name, DURABLE, {"x-max-length": Tagged(letter, 5)})
    raw.call(1, "queue.declare", 0, name, DURABLE, {**same, "x-mine": "kept, not compared"})
    raw.call(1, "queue.declare", 0, name, PASSIVE, {})


@case
def queue_type_inequivalent(t):
    raw, name = t.channel(), t.name()
    raw.call(1, "queue.declare", 0, name, DURABLE, {})
    raw.call(1, "queue.declare", 0, name, DURABLE, {"x-queue-type": "classic"})
    declare(raw, name, DURABLE, {"x-queue-type": "quorum"})
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '{name}' in vhost '/': "
                          "received the value 'quorum' of type 'longstr' but current is", DECLARE_Q)


@case
def queue_bad_arguments(t):
    raw, name = t.channel(), t.name("bad")
    for arguments, text in (
            ({"x-expires": -1}, "value_negative|negative"), ({"x-expires": 0}, "value_zero|zero"),
            ({"x-message-ttl": -5}, "value_negative|negative"), ({"x-message-ttl": "10"}, "longstr|type"),
            ({"x-max-length": -1}, "negative"), ({"x-max-length": "5"}, "longstr|type"),
            ({"x-max-priority": 256}, "max_value_exceeded|256"), ({"x-overflow": "spill"}, "spill|overflow"),
            ({"x-dead-letter-routing-key": "k"}, "x-dead-letter|routing_key"),
            ({"x-dead-letter-exchange": 5}, "x-dead-letter-exchange"),
            ({"x-single-active-consumer": "yes"}, "longstr|type|single"),
            ({"x-queue-mode": "fast"}, "fast|mode"),
            ({"x-queue-type": "quorum", "x-queue-leader-locator": "here"}, "invalid_queue_locator_arg"),
            ({"x-queue-type": "quorum", "x-dead-letter-strategy": "never"}, "invalid_dlx_strategy"),
            ({"x-message-ttl": Tagged("l", 2**62)}, "value_too_big|large|big")):
        declare(raw, name, DURABLE, arguments)
        key = list(arguments)[-1]
        expect_soft(raw, 406, rf"^(?=.*({text}))PRECONDITION_FAILED - invalid (arg|type .* arg) '{key}' (for|in) queue "
                              rf"'{name}' in vhost '/'", DECLARE_Q)


@case
def queue_unknown_type(t):
    raw = t.channel()
    declare(raw, t.name(), DURABLE, {"x-queue-type": "heap"})
    expect_soft(raw, 406, "heap|queue.type", DECLARE_Q)


@case
def quorum_needs_durable_named_shared(t):
    raw, name = t.channel(), t.name()
    quorum = {"x-queue-type": "quorum"}
    for flags, what in ((0, "non-durable"), (DURABLE | EXCLUSIVE, "exclusive-owner"),
                        (DURABLE | AUTO_DELETE, "auto-delete")):
        declare(raw, name, flags, quorum)
        expect_soft(raw, 406, f"^PRECONDITION_FAILED - invalid property '{what}' for queue '{name}' in vhost '/'$",
                    DECLARE_Q)
    declare(raw, "", DURABLE, quorum)
    expect_soft(raw, 406, "server-named", DECLARE_Q)
    declare(raw, name, DURABLE, {**quorum, "x-max-priority": 5})
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue '{name}' in vhost '/' of queue "
                          "type rabbit_quorum_queue$", DECLARE_Q)


@case
def exclusive_queue_is_locked_for_others(t):
    owner, other, name = t.channel(), t.channel(), t.name()
    owner.call(1, "queue.declare", 0, name, EXCLUSIVE, {})
    for args, class_method in (
            (("queue.declare", 0, name, EXCLUSIVE, {}), DECLARE_Q), (("queue.declare", 0, name, PASSIVE, {}), DECLARE_Q),
            (("queue.bind", 0, name, "amq.direct", "k", 0, {}), BIND_Q), (("queue.purge", 0, name, 0), PURGE_Q),
            (("queue.delete", 0, name, 0), DELETE_Q), (("basic.consume", 0, name, "", 0, {}), CONSUME),
            (("basic.get", 0, name, 0), GET)):
        other.method(1, *args)
        expect_soft(other, 405, locked(name), class_method)
    owner.call(1, "queue.declare", 0, name, EXCLUSIVE | DURABLE, {})


@case
def no_previous_queue(t):
    raw = t.channel()
    for args, class_method in (
            (("queue.bind", 0, "", "amq.direct", "k", 0, {}), BIND_Q), (("queue.purge", 0, "", 0), PURGE_Q),
            (("queue.delete", 0, "", 0), DELETE_Q), (("basic.consume", 0, "", "", 0, {}), CONSUME),
            (("basic.get", 0, "", 0), GET)):
        raw.method(1, *args)
        expect_soft(raw, 404, "^NOT_FOUND - no previously declared queue$", class_method)


@case
def delete_conditions(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"one")
    raw.method(1, "queue.delete", 0, name, 2)
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - queue '{name}' in vhost '/' not empty$", DELETE_Q)
    raw.call(1, "queue.purge", 0, name, 0)
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    raw.method(1, "queue.delete", 0, name, 1)
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - queue '{name}' in vhost '/' in use$", DELETE_Q)
    exchange = t.name("x")
    raw.call(1, "exchange.declare", 0, exchange, "fanout", DURABLE, {})
    raw.call(1, "queue.bind", 0, name, exchange, "", 0, {})
    raw.method(1, "exchange.delete", 0, exchange, 1)
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - exchange '{exchange}' in vhost '/' in use$", DELETE_X)


@case
def publish_refusals(t):
    raw = t.channel()
    queue, internal = t.queue(raw), t.name("internal")
    raw.call(1, "exchange.declare", 0, internal, "fanout", DURABLE | X_INTERNAL, {})
    raw.publish(1, internal, "", b"x")
    expect_soft(raw, 403, f"^ACCESS_REFUSED - cannot publish to internal exchange '{internal}' in vhost '/'$", PUBLISH)
    raw.publish(1, "", queue, b"x", user_id="someone")
    expect_soft(raw, 406, "^PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user was 'guest'$",
                PUBLISH)
    for value in ("soon", "-1", "1.5", "99999999999999999"):
        raw.publish(1, "", queue, b"x", expiration=value)
        expect_soft(raw, 406, f"^PRECONDITION_FAILED - invalid expiration '{value}'", PUBLISH)
    raw.publish(1, "", queue, b"x", headers={"CC": "not a list"})
    expect_soft(raw, 406, "CC|invalid message", PUBLISH)
    raw.publish(1, "", queue, b"ok", user_id="guest")
    raw.method(1, "basic.get", 0, queue, 1)
    equal(raw.content("basic.get-ok").properties["user_id"], "guest")


@case
def unknown_delivery_tags(t):
    raw = t.channel()
    name = t.queue(raw)
    for method, class_method in (("basic.ack", ACK), ("basic.reject", REJECT), ("basic.nack", NACK)):
        raw.method(1, method, 7, 0)
        expect_soft(raw, 406, "^PRECONDITION_FAILED - unknown delivery tag 7$", class_method)
    raw.method(1, "basic.ack", 9, 1)
    expect_soft(raw, 406, "^PRECONDITION_FAILED - unknown delivery tag 9$", ACK)
    raw.method(1, "basic.ack", 0, 0)
    expect_soft(raw, 406, "^PRECONDITION_FAILED - unknown delivery tag 0$", ACK)
    raw.publish(1, "", name, b"x")
    raw.method(1, "basic.get", 0, name, 0)
    tag = raw.content("basic.get-ok").method.args[0]
    raw.method(1, "basic.ack", tag, 0)
    raw.method(1, "basic.ack", tag, 0)
    expect_soft(raw, 406, f"^PRECONDITION_FAILED - unknown delivery tag {tag}$", ACK)
    raw.method(1, "basic.ack", 0, 1)
    raw.publish(1, "", name, b"y")
    raw.method(1, "basic.get", 0, name, 1)
    raw.content("basic.get-ok")
    raw.method(1, "basic.ack", 1, 0)
    expect_soft(raw, 406, "^PRECONDITION_FAILED - unknown delivery tag 1$", ACK)


@case
def exclusive_consumer(t):
    raw, other = t.channel(), t.channel()
    name = t.queue(raw)
    raw.call(1, "basic.consume", 0, name, "a", 4, {})
    for flags in (0, 4):
        other.method(1, "basic.consume", 0, name, "b", flags, {})
        expect_soft(other, 403, f"^ACCESS_REFUSED - queue '{name}' in vhost '/' in exclusive use$", CONSUME)
    raw.call(1, "basic.cancel", "a", 0)
    other.call(1, "basic.consume", 0, name, "b", 0, {})
    raw.method(1, "basic.consume", 0, name, "a", 4, {})
    expect_soft(raw, 403, "in exclusive use$", CONSUME)


@case
def consume_priority_must_be_a_number(t):
    raw = t.channel()
    raw.method(1, "basic.consume", 0, t.queue(raw), "c", 0, {"x-priority": "high"})
    expect_soft(raw, 406, "x-priority|invalid type", CONSUME)


@case
def tx_and_confirm_exclude_each_other(t):
    raw = t.channel()
    raw.call(1, "confirm.select", 0)
    raw.call(1, "confirm.select", 0)
    raw.method(1, "tx.select")
    expect_soft(raw, 406, "^PRECONDITION_FAILED - cannot switch from confirm to tx mode$", (90, 10))
    raw.call(1, "tx.select")
    raw.call(1, "tx.select")
    raw.method(1, "confirm.select", 0)
    expect_soft(raw, 406, "^PRECONDITION_FAILED - cannot switch from tx to confirm mode$", (85, 10))
    for method, class_method in (("tx.commit", (90, 20)), ("tx.rollback", (90, 30))):
        raw.method(1, method)
        expect_soft(raw, 406, "^PRECONDITION_FAILED - channel is not transactional$", class_method)


@case
def reply_to_rules(t):
    raw = t.channel()
    pseudo = "amq.rabbitmq.reply-to"
    raw.method(1, "basic.consume", 0, pseudo, "", 0, {})
    expect_soft(raw, 406, "^PRECONDITION_FAILED - reply consumer cannot acknowledge$", CONSUME)
    raw.publish(1, "", "nowhere", b"x", reply_to=pseudo)
    expect_soft(raw, 406, "^PRECONDITION_FAILED - fast reply consumer does not exist$", PUBLISH)
    raw.call(1, "basic.consume", 0, pseudo, "", 2, {})
    raw.method(1, "basic.consume", 0, pseudo, "", 2, {})
    expect_soft(raw, 406, "^PRECONDITION_FAILED - reply consumer already set$", CONSUME)
