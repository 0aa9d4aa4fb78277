"""Malformed input at every state of a connection."""

import random
import struct
import time

from wire import BODY, HEAD, HEADER, HEARTBEAT, METHOD, Closed, Raw, frame, method_frame
from connections import allow_descriptors, calm, reset
from fields import content_header
from rig import MIB, Broker, Bystander, case


# ---- states: each takes a fresh connection as far as its name says

def before_the_header(raw):
    return raw


def after_the_header(raw):
    raw.start()
    return raw


def tuning(raw):
    raw.start()
    raw.start_ok()
    raw.expect("connection.tune", 0)
    return raw


def opening(raw):
    tuning(raw).method(0, "connection.tune-ok", 2047, 131072, 0)
    return raw


def logged_in(raw):
    return raw.login()


def with_a_channel(raw):
    raw.login().open(1)
    return raw


def before_a_content_header(raw):
    with_a_channel(raw).method(1, "basic.publish", 0, "", "nowhere", 0)
    return raw


def before_a_body(raw):
    before_a_content_header(raw).send(frame(HEAD, 1, content_header(1000)))
    return raw


def inside_a_body(raw):
    before_a_body(raw).send(frame(BODY, 1, bytes(400)))
    return raw


def in_a_transaction(raw):
    with_a_channel(raw).call(1, "tx.select")
    raw.publish(1, "", "nowhere", bytes(100))
    return raw


def after_a_channel_error(raw):
    with_a_channel(raw).method(1, "queue.declare", 0, "no such queue", 1, {})
    raw.expect("channel.close", 1)
    return raw


def after_a_connection_error(raw):
    logged_in(raw).send(frame(BODY, 0, b""))
    raw.expect("connection.close", 0)
    return raw


def after_closing(raw):
    logged_in(raw).call(0, "connection.close", 200, "", 0, 0)
    return raw


RUNNING = (logged_in, with_a_channel, before_a_content_header, before_a_body, inside_a_body, in_a_transaction)
BEFORE = (before_the_header, after_the_header, tuning, opening)
DISCARDING = (after_a_channel_error, after_a_connection_error, after_closing)

# ---- garbage; these end a connection in every state that still looks at its input

def nested(depth):
    table = b""
    for _ in range(depth):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    return struct.pack(">I", len(table)) + table


def declare_with(table):
    return frame(METHOD, 1, struct.pack(">HHH", 50, 10, 0) + b"\x01q\x00" + table)


FATAL = {
    "noise": b"\xde\xad\xbe\xef" * 64,
    "an http request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a wrong end octet": frame(METHOD, 1, bytes(8), end=0),
    "a frame of 4 GiB": struct.pack(">BHI", METHOD, 1, 0xFFFFFFFF) + bytes(64),
    "a frame above frame_max": struct.pack(">BHI", METHOD, 1, 200_000) + bytes(64),
    "an unknown frame type": frame(9, 1, bytes(8)),
    "an empty method": frame(METHOD, 1, b""),
    "half a method id": frame(METHOD, 1, b"\x00"),
    "an unknown class": frame(METHOD, 1, struct.pack(">HH", 999, 10)),
    "an unknown method": frame(METHOD, 1, struct.pack(">HH", 60, 999)),
    "a channel method on channel 0": method_frame(0, "basic.ack", 1, 0),
    "a header on channel 0": frame(HEAD, 0, content_header(5)),
    "a body on channel 0": frame(BODY, 0, b"12345"),
    "a heartbeat on channel 1": frame(HEARTBEAT, 1, b""),
    "a channel that was never opened": method_frame(7, "basic.get", 0, "q", 0),
    "arguments cut short": frame(METHOD, 1, struct.pack(">HH", 50, 10) + b"\x00\x00\xff"),
    "a table of 4 GiB": declare_with(b"\xff\xff\xff\xff"),
    "a table nested 9000 deep": declare_with(nested(9000)),
    "an array of 2 GiB": declare_with(b"\x00\x00\x00\x07\x01aA\x7f\xff\xff\xff"),
    "a header of half a content": frame(HEAD, 1, struct.pack(">HHQ", 60, 0, 10)),
    "a content of 2^63 octets": method_frame(1, "basic.publish", 0, "", "q", 0) +
                                frame(HEAD, 1, struct.pack(">HHQH", 60, 0, 1 << 63, 0)),
    "a header of another class": method_frame(1, "basic.publish", 0, "", "q", 0) +
                                 frame(HEAD, 1, struct.pack(">HHQH", 50, 0, 5, 0)),
    "a body longer than announced": method_frame(1, "basic.publish", 0, "", "q", 0) +
                                    frame(HEAD, 1, content_header(3)) + frame(BODY, 1, b"12345"),
    "property flags that lie": method_frame(1, "basic.publish", 0, "", "q", 0) +
                               frame(HEAD, 1, struct.pack(">HHQH", 60, 0, 0, 0xFFFC)),
    "two contents in one": method_frame(1, "basic.publish", 0, "", "q", 0) * 2,
}


