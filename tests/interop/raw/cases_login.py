"""From the first byte to open-ok."""

import time

from wire import BODY, HEADER, Closed, close_of, frame, method_frame
from context import expect_hard, still_serving
from fields import Tagged, table
from harness import Skip, case, equal, matches, only


@case
def start_frame(t):
    raw = t.connect()
    start = raw.start()
    equal(start.args[:2], [0, 9], "version")
    mechanisms, locales = start.args[3].split(), start.args[4].split()
    assert "PLAIN" in mechanisms and "AMQPLAIN" in mechanisms, mechanisms
    assert "en_US" in locales, locales
    letters = {key: value.letter for key, value in start.args[2].items()}
    equal(letters.pop("capabilities"), "F")
    equal(set(letters.values()), {"S"}, "letters of server-properties")
    for key in ("product", "version", "platform", "copyright", "information", "cluster_name"):
        assert key in letters, key
    equal(raw.server_properties["product"], "RabbitMQ")
    matches(raw.server_properties["version"], t.by_name(rabbitmq=r"^3\.10\.\d+$", wharf=r"^4\.\d+\.\d+",
                                                         why="the version each reports"))
    equal(list(start.args[2]), sorted(start.args[2]), "order of server-properties")


@case
def capabilities(t):
    raw = t.connect()
    raw.start()
    offered = raw.server_properties["capabilities"]
    for name in ("publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
                 "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
                 "direct_reply_to"):
        equal(offered.get(name), True, name)


@case
def tune_values(t):
    raw = t.login()
    equal(raw.tune, (2047, 131072, 60), "channel_max, frame_max, heartbeat")


def refused_header(t, header):
    """Sends eight bytes that are no welcome; returns what comes back before the end of the stream."""
    raw = t.connect()
    raw.send(header)
    answer = raw.read(8, time.monotonic() + 5)
    assert raw.closed_by_peer(5), "socket left open"
    return answer


@case
def header_garbage(t):
    for header in (b"GET / HT", b"HELLO\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"):
        answer = refused_header(t, header)
        wanted = t.by_name(rabbitmq=[HEADER], wharf=[HEADER, b"AMQP\x03\x01\x00\x00"],
                           why="4.0 answers with AMQP 1.0 when it speaks it")
        assert answer in wanted, (header, answer)
    still_serving(t.login())


@case
@only("wharf", "3.10 still greets 0-8 clients")
def header_version_0_8(t):
    assert refused_header(t, b"AMQP\x01\x01\x08\x00")[:4] == b"AMQP"


@case
def header_version_0_9(t):
    raw = t.connect()
    raw.send(b"AMQP\x01\x01\x00\x09")
    raw.expect("connection.start", 0)


@case
def header_higher_minor(t):
    equal(refused_header(t, b"AMQP\x00\x00\x0a\x00"), HEADER)


@case
def header_in_pieces(t):
    raw = t.connect()
    for octet in HEADER:
        raw.send(bytes([octet]))
        time.sleep(0.01)
    raw.expect("connection.start", 0)


@case
def silent_probe(t):
    for _ in range(5):
        t.connect().sock.close()
    still_serving(t.login())


@case
def login_amqplain(t):
    raw = t.connect()
    user = {"LOGIN": raw.url.user, "PASSWORD": raw.url.password}
    still_serving(raw.login(mechanism="AMQPLAIN", response=table(user)[4:]))


@case
def bad_password_with_capability(t):
    raw = t.connect()
    raw.start()
    raw.start_ok(response=b"\0guest\0wrong")
    equal(close_of(raw.next_method(), "hard"),
          (403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
                "For details see the broker logfile.", 0, 0))


@case
def bad_password_without_capability(t):
    raw = t.connect()
    raw.start()
    raw.start_ok(response=b"\0guest\0wrong", capabilities={})
    assert raw.silent(1), "the server spoke"
    assert raw.closed_by_peer(8), "socket left open"


@case
def unknown_user(t):
    raw = t.connect()
    raw.start()
    raw.start_ok(response=b"\0nobody-here\0x")
    equal(close_of(raw.next_method(), "hard")[0], 403)


@case
def unknown_mechanism(t):
    """RabbitMQ waits 3 s and drops the socket without a word; a close frame is as good."""
    raw = t.connect()
    raw.start()
    raw.start_ok(mechanism="NONSENSE")
    assert raw.closed_by_peer(10), "socket left open"


@case
def pipelined_tune_ok_and_open(t):
    raw = t.connect()
    raw.start()
    raw.start_ok()
    raw.expect("connection.tune", 0)
    raw.send(method_frame(0, "connection.tune-ok", 2047, 131072, 0) + method_frame(0, "connection.open", "/", "", 0))
    equal(raw.expect("connection.open-ok", 0).args, [""])


