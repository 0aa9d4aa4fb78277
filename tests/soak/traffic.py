"""Publishers and consumers of the soak: threads on raw sockets, quick enough to keep a broker busy."""

import os
import random
import select
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop", "lib"))

# pylint: disable=wrong-import-position
from wire import BODY, HEAD, METHOD, Closed, Raw, frame, method_frame  # noqa: E402
from fields import content_header  # noqa: E402
from ledger import make_body  # noqa: E402

ACK, NACK, DELIVER = b"\x00\x3c\x00\x50", b"\x00\x3c\x00\x78", b"\x00\x3c\x00\x3c"
WINDOW, BATCH, PREFETCH = 1000, 50, 300
BACKLOG_MAX = 30000  # publishers pause above it, so that a slow consumer side does not fill the disk
FRAME_MAX = 131072
GONE = (Closed, OSError, TimeoutError, AssertionError, KeyError, struct.error)


class World:
    """What all threads share: the url, the ledger, the number of the broker's life, and when to stop."""

    def __init__(self, url, ledger, queues, rate, seed):
        self.url, self.ledger, self.queues, self.rate, self.seed = url, ledger, queues, rate, seed
        self.life = 0
        self.up = threading.Event()
        self.publishing, self.consuming = True, True
        self.backlog = 0


class Worker(threading.Thread):
    """Connects whenever the broker is up, works until the socket ends, and so on."""

    def __init__(self, world, number):
        super().__init__(daemon=True)
        self.world, self.number = world, number
        self.random = random.Random(world.seed * 1000 + number)
        self.link = None
        self.tail = b""
        self.error = None

    def wanted(self):
        raise NotImplementedError

    def session(self):
        raise NotImplementedError

    def run(self):
        try:
            while self.wanted():
                if not self.world.up.wait(0.1):
                    continue
                try:
                    with Raw(self.world.url, timeout=10).login() as self.link:
                        self.link.open(1)
                        self.tail = b""
                        self.session()
                except GONE:
                    time.sleep(0.02)
        except Exception as error:  # pylint: disable=broad-except  # a fault of the soak itself must not pass silently
            self.error = error

    def frames(self, wait):
        """Whole frames that have arrived, as (type, payload); waits at most so long for the first byte."""
        sock = self.link.sock
        data = self.link.inbox
        self.link.inbox = b""
        if not data:
            if not select.select([sock], [], [], wait)[0]:
                return []
            data = sock.recv(1 << 20)
            if not data:
                raise Closed("closed")
        data = self.tail + data if self.tail else data
        out, at, end = [], 0, len(data)
        while end - at >= 8:
            size = int.from_bytes(data[at + 3:at + 7], "big")
            if end - at < size + 8:
                break
            if data[at + 7 + size] != 206:
                raise AssertionError("end octet")
            out.append((data[at], data[at + 7:at + 7 + size]))
            at += size + 8
        self.tail = data[at:]
        return out


