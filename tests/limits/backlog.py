"""Much that stays: many queues, and one long queue; in memory, and over a kill -9."""

import os
import subprocess
import time

from wire import DURABLE, PASSIVE, Raw, method_frame
from clients import declare, message
from rig import MIB, Broker, case, wait_for_confirms


def revive(rig, broker, queue, limit):
    """Kills the broker, starts it again with its files out of the page cache, and measures until a client is logged in
    and has the first message of `queue`, which it returns. The message goes back."""
    broker.kill()
    forget_files(broker.data)
    began = time.monotonic()
    process = subprocess.Popen([broker.binary, "serve", "--data-dir", broker.data, "--redis-listen", "off",
                                "--nats-listen", "off", "--amqp-listen",
                                f"127.0.0.1:{broker.port}", "--log-level", "warn", *broker.options],
                               stdin=subprocess.DEVNULL)
    broker.process = process
    raw = None
    while raw is None:
        if process.poll() is not None or time.monotonic() - began > 120:
            raise RuntimeError("it does not come up again")
        try:
            raw = Raw(broker.url, timeout=60)
        except OSError:
            time.sleep(0.002)
    raw.login()
    came_up = time.monotonic() - began
    raw.open(1)
    raw.method(1, "basic.get", 0, queue, 0)
    first = raw.content("basic.get-ok")
    rig.limit("kill -9 until the first message is there again", time.monotonic() - began, "s", limit)
    rig.note(f"of this, until logged in {came_up:.2f} s; resident {broker.resident() / MIB:.0f} MiB, "
             f"at most {broker.peak() / MIB:.0f} MiB")
    raw.call(0, "connection.close", 200, "", 0, 0)
    raw.sock.close()
    return first.body


