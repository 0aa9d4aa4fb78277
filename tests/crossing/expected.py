"""What crosses, and what becomes of it: the data of the matrix. Each row is said once by each protocol that can say it,
in each of its ways, and heard in every way of every protocol. A cell is `same`, `lost`, or `changed: ` and what the
receiver sees instead."""

import base64
from decimal import Decimal

from clients import AMQP, NATS, REDIS
from fields import Tagged

# Who hears a publish: by way of the publisher, the ways that do not hear it. All others do.
NOT_HEARD = {
    (AMQP, "default exchange"): {(AMQP, "binding"), (AMQP, "binding with *"), (AMQP, "binding with #"),
                                 (REDIS, "shard channel")},
    (AMQP, "amq.topic"): {(AMQP, "queue"), (REDIS, "shard channel")},
    (NATS, "PUB"): {(REDIS, "shard channel")},
    (REDIS, "PUBLISH"): {(REDIS, "shard channel")},
}

BODIES = (
    ("text", "Grüße, 世界\r\n".encode()),
    ("every byte, zeros too", bytes(range(256)) * 4),
    ("empty", b""),
    ("100 KB", bytes(range(251)) * 408),
)

LONGEST = "n" * 127 + "." + "n" * 127
TOO_LONG = "n" * 149 + "." + "n" * 150

# (what is special, the name, as NATS writes it). AMQP and Redis write it as it stands.
NAMES = (
    ("segments", "orders.eu.new", "orders.eu.new"),
    ("one segment", "task_queue", "task_queue"),
    ("blanks", "a b. c", "a%20b.%20c"),
    ("tab and zero byte", "a\tb\0c", "a%09b%00c"),
    ("a segment `*`", "a.*.c", "a.%2A.c"),
    ("`*` within a segment", "a*b.c", "a*b.c"),
    ("a segment `>`", "a.>", "a.%3E"),
    ("a segment `#`", "a.#.c", "a.#.c"),
    ("globs", "a.[b]?.c", "a.[b]?.c"),
    ("percent", "100%.x", "100%.x"),
    ("percent that reads as an escape", "a%20b", "a%2520b"),
    ("a segment `%-`", "a.%-.b", "a.%25-.b"),
    ("empty segment", "a..b", "a.%-.b"),
    ("empty segment at the beginning", ".a", "%-.a"),
    ("empty segment at the end", "a.", "a.%-"),
    ("other signs", "a/b:c,d", "a/b:c,d"),
    ("not ASCII", "größe.日本", "größe.日本"),
    ("255 bytes", LONGEST, LONGEST),
)


def base64_of(raw):
    return base64.b64encode(raw).decode()


class Row:
    """What is said, and what becomes of it where that is not the plain rule."""

    def __init__(self, title, said, **cells):
        self.title, self.said = title, said
        self.cells = {AMQP: cells.get("amqp"), NATS: cells.get("nats"), REDIS: cells.get("redis")}

    def expected(self, sender, receiver):
        if self.cells[receiver] is not None:
            return self.cells[receiver]
        return "same" if sender == receiver else "lost"


def header(name, text):
    """In NATS, in place of what AMQP has."""
    return f"changed: header `{name}`: text `{text}`"


def binary(name, raw):
    return header(name + "-Base64", base64_of(raw))


def prop(name, text):
    return f"changed: property `{name}`: text `{text}`"


LONG_ID = "i" * 300

AMQP_PROPERTIES = (
    Row("reply-to", {"reply_to": "answers.here"}, nats="same"),
    Row("reply-to, a name that NATS cannot say", {"reply_to": "answers here.*"},
        nats="changed: reply-to `answers%20here.%2A`"),
    Row("correlation id", {"correlation_id": "c-1"}, nats=header("Correlation-Id", "c-1")),
    Row("message id", {"message_id": "m-1"}, nats=header("Nats-Msg-Id", "m-1")),
    Row("content type", {"content_type": "text/plain"}, nats=header("Content-Type", "text/plain")),
    Row("content encoding", {"content_encoding": "gzip"}, nats=header("Content-Encoding", "gzip")),
    Row("type", {"type": "order"}, nats=header("Message-Type", "order")),
    Row("application id", {"app_id": "shop"}, nats=header("App-Id", "shop")),
    Row("user id, checked", {"user_id": "guest"}, nats=header("User-Id", "guest")),
    Row("expiration, in force in queues", {"expiration": "60000"}, nats=header("Expiration", "60000")),
    Row("timestamp", {"timestamp": 1700000000}, nats=header("Timestamp", "1700000000000")),
    Row("timestamp, in milliseconds against the rule", {"timestamp": 1700000000123}),
    Row("priority", {"priority": 4}, nats=header("Priority", "4")),
    Row("persistent", {"delivery_mode": 2}),
    Row("not persistent", {"delivery_mode": 1}),
    Row("cluster id", {"cluster_id": "c"}),
)


def one(value):
    return {"headers": {"h": value}}


def number(title, letter, value, text):
    return Row(title, one(Tagged(letter, value)), nats=header("h", text))