def bring(broker, state):
    return state(Raw(broker.url, timeout=20))


def send(raw, garbage):
    try:
        raw.send(garbage)
    except Closed:
        pass  # it was quicker


@case
def malformed(rig):
    """Each kind of malformed input at each state: the connection ends, another one works on."""
    allow_descriptors()
    settings = {"amqp": {"handshake_timeout_s": 3}}
    with Broker(rig, settings) as broker, Bystander(broker):
        quiet, before = broker.connections(), broker.resident()
        opened, of = [], {}
        for state in BEFORE + RUNNING:
            for name, garbage in FATAL.items():
                raw = bring(broker, state)
                send(raw, garbage)
                of[raw.sock] = f"{name}, {state.__name__.replace('_', ' ')}"
                opened.append(raw.sock)
        # An error that the peer does not confirm is waited for: the breach itself must be told at once.
        done = set(told_or_ended(opened, 8))
        for sock in opened:
            if sock not in done:
                rig.fail(f"goes unpunished: {of[sock]}")
            reset(sock)
        rig.note(f"{len(opened)} breaches at {len(BEFORE + RUNNING)} states")
        aftermath(rig, broker, quiet, before)


def told_or_ended(opened, seconds):
    """Those that got a connection.close (10, 50), or an end, or an answer that is no AMQP frame."""
    until, left, done = time.monotonic() + seconds, list(opened), []
    while left and time.monotonic() < until:
        for sock in list(left):
            sock.settimeout(0.001)
            try:
                data = sock.recv(65536)
            except TimeoutError:
                continue
            except ConnectionResetError:
                data = b""
            if not data or struct.pack(">HH", 10, 50) in data:
                left.remove(sock)
                done.append(sock)
    return done


@case
def malformed_behind_the_end(rig):
    """Garbage behind an error or a close is dropped, and held against nobody."""
    with Broker(rig) as broker, Bystander(broker):
        quiet, before = broker.connections(), broker.resident()
        socks = []
        for state in DISCARDING:
            for garbage in FATAL.values():
                raw = bring(broker, state)
                send(raw, garbage)
                send(raw, garbage)
                socks.append(raw.sock)
        for sock in socks:
            reset(sock)
        aftermath(rig, broker, quiet, before)


@case
def torn(rig):
    """Connections that end in the middle of a frame, at every state and every octet of it."""
    whole = frame(METHOD, 1, struct.pack(">HHH", 50, 10, 0) + b"\x04torn\x00" + struct.pack(">I", 0))
    step = rig.size(3, 1)
    with Broker(rig) as broker, Bystander(broker):
        quiet, before, count = broker.connections(), broker.resident(), 0
        for state in BEFORE + RUNNING + DISCARDING:
            for size in range(1, len(whole), step):
                raw = bring(broker, state)
                send(raw, (HEADER if state is before_the_header else whole)[:size])
                (reset if count % 2 else type(raw.sock).close)(raw.sock)
                count += 1
        rig.note(f"{count} connections")
        aftermath(rig, broker, quiet, before)


@case
def mutated(rig):
    """A sound conversation with octets changed, cut out, doubled or inserted, from a seed."""
    chance = random.Random(4711)
    sound = (method_frame(1, "channel.open", "")
             + method_frame(1, "queue.declare", 0, "mutated", 0, {"x-max-length": 10})
             + method_frame(1, "basic.qos", 0, 5, 0) + method_frame(1, "basic.consume", 0, "mutated", "t", 0, {})
             + method_frame(1, "basic.publish", 0, "", "mutated", 1) + frame(HEAD, 1, content_header(5, priority=3))
             + frame(BODY, 1, b"hello") + method_frame(1, "basic.ack", 1, 0) + method_frame(1, "confirm.select", 0)
             + method_frame(1, "channel.close", 0, "", 0, 0) + method_frame(0, "connection.close", 0, "", 0, 0))
    with Broker(rig) as broker, Bystander(broker):
        quiet, before, count = broker.connections(), broker.resident(), rig.size(1000, 10_000)
        for _ in range(count):
            raw = bring(broker, logged_in)
            bad = bytearray(sound)
            for _ in range(chance.randint(1, 4)):
                mutate(bad, chance)
            send(raw, bytes(bad))
            raw.sock.settimeout(0.002)
            try:
                raw.sock.recv(65536)
            except OSError:
                pass
            reset(raw.sock)
        aftermath(rig, broker, quiet, before)


def mutate(data, chance):
    at = chance.randrange(len(data))
    kind = chance.randrange(4)
    if kind == 0:
        data[at] = chance.randrange(256)
    elif kind == 1:
        del data[at:at + chance.randint(1, 8)]
    elif kind == 2:
        data[at:at] = data[at:at + chance.randint(1, 64)]
    else:
        data[at:at] = chance.randbytes(chance.randint(1, 8))


def aftermath(rig, broker, quiet, before):
    rig.check(calm(broker, quiet), f"{broker.connections() - quiet} connections are left behind")
    rig.limit("memory left behind", (broker.resident() - before) / MIB, "MiB", 20)
