"""Users, vhosts and permissions. The user `few` may do what servers.USERS says, and no more."""

import re

from wire import close_of
from context import get_body, get_one, refused
from harness import case, equal, matches, only

DECLARE_X, DELETE_X, BIND_X, UNBIND_X = (40, 10), (40, 20), (40, 30), (40, 40)
DECLARE_Q, BIND_Q, PURGE_Q, DELETE_Q, UNBIND_Q = (50, 10), (50, 20), (50, 30), (50, 40), (50, 50)
CONSUME, PUBLISH, GET = (60, 20), (60, 40), (60, 70)


@case
def vhosts_are_apart(t):
    here, there, name = t.channel(), t.channel(vhost="other"), t.name()
    for raw, body in ((here, b"here"), (there, b"there")):
        raw.call(1, "queue.declare", 0, name, 0, {})
        raw.call(1, "queue.bind", 0, name, "amq.direct", name, 0, {})
        raw.publish(1, "amq.direct", name, body)
    equal((get_body(here, name), get_body(there, name)), (b"here", b"there"))
    here.call(1, "queue.delete", 0, name, 0)
    there.call(1, "queue.declare", 0, name, 1, {})
    there.method(1, "queue.declare", 0, "ghost", 1, {})
    matches(close_of(there.next_method(), "soft")[1], "^NOT_FOUND - no queue 'ghost' in vhost 'other'$")


def opening(t, user, vhost):
    raw = t.connect(t.at().url(user))
    raw.start()
    raw.start_ok()
    raw.expect("connection.tune")
    raw.method(0, "connection.tune-ok", 2047, 131072, 0)
    raw.method(0, "connection.open", vhost, "", 0)
    return close_of(raw.next_method(), "hard")


@case
def vhost_without_a_permission(t):
    code, text, *class_method = opening(t, "outsider", "/")
    equal((code, class_method), (530, [10, 40]))
    matches(text, "^NOT_ALLOWED - (access to )?vhost '/' (access )?refused for user 'outsider'$"
                  "|^NOT_ALLOWED - access to vhost '/' refused for user 'outsider'")
    t.connect(t.at().url("outsider", "other")).login()


@case
def vhost_of_an_empty_name(t):
    code, text, *class_method = opening(t, "guest", "")
    equal((code, class_method), (530, [10, 40]), text)
    matches(text, "^NOT_ALLOWED - vhost  not found$")


@case
def wrong_passwords(t):
    for user, word in (("few", "guest"), ("guest", ""), ("", ""), ("few", "The password of few")):
        raw = t.connect()
        raw.start()
        raw.start_ok(response=b"\0" + user.encode() + b"\0" + word.encode())
        code, text, *_ = close_of(raw.next_method(), "hard")
        equal(code, 403, text)


@case
def configure(t):
    owner, raw, name = t.channel(), t.channel("few"), t.name()
    raw.method(1, "queue.declare", 0, name, 0, {})
    refused(raw, "configure", "queue", name, DECLARE_Q)
    raw.method(1, "exchange.declare", 0, name, "direct", 0, {})
    refused(raw, "configure", "exchange", name, DECLARE_X)
    owner.call(1, "queue.declare", 0, name, 0, {})
    raw.method(1, "queue.declare", 0, name, 0, {})
    refused(raw, "configure", "queue", name, DECLARE_Q)
    raw.method(1, "queue.delete", 0, name, 0)
    refused(raw, "configure", "queue", name, DELETE_Q)
    raw.method(1, "exchange.delete", 0, name, 0)
    refused(raw, "configure", "exchange", name, DELETE_X)
    owner.call(1, "queue.delete", 0, name, 0)
    raw.call(1, "queue.declare", 0, "mine.a", 0, {})
    raw.call(1, "exchange.declare", 0, "mine.x", "direct", 0, {})
    raw.call(1, "queue.delete", 0, "mine.a", 0)
    raw.call(1, "exchange.delete", 0, "mine.x", 0)


