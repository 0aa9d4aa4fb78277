"""Bodies of every size and headers as pika writes them."""

import datetime
import decimal
import hashlib

import pika

from context import channel_error, collect, get, put, take
from harness import case, equal, only


def body_of(size):
    block = hashlib.sha256(str(size).encode()).digest()
    return (block * (size // 32 + 1))[:size]


def through(t, size, **connection):
    channel = t.channel(**connection)
    name = t.queue(channel)
    body = body_of(size)
    put(channel, name, body, properties=pika.BasicProperties(delivery_mode=2))
    got = get(channel, name, seconds=15)[2]
    assert got == body, f"{len(got)} bytes came back of {size}, or others"


@case
def sizes_around_zero(t):
    for size in (0, 1, 2, 255, 256):
        through(t, size)


@case
def sizes_around_a_frame(t):
    frame = 131072 - 8
    for size in (frame - 1, frame, frame + 1, 2 * frame - 1, 2 * frame, 2 * frame + 1):
        through(t, size)


@case
def sizes_around_a_small_frame(t):
    frame = 4096 - 8
    for size in (frame - 1, frame, frame + 1, 10 * frame + 1):
        through(t, size, frame_max=4096)


@case
def one_mebibyte(t):
    through(t, 1 << 20)


@case
def five_mebibytes(t):
    through(t, 5 << 20)


@case
def largest_allowed(t):
    through(t, 16 << 20)


@case
@only("wharf", "3.10 allows 128 MiB, 4.0 and later 16 MiB")
def above_max_message_size(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, bytes((16 << 20) + 1))
    channel_error(406, r"^PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216$",
                  lambda: channel.queue_purge(name))


@case
def small_and_large_mixed_in_order(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    sizes = [0, 300000, 5, 0, 131064, 1, 1 << 20, 7] * 3
    put(channel, name, *[body_of(size) for size in sizes])
    got = []
    collect(channel, name, got, auto_ack=True)
    take(connection, got, len(sizes), 10)
    equal([len(body) for _, _, body in got], sizes)
    assert all(body == body_of(len(body)) for _, _, body in got)


HEADERS = {
    "string": "text \u4e2d\u6587", "empty": "", "int": 42, "negative": -1, "big": 2**40, "bool": True, "no": False,
    "none": None, "bytes": "plain", "decimal": decimal.Decimal("3.14"), "list": [1, "two", [3, {"four": 4}], None],
    "table": {"inner": {"deeper": "x"}, "n": 2**33}, "when": datetime.datetime(2024, 5, 6, 7, 8, 9),
    "k" * 128: "long key", "long": "v" * 20000,
}


@case
def header_table(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x", properties=pika.BasicProperties(headers=HEADERS))
    equal(get(channel, name)[1].headers, HEADERS)


@case
def all_properties(t):
    channel = t.channel()
    name = t.queue(channel)
    properties = pika.BasicProperties(
        content_type="text/plain", content_encoding="gzip", headers={"a": 1}, delivery_mode=1, priority=3,
        correlation_id="corr", reply_to="reply", expiration="100000", message_id="id", timestamp=1700000000,
        type="t", user_id="guest", app_id="app", cluster_id="c")
    put(channel, name, b"x", properties=properties)
    equal(vars(get(channel, name)[1]), vars(properties))


@case
def user_id_checked(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x", properties=pika.BasicProperties(user_id="someone-else"))
    channel_error(406, "^PRECONDITION_FAILED - user_id property set to 'someone-else' but authenticated user was 'guest'$",
                  lambda: channel.queue_purge(name))


@case
def bad_expiration(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x", properties=pika.BasicProperties(expiration="tomorrow"))
    channel_error(406, "^PRECONDITION_FAILED - invalid expiration 'tomorrow'", lambda: channel.queue_purge(name))
