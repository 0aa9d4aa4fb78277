"""Order of frames clients rely on: return before confirm, consume-ok before deliver, cancel-ok after it."""

import time

from wire import EXCLUSIVE, HEARTBEAT, NOWAIT, Closed, frame
from harness import case, equal


@case
def return_precedes_the_confirm(t):
    raw = t.channel()
    raw.call(1, "confirm.select", 0)
    for number in range(1, 6):
        raw.publish(1, "", "no-such-queue-here", b"lost %d" % number, flags=1, message_id=str(number))
        back = raw.content("basic.return")
        equal(back.method.args, [312, "NO_ROUTE", "", "no-such-queue-here"])
        equal((back.body, back.properties["message_id"]), (b"lost %d" % number, str(number)))
        equal(raw.expect("basic.ack").args[0], number)


@case
def confirms_cover_every_number_once(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"before select, not counted")
    raw.call(1, "confirm.select", 0)
    for _ in range(300):
        raw.publish(1, "", name, b"x" * 50, delivery_mode=2)
    seen = set()
    while len(seen) < 300:
        tag, multiple = raw.expect("basic.ack").args
        new = {n for n in range(1, tag + 1) if n not in seen} if multiple else {tag}
        assert new and not new & seen, f"{tag} confirmed again"
        seen |= new
    equal(seen, set(range(1, 301)))
    assert raw.silent(0.2)