@case
def write(t):
    owner, raw, name = t.channel(), t.channel("few"), t.name("x")
    owner.call(1, "exchange.declare", 0, name, "fanout", 0, {})
    raw.publish(1, name, "", b"x")
    refused(raw, "write", "exchange", name, PUBLISH)
    # The right to write is asked first: a missing exchange is not told from a forbidden one.
    raw.publish(1, name + ".ghost", "", b"x")
    refused(raw, "write", "exchange", name + ".ghost", PUBLISH)
    owner.call(1, "exchange.delete", 0, name, 0)
    queue = t.queue(owner)
    raw.publish(1, "", queue, b"through the default exchange")
    raw.call(1, "confirm.select", 0)
    raw.publish(1, "", queue, b"and again")
    raw.expect("basic.ack")
    owner.call(1, "queue.delete", 0, queue, 0)


@case
def write_to_the_default_exchange(t):
    raw = t.channel("none")
    raw.publish(1, "", "anything", b"x")
    refused(raw, "write", "exchange", "amq.default", PUBLISH, user="none")


@case
def read(t):
    owner, raw = t.channel(), t.channel("few")
    name = t.queue(owner)
    for method, class_method in ((("basic.get", 0, name, 1), GET), (("basic.consume", 0, name, "", 0, {}), CONSUME),
                                 (("queue.purge", 0, name, 0), PURGE_Q),
                                 (("basic.get", 0, name + ".ghost", 1), GET)):
        raw.method(1, *method)
        refused(raw, "read", "queue", method[2], class_method)
    owner.call(1, "queue.delete", 0, name, 0)
    raw.call(1, "queue.declare", 0, "mine.r", 0, {})
    raw.call(1, "basic.consume", 0, "mine.r", "c", 0, {})
    raw.call(1, "queue.purge", 0, "mine.r", 0)
    raw.call(1, "basic.cancel", "c", 0)
    raw.call(1, "queue.delete", 0, "mine.r", 0)


@case
def bindings(t):
    owner, raw = t.channel(), t.channel("few")
    other = t.queue(owner)
    raw.call(1, "queue.declare", 0, "mine.b", 0, {})
    for name in ("in", "out"):
        owner.call(1, "exchange.declare", 0, name, "fanout", 0, {})
    raw.method(1, "queue.bind", 0, "mine.b", "out", "", 0, {})
    refused(raw, "read", "exchange", "out", BIND_Q)
    raw.method(1, "queue.unbind", 0, "mine.b", "out", "", {})
    refused(raw, "read", "exchange", "out", UNBIND_Q)
    raw.method(1, "queue.bind", 0, other, "in", "", 0, {})
    refused(raw, "write", "queue", other, BIND_Q)
    raw.method(1, "exchange.bind", 0, "in", "in", "", 0, {})
    refused(raw, "write", "exchange", "in", BIND_X)
    raw.method(1, "exchange.bind", 0, "out", "out", "", 0, {})
    refused(raw, "read", "exchange", "out", BIND_X)
    raw.method(1, "exchange.unbind", 0, "out", "out", "", 0, {})
    refused(raw, "read", "exchange", "out", UNBIND_X)
    raw.call(1, "queue.bind", 0, "mine.b", "in", "", 0, {})
    raw.call(1, "exchange.bind", 0, "out", "in", "", 0, {})
    owner.publish(1, "in", "", b"through")
    equal(get_body(raw, "mine.b"), b"through")
    raw.call(1, "queue.delete", 0, "mine.b", 0)
    for method, name in (("queue.delete", other), ("exchange.delete", "in"), ("exchange.delete", "out")):
        owner.call(1, method, 0, name, 0)


@case
def dead_letter_exchange(t):
    """Declaring where dead messages go needs read on the queue and write on that exchange."""
    raw = t.channel("few")
    raw.method(1, "queue.declare", 0, "mine.d", 0, {"x-dead-letter-exchange": "amq.fanout"})
    refused(raw, "write", "exchange", "amq.fanout", DECLARE_Q)
    raw.call(1, "queue.declare", 0, "mine.d", 0, {"x-dead-letter-exchange": "out"})
    raw.call(1, "queue.delete", 0, "mine.d", 0)
    raw.call(1, "queue.declare", 0, "mine.d", 0, {"x-dead-letter-exchange": ""})
    raw.call(1, "queue.delete", 0, "mine.d", 0)


