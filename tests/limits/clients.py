"""Clients that do not keep up with what they asked for."""

import select
import socket
import time

from wire import BODY, DURABLE, HEAD, Closed, Raw, frame, method_frame, readable
from fields import content_header
from rig import MIB, Broker, Bystander, case, wait_for_confirms

MEMORY = {"broker": {"memory_bytes_max": 64 * MIB}, "storage": {"free_bytes_min": 0}}
# Messages in memory by that setting, output and input of the few connections, and the program itself.
RESIDENT_MAX = 64 + 96


def message(key, body, mode, mandatory=0):
    return (method_frame(1, "basic.publish", 0, "", key, mandatory) + frame(HEAD, 1, content_header(
        len(body), delivery_mode=mode)) + frame(BODY, 1, body))


def fill(broker, queue, count, size, mode):
    """Publishes with confirms, some hundred at a time."""
    one, step = message(queue, bytes(size), mode), max(1, min(500, MIB // size))
    with broker.login(timeout=60) as raw:
        raw.open(1)
        raw.call(1, "confirm.select", 0)
        for first in range(0, count, step):
            now = min(step, count - first)
            raw.send(one * now)
            wait_for_confirms(raw, set(range(first + 1, first + now + 1)))


def declare(broker, *queues, flags=DURABLE):
    with broker.login() as raw:
        raw.open(1)
        for queue in queues:
            raw.call(1, "queue.declare", 0, queue, flags, {})


class Greedy:
    """A consumer that reads all and acknowledges nothing, in the rig's own process, between other steps."""

    def __init__(self, broker, queue):
        self.raw = broker.login()
        self.raw.open(1)
        self.raw.call(1, "basic.consume", 0, queue, "greedy", 0, {})
        self.bytes, self.raw.inbox = len(self.raw.inbox), b""

    def read_on(self, seconds):
        while readable(self.raw.sock, seconds):
            self.bytes += len(self.raw.sock.recv(MIB))


def never_acks(rig, mode, size, count):
    with Broker(rig, MEMORY) as broker, Bystander(broker):
        declare(broker, "unacked")
        greedy = Greedy(broker, "unacked")
        broker.forget_peak()
        for _ in range(10):
            fill(broker, "unacked", count // 10, size, mode)
            greedy.read_on(0.2)
        greedy.read_on(1)
        rig.check(greedy.bytes > count * size, f"it was handed {greedy.bytes} bytes only")
        rig.limit("most resident", broker.peak() / MIB, "MiB", RESIDENT_MAX + count * 256 / MIB)
        greedy.raw.sock.close()
        began = time.monotonic()
        while broker.ready("unacked") < count and time.monotonic() - began < 30:
            time.sleep(0.05)
        rig.check(broker.ready("unacked") == count, f"{broker.ready('unacked')} of {count} came back")
        rig.limit("time until all were back", time.monotonic() - began, "s", 10)
        rig.limit("most resident then", broker.peak() / MIB, "MiB", RESIDENT_MAX + count * 256 / MIB)


@case
def never_acks_small(rig):
    """A consumer without a prefetch limit takes small messages and never acknowledges."""
    never_acks(rig, 2, 100, rig.size(50_000, 1_000_000))


@case
def never_acks_large(rig):
    """The same with large persistent messages, many times what may be in memory."""
    never_acks(rig, 2, 64 * 1024, rig.size(3000, 16_000))


@case
def never_acks_transient(rig):
    """The same with transient messages."""
    never_acks(rig, 1, 64 * 1024, rig.size(3000, 16_000))


@case
def never_reads_deliveries(rig):
    """A consumer without acknowledgements stops reading; its queue grows on disk, not in memory."""
    size, count = 16 * 1024, rig.size(10_000, 64_000)
    with Broker(rig, MEMORY) as broker, Bystander(broker):
        declare(broker, "unread")
        raw = broker.login()
        raw.open(1)
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.call(1, "basic.consume", 0, "unread", "", 2, {})
        broker.forget_peak()
        fill(broker, "unread", count, size, 2)
        rig.limit("most resident", broker.peak() / MIB, "MiB", RESIDENT_MAX)
        gone = count - broker.ready("unread")
        rig.limit("taken from the queue for it", gone * size / MIB, "MiB", 40)
        raw.sock.close()


def flood(broker, raw, unit, most, seconds=5):
    """Sends `unit` again and again and reads nothing, until the broker takes no more; returns the bytes it took."""
    raw.sock.setblocking(False)
    chunk, sent, until = unit * max(1, 65536 // len(unit)), 0, time.monotonic() + seconds
    at = 0
    while sent < most and time.monotonic() < until:
        if not select.select([], [raw.sock], [], 1)[1]:
            break
        try:
            at += (done := raw.sock.send(chunk[at:]))
        except (BlockingIOError, InterruptedError):
            continue
        sent += done
        at %= len(chunk)
        if done:
            until = time.monotonic() + seconds
    return sent


def never_reads(rig, unit, prepare=lambda raw: None):
    most = rig.size(100, 1000) * MIB
    with Broker(rig, MEMORY) as broker, Bystander(broker):
        declare(broker, "q")
        raw = Raw(broker.url, timeout=30)
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.login().open(1)
        prepare(raw)
        broker.forget_peak()
        sent = flood(broker, raw, unit, most)
        rig.note(f"{sent / MIB:.1f} MiB were taken from it")
        rig.limit("most resident", broker.peak() / MIB, "MiB", RESIDENT_MAX)
        raw.sock.close()


@case
def never_reads_confirms(rig):
    """A publisher that never reads its confirms."""
    never_reads(rig, message("q", b"x", 1), lambda raw: raw.call(1, "confirm.select", 0))


@case
def never_reads_returns(rig):
    """A publisher that never reads what is returned to it: large messages that nobody takes."""
    never_reads(rig, message("nowhere", bytes(100_000), 1, mandatory=1))


@case
def never_reads_answers(rig):
    """A client that asks and never reads the answers, each longer than its question."""
    def prepare(raw):
        raw.call(1, "confirm.select", 0)
        for _ in range(2000):
            raw.publish(1, "", "q", bytes(50_000), delivery_mode=2)
        while not raw.silent(0.2):
            pass
    never_reads(rig, method_frame(1, "basic.get", 0, "q", 0), prepare)


@case
def half_messages(rig):
    """Many messages that are announced large and never completed."""
    count = rig.size(100, 1500)
    with Broker(rig, MEMORY) as broker, Bystander(broker):
        raw = broker.login()
        broker.forget_peak()
        for channel in range(1, count + 1):
            raw.open(channel)
            raw.send(method_frame(channel, "basic.publish", 0, "", "q", 0) +
                     frame(HEAD, channel, content_header(16 * MIB)) + frame(BODY, channel, b"begun"))
        raw.call(count + 1, "channel.open", "")
        rig.limit("most resident", broker.peak() / MIB, "MiB", RESIDENT_MAX)
        raw.sock.close()


@case
def hostile_credit(rig):
    """Ten thousand consumers on one connection, and none of them is served by the others' hunger."""
    count = rig.size(500, 10_000)
    with Broker(rig, MEMORY) as broker, Bystander(broker):
        declare(broker, "crowd")
        raw = broker.login()
        raw.open(1)
        before = broker.resident()
        for first in range(0, count, 100):
            raw.send(b"".join(method_frame(1, "basic.consume", 0, "crowd", f"c{first + number}", 0, {})
                              for number in range(100)))
            for _ in range(100):
                raw.expect("basic.consume-ok", 1)
        rig.limit("a consumer", (broker.resident() - before) / count / 1024, "KiB", 4)
        fill(broker, "crowd", count, 100, 2)
        try:
            got = {raw.content("basic.deliver").method.args[0] for _ in range(count)}
        except Closed:
            got = set()
        rig.check(len(got) == count, f"only {len(got)} of {count} consumers had one")
        raw.sock.close()