def tuned(t, channel_max, frame_max):
    raw = t.connect()
    raw.start()
    raw.start_ok()
    raw.expect("connection.tune", 0)
    # No open after it: RabbitMQ closes the socket behind its close frame, and unread bytes would turn that into a reset.
    raw.method(0, "connection.tune-ok", channel_max, frame_max, 0)
    return raw


def refused_tune(t, channel_max, frame_max, text):
    raw = tuned(t, channel_max, frame_max)
    if t.server == "rabbitmq":  # 3.10 waits 3 s and drops the socket; saying why helps more
        assert raw.closed_by_peer(8), "socket left open"
        return
    code, got, *_ = close_of(raw.next_method(), "hard")
    equal(code, 530)
    matches(got, "^NOT_ALLOWED - negotiated " + text)


@case
def tune_frame_max_too_small(t):
    refused_tune(t, 2047, 2048, r"frame_max = 2048 is lower than the minimum allowed value \(\d+\)$")


@case
def tune_frame_max_too_large(t):
    refused_tune(t, 2047, 131073, r"frame_max = 131073 is higher than the maximum allowed value \(131072\)$")


@case
def tune_frame_max_zero(t):
    refused_tune(t, 2047, 0, "frame_max = 0 is higher than the maximum allowed value")


@case
def tune_channel_max_too_large(t):
    refused_tune(t, 2048, 131072, r"channel_max = 2048 is higher than the maximum allowed value \(2047\)$")


@case
def tune_smallest_frame_max(t):
    """Old amqplib and others ask for 4096, below the floor of 4.1; every server here takes it."""
    raw = t.login(frame_max=4096)
    raw.open(1)
    name = t.queue(raw)
    body = bytes(range(256)) * 64
    raw.publish(1, "", name, body, frame_max=4096)
    raw.method(1, "basic.get", 0, name, 1)
    raw.expect("basic.get-ok")
    raw.frame()
    sizes = []
    while sum(sizes) < len(body):
        kind, _, payload = raw.frame()
        equal(kind, BODY)
        sizes.append(len(payload))
    equal(max(sizes), 4096 - 8, "largest body frame")


@case
def missing_vhost(t):
    raw = t.connect()
    raw.start()
    raw.start_ok()
    raw.expect("connection.tune")
    raw.method(0, "connection.tune-ok", 2047, 131072, 0)
    raw.method(0, "connection.open", "no-such-vhost", "", 0)
    expect_hard(raw, 530, "^NOT_ALLOWED - vhost no-such-vhost not found$", (10, 40))


@case
def frame_before_login_too_large(t):
    raw = t.connect()
    raw.start()
    raw.send(b"\x01\x00\x00" + (64 << 20).to_bytes(4, "big") + b"x" * 1000)
    assert raw.closed_by_peer(10), "socket left open"
    still_serving(t.login())


@case
def large_start_ok(t):
    if t.server == "rabbitmq":
        raise Skip("3.10 limits frames before tune to 4096; tokens need 16 KiB")
    still_serving(t.connect().login(properties={"token": "x" * 15000}))


@case
def frames_on_channel_before_open(t):
    raw = t.connect()
    raw.start()
    raw.method(1, "channel.open", "")
    assert raw.closed_by_peer(10), "socket left open"


@case
def method_of_wrong_state(t):
    raw = t.connect()
    raw.start()
    raw.method(0, "connection.open", "/", "", 0)
    assert raw.closed_by_peer(10), "socket left open"


@case
def malformed_start_ok(t):
    raw = t.connect()
    raw.start()
    raw.send(frame(1, 0, b"\x00\x0a\x00\x0b\xff\xff\xff\xff"))
    assert raw.closed_by_peer(10), "socket left open"
    still_serving(t.login())


@case
def client_properties_of_any_type(t):
    still_serving(t.login(properties={"n": 1, "big": 2**40, "flag": True, "list": [1, "two", {"three": 3.0}],
                                      "void": None, "bytes": b"\0\xff", "t": Tagged("T", 1), "short": Tagged("s", -2)}))


@case
def close_handshake(t):
    raw = t.channel()
    raw.call(0, "connection.close", 200, "bye", 0, 0)
    # Clients such as Bunny wait for our end of the stream, others close first: both must do.
    raw.sock.shutdown(1)
    assert raw.closed_by_peer(10), "socket left open"


@case
def exclusive_queue_gone_before_close_ok(t):
    name = t.name()
    other = t.channel()
    raw = t.channel()
    raw.call(1, "queue.declare", 0, name, 4, {})
    raw.call(0, "connection.close", 200, "bye", 0, 0)
    other.method(1, "queue.declare", 0, name, 1, {})
    equal(close_of(other.next_method(), "soft")[0], 404)


@case
@only("wharf", "AMQP 1.0 headers are refused or served by a later protocol, not by 3.10's core")
def header_amqp_1_0(t):
    raw = t.connect()
    raw.send(b"AMQP\x03\x01\x00\x00")
    try:
        assert raw.read(4, time.monotonic() + 5) == b"AMQP"
    except Closed:
        pass
    still_serving(t.login())