def forget_files(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(path, name), os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


@case
def long_backlog(rig):
    """A backlog of small persistent messages in one queue: its memory, its way back, its drain."""
    count, queue = rig.size(200_000, 10_000_000), "long"
    with Broker(rig) as broker:
        declare(broker, queue)
        began = time.monotonic()
        fill_numbered(broker, queue, count)
        rig.note(f"{count} filled in {time.monotonic() - began:.1f} s, {broker.disk_bytes() / MIB:.0f} MiB of files")
        rig.limit("most resident with the backlog", broker.peak() / MIB, "MiB", rig.size(100, 400))
        first = revive(rig, broker, queue, 5)
        rig.check(int(first) == 0, f"the first message is {first!r}")
        rig.check(broker.ready(queue) == count, f"{broker.ready(queue)} are there, not {count}")
        began = time.monotonic()
        rig.check(drain_numbered(broker, queue, count), "they did not all come, or not in order")
        rig.note(f"drained in {time.monotonic() - began:.1f} s")
        rig.check(broker.ready(queue) == 0, f"{broker.ready(queue)} are left")
        rig.limit("most resident to the end", broker.peak() / MIB, "MiB", rig.size(100, 400))


def fill_numbered(broker, queue, count, window=4, step=1000):
    """Publishes 0, 1, 2, ... as bodies of 100 octets, with at most `window` times `step` unconfirmed."""
    head, _, tail = message(queue, bytes(100), 2).partition(bytes(100))
    text = head.replace(b"%", b"%%") + b"%0100d" + tail
    with broker.login(timeout=60) as raw:
        raw.open(1)
        raw.call(1, "confirm.select", 0)
        confirmed = sent = 0
        while confirmed < count:
            while sent < count and sent - confirmed < window * step:
                now = min(step, count - sent)
                raw.send(b"".join([text % number for number in range(sent, sent + now)]))
                sent += now
            tag, multiple = raw.expect("basic.ack", 1).args
            assert multiple or tag == confirmed + 1, "the confirms of one queue are out of order"
            confirmed = tag


def drain_numbered(broker, queue, count):
    """Takes all in large strides; true when they were exactly 0, 1, 2, ... up to count."""
    with broker.login(timeout=60) as raw:
        raw.open(1)
        raw.call(1, "basic.qos", 0, 5000, 0)
        raw.call(1, "basic.consume", 0, queue, "drain", 0, {})
        data, next_number, unit, raw.inbox = bytearray(raw.inbox), 0, 0, b""
        while next_number < count:
            chunk = raw.sock.recv(MIB)
            if not chunk:
                return False
            data += chunk
            unit = unit or unit_size(data)
            whole = len(data) // unit if unit else 0
            if not whole:
                continue
            # Every delivery is as long as the first: only tag, flag and body differ.
            if [int(data[end - 101:end - 1]) for end in range(unit, whole * unit + 1, unit)] != list(
                    range(next_number, next_number + whole)):
                return False
            next_number += whole
            del data[:whole * unit]
            raw.method(1, "basic.ack", next_number, 1)
        raw.call(0, "connection.close", 200, "", 0, 0)
    return not data


def unit_size(data):
    """Octets of the three frames of the first delivery; 0 while they are not all there."""
    at = 0
    for _ in range(3):
        if len(data) < at + 7:
            return 0
        at += int.from_bytes(data[at + 3:at + 7], "big") + 8
    return at if len(data) >= at else 0


CHANNELS = 20  # an answer is waited for on each, as many clients would


def pipelined(raw, names, request, answer):
    """`request(channel, name)` for each name, over many channels at once; returns the answers' arguments."""
    answers, step = [], CHANNELS * 20
    for first in range(0, len(names), step):
        part = names[first:first + step]
        raw.send(b"".join(request(at % CHANNELS + 1, name) for at, name in enumerate(part)))
        answers += [raw.expect(answer).args for _ in part]
    return answers


def declaring(flags):
    return lambda channel, name: method_frame(channel, "queue.declare", 0, name, flags, {})


def deleting(channel, name):
    return method_frame(channel, "queue.delete", 0, name, 0)


def channels(raw):
    for channel in range(1, CHANNELS + 1):
        raw.open(channel)


@case
def many_queues(rig):
    """Durable queues with one persistent message each: time and memory, and their way back."""
    count = rig.size(3000, 100_000)
    names = [f"many.{number}" for number in range(count)]
    with Broker(rig) as broker:
        before = broker.resident()
        with broker.login(timeout=60) as raw:
            channels(raw)
            began = time.monotonic()
            pipelined(raw, names, declaring(DURABLE), "queue.declare-ok")
            rig.limit("to declare one", (time.monotonic() - began) / count * 1e6, "us", 5000)
            rig.limit("memory of one, empty", (broker.resident() - before) / count / 1024, "KiB", 4)
            publish_to_each(rig, raw, names)
        rig.limit("memory of one with a message", (broker.resident() - before) / count / 1024, "KiB", 6)
        rig.limit("most resident", broker.peak() / MIB, "MiB", rig.size(100, 600))
        first = revive(rig, broker, names[0], rig.size(3, 10))
        rig.check(first == names[0].encode(), f"the first queue has {first!r}")
        rig.limit("most resident when it is back", broker.peak() / MIB, "MiB", rig.size(100, 600))
        with broker.login(timeout=60) as raw:
            channels(raw)
            found = pipelined(raw, names, declaring(PASSIVE), "queue.declare-ok")
            missing = sum(1 for args in found if args[1] != 1)
            rig.check(missing == 0, f"{missing} queues do not have their message")
            began = time.monotonic()
            pipelined(raw, names, deleting, "queue.delete-ok")
            rig.limit("to delete one", (time.monotonic() - began) / count * 1e6, "us", 5000)


def publish_to_each(rig, raw, names):
    raw.call(1, "confirm.select", 0)
    began = time.monotonic()
    for first in range(0, len(names), 500):
        part = names[first:first + 500]
        raw.send(b"".join(message(name, name.encode(), 2) for name in part))
        wait_for_confirms(raw, set(range(first + 1, first + len(part) + 1)))
    rig.limit("to publish to one", (time.monotonic() - began) / len(names) * 1e6, "us", 5000)