@case
def alternate_exchange(t):
    raw = t.channel("few")
    raw.method(1, "exchange.declare", 0, "mine.ae", "direct", 0, {"alternate-exchange": "amq.fanout"})
    refused(raw, "write", "exchange", "amq.fanout", DECLARE_X)
    raw.call(1, "exchange.declare", 0, "mine.ae", "direct", 0, {"alternate-exchange": "out"})
    raw.call(1, "exchange.delete", 0, "mine.ae", 0)


@case
def server_named_queues_have_their_own_name(t):
    raw = t.channel("few")
    name = raw.call(1, "queue.declare", 0, "", 4, {}).args[0]
    assert name.startswith("amq.gen-"), name
    raw.publish(1, "", name, b"x")
    equal(get_body(raw, name), b"x")
    nobody = t.channel("none")
    nobody.method(1, "queue.declare", 0, "", 4, {})
    code, text, *class_method = close_of(nobody.next_method(), "soft")
    equal((code, class_method), (403, [50, 10]))
    matches(text, r"^ACCESS_REFUSED - (configure )?access to queue 'amq\.gen-[^']+' in vhost '/' refused for user 'none'")


@case
@only("wharf", "RabbitMQ lets everybody ask until 4.2.9")
def passive_declares_need_any_right(t):
    owner, raw = t.channel(), t.channel("few")
    name = t.queue(owner)
    raw.method(1, "queue.declare", 0, name, 1, {})
    refused(raw, "configure", "queue", name, DECLARE_Q)
    raw.method(1, "exchange.declare", 0, "amq.fanout", "fanout", 1, {})
    refused(raw, "configure", "exchange", "amq.fanout", DECLARE_X)
    raw.method(1, "exchange.declare", 0, "in", "fanout", 1, {})
    equal(close_of(raw.next_method(), "soft")[0], 404)
    owner.call(1, "queue.delete", 0, name, 0)


@case
def rights_are_asked_before_arguments(t):
    raw, name = t.channel("few"), t.name()
    raw.method(1, "queue.declare", 0, name, 0, {"x-message-ttl": -1})
    refused(raw, "configure", "queue", name, DECLARE_Q)
    raw.method(1, "exchange.declare", 0, name, "direct", 0, {"alternate-exchange": 5})
    refused(raw, "configure", "exchange", name, DECLARE_X)


@case
def user_id(t):
    raw, speaker = t.channel("few"), t.channel("speaker")
    name = t.queue(speaker)
    speaker.publish(1, "", name, b"x", user_id="anybody at all")
    equal(get_one(speaker, name).properties["user_id"], "anybody at all")
    raw.publish(1, "", name, b"x", user_id="few")
    equal(get_body(speaker, name), b"x")
    raw.publish(1, "", name, b"x", user_id="guest")
    code, text, *class_method = close_of(raw.next_method(), "soft")
    equal((code, class_method), (406, [60, 40]))
    matches(text, re.escape("user_id property set to 'guest' but authenticated user was 'few'"))
    speaker.call(1, "queue.delete", 0, name, 0)


@case
def replies_need_the_default_exchange(t):
    """The pseudo queue itself is free to all, answering through the default exchange is not."""
    asker, answerer = t.channel("few"), t.channel("none")
    asker.call(1, "basic.consume", 0, "amq.rabbitmq.reply-to", "", 2, {})
    asker.call(1, "queue.declare", 0, "mine.rpc", 0, {})
    asker.publish(1, "", "mine.rpc", b"?", reply_to="amq.rabbitmq.reply-to")
    to = get_one(asker, "mine.rpc").properties["reply_to"]
    answerer.publish(1, "", to, b"!")
    refused(answerer, "write", "exchange", "amq.default", PUBLISH, user="none")
    asker.publish(1, "", to, b"own answer")
    equal(asker.content("basic.deliver").body, b"own answer")
    asker.call(1, "queue.delete", 0, "mine.rpc", 0)


@case
def update_secret_keeps_the_connection(t):
    raw = t.channel("few")
    raw.method(0, "connection.update-secret", b"anything", "because")
    got = raw.next_method()
    # RabbitMQ checks the new secret with the user's backend; passwords cannot be renewed there.
    assert got.name == "connection.update-secret-ok" or t.server == "rabbitmq", got
