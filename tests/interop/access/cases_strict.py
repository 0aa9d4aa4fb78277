"""Limits that must be configured low to be met: consumers of a channel, the time to acknowledge, the disk."""

import time

from wire import Closed, close_of
from harness import case, equal, matches, only
from servers import ACK_TIMEOUT_S, CONSUMERS_MAX


@case
@only("wharf", "a setting of Wharf")
def product_and_version_as_configured(t):
    raw = t.connect(t.at("strict").url())
    raw.start()
    equal((raw.server_properties["product"], raw.server_properties["version"]), ("Harbour", "3.12.1"))


@case
@only("wharf", "3.10 has no such limit")
def consumers_of_a_channel(t):
    raw = t.channel(server="strict")
    name = t.queue(raw)
    for number in range(CONSUMERS_MAX):
        raw.call(1, "basic.consume", 0, name, f"c{number}", 0, {})
    raw.call(1, "basic.cancel", "c0", 0)
    raw.call(1, "basic.consume", 0, name, "again", 0, {})
    raw.method(1, "basic.consume", 0, name, "one-more", 0, {})
    equal(close_of(raw.next_method(), "hard"),
          (530, f"NOT_ALLOWED - reached maximum ({CONSUMERS_MAX}) of consumers per channel", 60, 20))


def held(t, raw, *bodies):
    name = t.queue(raw)
    for body in bodies:
        raw.publish(1, "", name, body)
    raw.call(1, "basic.consume", 0, name, "c", 0, {})
    return name, [raw.content("basic.deliver").method.args[1] for _ in bodies]


@case
def acknowledgement_too_late(t):
    raw, other = t.channel(server="strict"), t.channel(server="strict")
    name, _ = held(t, raw, b"late")
    got = raw.next_method(ACK_TIMEOUT_S * 3 + 2)
    code, text, class_id, method_id = close_of(got, "soft")
    equal((code, class_id, method_id), (406, 0, 0))
    matches(text, rf"^PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out\. "
                  rf"Timeout value used: {ACK_TIMEOUT_S * 1000} ms\. This timeout value can be configured")
    raw.method(1, "channel.close-ok")
    other.method(1, "basic.get", 0, name, 1)
    again = other.content("basic.get-ok")
    equal((again.body, again.method.args[1]), (b"late", 1), "body and redelivered")
    raw.open(1)


@case
def acknowledgement_in_time(t):
    """A channel that always has something unacknowledged, but nothing for long."""
    raw = t.channel(server="strict")
    name, tags = held(t, raw, b"0", b"1")
    end = time.monotonic() + ACK_TIMEOUT_S * 2.5
    while time.monotonic() < end:
        time.sleep(ACK_TIMEOUT_S / 4)
        raw.publish(1, "", name, b"more")
        tags.append(raw.content("basic.deliver").method.args[1])
        raw.method(1, "basic.ack", tags.pop(0), 0)


@case
def stopping_server_says_so(t):
    """Clients that recover by themselves go by this code."""
    server = t.at("leaving")
    raw = t.channel(server="leaving")
    server.end()
    equal(close_of(raw.next_method(20), "hard"),
          (320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", 0, 0))
    try:
        raw.method(0, "connection.close-ok")
    except Closed:
        pass
    assert raw.closed_by_peer(20), "socket left open"


@case
def disk_alarm_blocks_publishers(t):
    server = t.at("full")
    capable, plain, consumer = t.channel(server="full"), t.connect(server.url()).login(capabilities={}), None
    plain.open(1)
    # Nothing is said to those who do not publish, and they work on.
    name = capable.call(1, "queue.declare", 0, "", 0, {}).args[0]
    consumer = t.channel(server="full")
    consumer.call(1, "basic.consume", 0, name, "c", 2, {})
    assert capable.silent(0.5), "told of an alarm before the first publish"
    capable.call(1, "confirm.select", 0)
    capable.publish(1, "", name, b"first")
    # The message that met the alarm may still be taken or must wait; the connection is held after it.
    got = capable.next_method()
    while got.name == "basic.ack":
        got = capable.next_method()
    equal((got.name, got.args), ("connection.blocked", ["low on disk"]))
    plain.publish(1, "", name, b"untold")
    plain.publish(1, "", name, b"held back")
    plain.method(1, "queue.declare", 0, "", 4, {})
    assert plain.silent(1), "a blocked connection was served"
    capable.publish(1, "", name, b"second")
    assert not any(body == b"second" for body in bodies_of(consumer)), "published while blocked"
    server.make_room()
    seen = set()
    while "connection.unblocked" not in seen:
        seen.add(capable.next_method(20).name)
    equal(plain.next_method(20).name, "queue.declare-ok")
    got = bodies_of(consumer)
    assert b"second" in got and b"held back" in got, got


def bodies_of(consumer, seconds=1.0):
    bodies = []
    try:
        while True:
            bodies.append(consumer.content("basic.deliver", timeout=seconds).body)
    except (TimeoutError, Closed):
        return bodies