AMQP_HEADERS = (
    Row("bool", one(True), nats=header("h", "true")),
    number("int8", "b", -8, "-8"),
    number("uint8", "B", 200, "200"),
    number("int16", "s", -300, "-300"),
    number("uint16", "u", 60000, "60000"),
    number("int32", "I", -70000, "-70000"),
    number("uint32", "i", 4000000000, "4000000000"),
    number("int64", "l", -2**63, "-9223372036854775808"),
    number("float", "f", 1.5, "1.5"),
    number("double", "d", 0.1, "0.1"),
    Row("decimal", one(Decimal("3.14")), nats=binary("h", b"\2\0\0\1\x3a")),
    Row("text", one("value"), nats="same"),
    Row("text, empty", one(""), nats="same"),
    Row("text, not ASCII", one("Grüße"), nats="same"),
    Row("text with a line end", one("a\r\nb"), nats=binary("h", b"a\r\nb")),
    Row("text with blanks at its ends", one(" a "), nats=binary("h", b" a ")),
    Row("text of 1000 bytes", one("v" * 1000), nats="same"),
    Row("bytes", one(b"\0\1\xff"), nats=binary("h", b"\0\1\xff")),
    Row("bytes, none", one(b""), nats="changed: header `h-Base64`: text, empty"),
    Row("timestamp", one(Tagged("T", 1700000000)), nats=header("h", "1700000000000")),
    Row("void", one(None), nats="changed: header `h`: text, empty"),
    Row("array", one(["a", 5]), nats=binary("h", b"S\0\0\0\1aI\0\0\0\5")),
    Row("table", one({"k": "a"}), nats=binary("h", b"\1kS\0\0\0\1a")),
    Row("name with a colon and a blank", {"headers": {"a: b": "v"}}, nats=header("a%3A%20b", "v")),
    Row("name of 255 bytes", {"headers": {"h" * 255: "v"}}, nats="same"),
    Row("two headers", {"headers": {"a": "1", "b": "2"}}, nats="same"),
)


def pairs(*each):
    return "", list(each)


NATS_PROPERTIES = (
    Row("reply subject", ("answers.here", []), amqp="same"),
    Row("reply subject with an escape", ("answers%20here", []), amqp="changed: reply-to `answers here`"),
    Row("reply subject above 255 bytes", ("r" * 300, []),
        amqp=f"changed: header `reply_to`: text `{'r' * 20}... (300 bytes)`"),
    Row("`Correlation-Id`", pairs(("Correlation-Id", "c-1")), amqp=prop("correlation_id", "c-1")),
    Row("`Correlation-Id` above 255 bytes", pairs(("Correlation-Id", LONG_ID)),
        amqp=f"changed: header `correlation_id`: text `{'i' * 20}... (300 bytes)`"),
    Row("`Nats-Msg-Id`", pairs(("Nats-Msg-Id", "m-1")), amqp=prop("message_id", "m-1")),
    Row("`Content-Type`", pairs(("Content-Type", "text/plain")), amqp=prop("content_type", "text/plain")),
    Row("`Content-Encoding`", pairs(("Content-Encoding", "gzip")), amqp=prop("content_encoding", "gzip")),
    Row("`Message-Type`", pairs(("Message-Type", "order")), amqp=prop("type", "order")),
    Row("`App-Id`", pairs(("App-Id", "shop")), amqp=prop("app_id", "shop")),
    # Who reads user_id relies on the broker having checked it.
    Row("`User-Id`, not checked", pairs(("User-Id", "somebody")), amqp="same"),
    Row("`Expiration`, not in force", pairs(("Expiration", "60000")), amqp=prop("expiration", "60000")),
    Row("`Expiration`, no number", pairs(("Expiration", "soon")), amqp="same"),
    Row("`Timestamp`, ms", pairs(("Timestamp", "1700000000123")), amqp=prop("timestamp", "1700000000")),
    Row("`Timestamp`, no number", pairs(("Timestamp", "now")), amqp="same"),
    Row("`Priority`, not in force", pairs(("Priority", "4")), amqp=prop("priority", "4")),
    Row("`Priority` above 255", pairs(("Priority", "300")), amqp="same"),
)

NATS_HEADERS = (
    Row("text", pairs(("h", "value")), amqp="same"),
    Row("empty", pairs(("h", "")), amqp="same"),
    Row("not ASCII", pairs(("größe", "Grüße, 世界")), amqp="same"),
    Row("value of 1000 bytes", pairs(("h", "v" * 1000)), amqp="same"),
    Row("repeated", pairs(("h", "one"), ("g", "other"), ("h", "two")),
        amqp="changed: header `g`: text `other`; header `h`: array `text one, text two`"),
    Row("repeated in other letters", pairs(("h", "one"), ("H", "two")), amqp="same"),
    Row("a property repeated", pairs(("Priority", "4"), ("Priority", "5")),
        amqp="changed: header `Priority`: text `5`; property `priority`: text `4`"),
    Row("more than a frame takes", pairs(("h", "v" * 200_000))),
    Row("one too many for a frame", pairs(("a", "v" * 1000), ("h", "v" * 200_000), ("b", "w")),
        amqp=f"changed: header `a`: text `{'v' * 20}... (1000 bytes)`; header `b`: text `w`"),
    Row("name of 255 bytes", pairs(("h" * 255, "v")), amqp="same"),
    Row("name above 255 bytes", pairs(("h" * 256, "v"))),
)

# What a message says that said nothing: queues keep live messages as persistent ones.
NOTHING = {
    (NATS, AMQP): "changed: property `delivery_mode`: text `2`",
    (REDIS, AMQP): "changed: property `delivery_mode`: text `2`",
}
