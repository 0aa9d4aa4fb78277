"""Books of the soak: what was sent, confirmed, delivered and acked, and which rule a delivery breaks.

An id is (publisher, number); numbers grow from 0 and are never sent twice, so no duplicate is explained by a retry.
A body carries its id, its queue and a slice of a fixed block, so a message that was never sent, or was altered, shows.
"""

import random
import struct
import threading
import zlib

HEAD = struct.Struct(">4sHHQII")  # magic, publisher, queue, number, size of the whole, crc of what precedes
MAGIC = b"SOAK"
BLOCK = random.Random(1).randbytes(1 << 20)
FRESH, ACKED = 0, 1


def make_body(publisher, queue, number, size):
    size = max(size, HEAD.size)
    head = HEAD.pack(MAGIC, publisher, queue, number, size, 0)
    head = head[:-4] + struct.pack(">I", zlib.crc32(head[:-4]))
    at = number % 4096
    return head + BLOCK[at:at + size - HEAD.size]


def read_body(body):
    """(publisher, queue, number), or None when it is not one of ours as sent."""
    if len(body) < HEAD.size:
        return None
    magic, publisher, queue, number, size, crc = HEAD.unpack_from(body)
    if magic != MAGIC or size != len(body) or crc != zlib.crc32(body[:HEAD.size - 4]):
        return None
    at = number % 4096
    return (publisher, queue, number) if body[HEAD.size:] == BLOCK[at:at + size - HEAD.size] else None


class Ledger:
    def __init__(self, publishers, queues):
        self.queues = queues
        self.lock = threading.Lock()
        # Indexed by number; each publisher thread alone grows its own two.
        self.sent = [0] * publishers
        self.confirmed = [bytearray() for _ in range(publishers)]
        # Deliveries seen, and the broker's life (1, 2, ...) in which the ack was sent, 0 for none.
        self.seen = [bytearray() for _ in range(publishers)]
        self.acked = [dict() for _ in range(publishers)]
        self.delivered = self.flagged = self.nacked = 0
        self.broken = {"unexplained duplicates": [], "acked but came again in the same life": [], "never sent": [],
                       "out of order": [], "negative confirms": []}

    def send(self, publisher, count):
        """Reserves the next `count` numbers; called before the bytes leave, since part of them may arrive."""
        first = self.sent[publisher]
        self.confirmed[publisher].extend(bytes(count))
        self.seen[publisher].extend(bytes(count))
        self.sent[publisher] = first + count
        return first

    def confirm(self, publisher, first, last):
        self.confirmed[publisher][first:last + 1] = b"\x01" * (last + 1 - first)

    def complain(self, rule, what):
        self.broken[rule].append(what)

    def deliver(self, life, last_in_order, queue, redelivered, body):
        """Books one delivery under the lock; returns its id, or None when it is not ours."""
        self.delivered += 1
        known = read_body(body)
        if known is None or known[0] >= len(self.sent) or known[2] >= self.sent[known[0]] or known[1] != queue:
            self.complain("never sent", f"queue {queue} gave {known or bytes(body[:32])!r}")
            return None
        publisher, _, number = known
        seen = self.seen[publisher]
        if seen[number]:
            if redelivered:
                self.flagged += 1
            else:
                self.complain("unexplained duplicates", f"publisher {publisher} number {number} queue {queue}")
            if self.acked[publisher].get(number) == life:
                self.complain("acked but came again in the same life", f"publisher {publisher} number {number}")
        elif not redelivered:
            if number <= last_in_order.get(publisher, -1):
                self.complain("out of order", f"publisher {publisher} queue {queue}: {number} after "
                                              f"{last_in_order[publisher]}")
            last_in_order[publisher] = number
        seen[number] = min(seen[number] + 1, 255)
        return publisher, number

    def backlog(self):
        """Confirmed or not, what was sent and never seen."""
        return sum(self.sent) - sum(len(seen) - seen.count(0) for seen in self.seen)

    def lost(self):
        return [(publisher, number) for publisher, marks in enumerate(self.confirmed)
                for number, mark in enumerate(marks) if mark and not self.seen[publisher][number]]

    def totals(self):
        return sum(self.sent), sum(sum(marks) for marks in self.confirmed)