class Publisher(Worker):
    def wanted(self):
        return self.world.publishing

    def size(self):
        dice = self.random.random()
        if dice < 0.0005:
            return 300_000  # several frames
        return self.random.randrange(5000, 20000) if dice < 0.01 else self.random.randrange(40, 250)

    def message(self, number):
        queue = number % len(self.world.queues)
        body = make_body(self.number, queue, number, self.size())
        parts = [self.methods[queue], frame(HEAD, 1, content_header(len(body), delivery_mode=2))]
        for at in range(0, len(body), FRAME_MAX - 8):
            parts.append(frame(BODY, 1, body[at:at + FRAME_MAX - 8]))
        return b"".join(parts)

    def session(self):
        world, ledger = self.world, self.world.ledger
        self.link.call(1, "confirm.select", 0)
        self.methods = [method_frame(1, "basic.publish", 0, "", name, 0) for name in world.queues]
        base = ledger.sent[self.number] - 1  # confirm 1 is for number base + 1
        self.low, self.late, published = 0, set(), 0
        began = time.monotonic()
        while world.publishing:
            allowed = int((time.monotonic() - began) * world.rate) + BATCH - published
            if published - self.low < WINDOW and allowed >= BATCH and world.backlog < BACKLOG_MAX:
                first = ledger.send(self.number, BATCH)
                self.link.send(b"".join(self.message(number) for number in range(first, first + BATCH)))
                published += BATCH
                wait = 0
            else:
                wait = 0.005
            self.take_confirms(base, wait)
        until = time.monotonic() + 5
        while self.low < published and time.monotonic() < until:
            self.take_confirms(base, 0.05)

    def take_confirms(self, base, wait):
        ledger = self.world.ledger
        for kind, payload in self.frames(wait):
            name = payload[:4]
            if kind != METHOD or name not in (ACK, NACK):
                if kind == METHOD:
                    raise Closed("the broker said something else")
                continue
            tag, multiple = struct.unpack(">QB", payload[4:13])
            if name == NACK:
                ledger.complain("negative confirms", f"publisher {self.number} number {base + tag}")
            if multiple & 1:
                ledger.confirm(self.number, base + self.low + 1, base + tag)
                self.low = max(self.low, tag)
                self.late = {other for other in self.late if other > tag}
            else:
                ledger.confirm(self.number, base + tag, base + tag)
                self.late.add(tag)
            while self.low + 1 in self.late:
                self.low += 1
                self.late.remove(self.low)


class Consumer(Worker):
    def wanted(self):
        return self.world.consuming

    def session(self):
        world = self.world
        queue = self.number % len(world.queues)
        life, last_in_order = world.life, {}
        self.link.call(1, "basic.qos", 0, PREFETCH, 0)
        self.link.method(1, "basic.consume", 0, world.queues[queue], "c", 0, {})
        self.link.expect("basic.consume-ok", 1)
        pending, self.partial = [], None
        while world.consuming:
            frames = self.frames(0.02)
            pending += self.deliveries(frames)
            if pending:
                self.settle(pending, life, last_in_order, queue)
                pending = []

    def deliveries(self, frames):
        """Puts method, header and body frames together: [(tag, redelivered, body)]."""
        out = []
        for kind, payload in frames:
            if kind == METHOD:
                if payload[:4] != DELIVER:
                    raise Closed("the broker said something else")
                at = 5 + payload[4]
                self.partial = [int.from_bytes(payload[at:at + 8], "big"), payload[at + 8] & 1, 0, []]
            elif kind == HEAD:
                self.partial[2] = int.from_bytes(payload[4:12], "big")
            elif kind == BODY:
                self.partial[3].append(payload)
                self.partial[2] -= len(payload)
                if self.partial[2] == 0:
                    tag, redelivered, _, parts = self.partial
                    out.append((tag, bool(redelivered), b"".join(parts)))
        return out

    def settle(self, deliveries, life, last_in_order, queue):
        """Books them and acks: mostly with one multiple ack, sometimes one by one, and one in a hundred goes back."""
        ledger, replies, acked = self.world.ledger, [], []
        singly = self.random.random() < 0.2
        back = set()
        with ledger.lock:
            for tag, redelivered, body in deliveries:
                known = ledger.deliver(life, last_in_order, queue, redelivered, body)
                if known is None:
                    continue
                if not redelivered and self.random.random() < 0.01:
                    back.add(tag)
                    ledger.nacked += 1
                else:
                    acked.append(known)
            for publisher, number in acked:
                ledger.acked[publisher][number] = life
        for tag in back:
            replies.append(method_frame(1, "basic.nack", tag, 2))
        if singly:
            replies += [method_frame(1, "basic.ack", tag, 0) for tag, _, _ in deliveries if tag not in back]
        else:
            last = max((tag for tag, _, _ in deliveries if tag not in back), default=0)
            if last:
                replies.append(method_frame(1, "basic.ack", last, 1))
        self.link.send(b"".join(replies))