@case
def nack_by_reject_publish(t):
    raw = t.channel()
    name = t.queue(raw, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    raw.call(1, "confirm.select", 0)
    raw.publish(1, "", name, b"fits")
    equal(raw.expect("basic.ack").args[0], 1)
    raw.publish(1, "", name, b"too many")
    equal(raw.expect("basic.nack").args[0], 2)


@case
def confirm_of_the_slowest_queue(t):
    """One rejecting queue of two nacks the whole message; the other still gets it."""
    raw = t.channel()
    full = t.queue(raw, "full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    free = t.queue(raw, "free")
    for name in (full, free):
        raw.call(1, "queue.bind", 0, name, "amq.fanout", "", 0, {})
    raw.call(1, "confirm.select", 0)
    raw.publish(1, "amq.fanout", "", b"x")
    first = raw.next_method()
    if first.name == "basic.ack":  # classic queues take one message before the limit of 0 bites
        raw.publish(1, "amq.fanout", "", b"x")
        first = raw.next_method()
    equal(first.name, "basic.nack")


@case
def consume_ok_before_deliver_and_cancel_ok_last(t):
    raw = t.channel()
    name = t.queue(raw)
    for _ in range(50):
        raw.publish(1, "", name, b"x")
    raw.method(1, "basic.consume", 0, name, "c", 2, {})
    if t.server == "wharf":  # pipelined, this crashes the channel of 3.10 (541)
        raw.method(1, "basic.cancel", "c", 0)
    raw.expect("basic.consume-ok")
    if t.server == "rabbitmq":
        raw.method(1, "basic.cancel", "c", 0)
    while True:
        kind, _, payload = raw.frame()
        if kind == 1 and payload[:4] == b"\x00\x3c\x00\x1f":
            break
    assert raw.silent(0.3), "something came after cancel-ok"


@case
def server_named_consumer_and_queue(t):
    raw = t.channel()
    name = raw.call(1, "queue.declare", 0, "", EXCLUSIVE, {}).args[0]
    assert name.startswith("amq.gen-") and len(name) == 8 + 22, name
    tag = raw.call(1, "basic.consume", 0, "", "", 0, {}).args[0]
    assert tag.startswith("amq.ctag-") and len(tag) == 9 + 22, tag


@case
def zero_body_has_no_body_frame(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"")
    raw.method(1, "basic.get", 0, name, 1)
    raw.expect("basic.get-ok")
    equal(raw.frame()[0], 2)
    raw.call(1, "basic.qos", 0, 1, 0)


@case
def delivery_tags_are_shared_by_get_and_consume(t):
    raw = t.channel()
    name = t.queue(raw)
    for _ in range(4):
        raw.publish(1, "", name, b"x")
    tags = []
    for no_ack in (0, 1):
        raw.method(1, "basic.get", 0, name, no_ack)
        tags.append(raw.content("basic.get-ok").method.args[0])
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    tags += [raw.content("basic.deliver").method.args[1] for _ in range(2)]
    equal(tags, [1, 2, 3, 4])


@case
def nowait_gets_no_reply(t):
    raw, name = t.channel(), t.name()
    raw.method(1, "queue.declare", 0, name, 2 | NOWAIT, {})
    raw.method(1, "queue.bind", 0, name, "amq.direct", name, 1, {})
    raw.method(1, "confirm.select", 1)
    raw.method(1, "basic.consume", 0, name, "c", 8, {})
    raw.method(1, "basic.cancel", "c", 1)
    raw.method(1, "queue.purge", 0, name, 1)
    raw.call(1, "basic.qos", 0, 1, 0)
    raw.method(1, "queue.delete", 0, name, 4)
    raw.method(1, "queue.declare", 0, name, 1 | NOWAIT, {})
    equal(raw.expect("channel.close").args[0], 404)


@case
def cancel_notice_only_to_capable_clients(t):
    able, deaf = t.channel(), t.channel(capabilities={"consumer_cancel_notify": False})
    name = t.queue(able)
    able.call(1, "basic.consume", 0, name, "able", 0, {})
    deaf.call(1, "basic.consume", 0, name, "deaf", 0, {})
    t.channel().call(1, "queue.delete", 0, name, 0)
    equal(able.expect("basic.cancel").args, ["able", 1])
    assert deaf.silent(0.5)


@case
def delivered_messages_of_a_deleted_queue_can_be_acked(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"x")
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    raw.content("basic.deliver")
    t.channel().call(1, "queue.delete", 0, name, 0)
    raw.expect("basic.cancel")
    raw.method(1, "basic.ack", 1, 0)
    raw.call(1, "basic.qos", 0, 1, 0)


@case
def recover_answers_after_requeue(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"x")
    raw.method(1, "basic.get", 0, name, 0)
    raw.content("basic.get-ok")
    raw.call(1, "basic.recover", 1)
    raw.method(1, "basic.get", 0, name, 1)
    got = raw.content("basic.get-ok")
    equal(got.method.args[:2], [2, 1], "tag and redelivered")
    raw.method(1, "basic.recover-async", 1)
    raw.call(1, "basic.qos", 0, 1, 0)


@case
def server_sends_heartbeats(t):
    raw = t.login(heartbeat=2)
    kind, channel, payload = raw.frame(4)
    equal((kind, channel, payload), (HEARTBEAT, 0, b""))


@case
def server_notices_a_silent_client(t):
    raw = t.login(heartbeat=1)
    began = time.monotonic()
    assert raw.closed_by_peer(10), "still open after ten silent intervals"
    assert time.monotonic() - began >= 1.5, "gave up too early"


@case
def heartbeats_keep_a_client_alive(t):
    raw = t.login(heartbeat=1)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        raw.send(frame(HEARTBEAT, 0, b""))
        time.sleep(0.4)
    raw.open(1)


@case
def heartbeat_zero_means_none(t):
    raw = t.login(heartbeat=0)
    try:
        raw.frame(3)
        raise AssertionError("the server sent something")
    except TimeoutError:
        pass
    except Closed as error:
        raise AssertionError("the server closed") from error


@case
def line_ends_are_stripped_from_names(t):
    raw, name = t.channel(), t.name()
    equal(raw.call(1, "queue.declare", 0, name + "\r\n", 2, {}).args[0], name)
    raw.call(1, "queue.declare", 0, name, 2, {})


@case
def cancel_leaves_unacked_with_the_channel(t):
    raw, other = t.channel(), t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"x")
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    raw.content("basic.deliver")
    raw.call(1, "basic.cancel", "c", 0)
    equal(other.call(1, "queue.declare", 0, name, 1, {}).args[1:], [0, 0], "ready, consumers")
    raw.method(1, "basic.ack", 1, 0)
    raw.call(1, "channel.close", 200, "", 0, 0)
    equal(other.call(1, "queue.declare", 0, name, 1, {}).args[1], 0, "ready")


@case
def access_request(t):
    equal(t.channel().call(1, "access.request", "/data", 0x1C).args, [1])


@case
def update_secret(t):
    """RabbitMQ 3.10 has no way to refresh a password user and answers all the same."""
    raw = t.login()
    raw.call(0, "connection.update-secret", "whatever", "test")
    raw.open(1)
