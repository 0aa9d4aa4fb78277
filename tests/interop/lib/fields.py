"""AMQP 0-9-1 field encoding, RabbitMQ's letters, written from the specification and independent of any client library.

A format string has one letter a field: o octet, h short, l long, q longlong, s shortstr, S longstr, T table,
b one octet of packed bits (an int).
"""

import datetime
import decimal
import struct

INTEGERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "L": ">q", "T": ">Q",
            "f": ">f", "d": ">d"}
FIXED = {"o": ">B", "b": ">B", "h": ">H", "l": ">I", "q": ">Q"}


class Tagged:
    """A value with its wire letter, where Python's own type would choose another."""

    def __init__(self, letter, value):
        self.letter, self.value = letter, value

    def __eq__(self, other):
        return isinstance(other, Tagged) and (self.letter, self.value) == (other.letter, other.value)

    def __repr__(self):
        return f"{self.letter}:{self.value!r}"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def shortstr(text):
    raw = as_bytes(text)
    return struct.pack(">B", len(raw)) + raw


def longstr(text):
    raw = as_bytes(text)
    return struct.pack(">I", len(raw)) + raw


def tag_of(value):
    if value is None:
        return Tagged("V", None)
    if isinstance(value, bool):
        return Tagged("t", value)
    if isinstance(value, int):
        return Tagged("I" if -2**31 <= value < 2**31 else "l", value)
    for kind, letter in ((float, "d"), (str, "S"), (bytes, "x"), (dict, "F"), (list, "A"),
                         (decimal.Decimal, "D"), (datetime.datetime, "T")):
        if isinstance(value, kind):
            return Tagged(letter, int(value.timestamp()) if letter == "T" else value)
    raise TypeError(type(value))


def field(value):
    tagged = value if isinstance(value, Tagged) else tag_of(value)
    letter, value = tagged.letter, tagged.value
    head = letter.encode()
    if letter == "V":
        return head
    if letter == "t":
        return head + (b"\x01" if value else b"\x00")
    if letter in INTEGERS:
        return head + struct.pack(INTEGERS[letter], value)
    if letter == "D":
        _, digits, exponent = value.as_tuple()
        return head + struct.pack(">BI", max(-exponent, 0), int("".join(map(str, digits))))
    if letter in "Sx":
        return head + longstr(value)
    if letter == "A":
        return head + longstr(b"".join(field(item) for item in value))
    if letter == "F":
        return head + table(value)
    raise TypeError(letter)


def table(values):
    return longstr(b"".join(shortstr(key) + field(value) for key, value in values.items()))


def pack(form, *values):
    assert len(form) == len(values), (form, values)
    out = b""
    for letter, value in zip(form, values):
        if letter in FIXED:
            out += struct.pack(FIXED[letter], value)
        else:
            out += {"s": shortstr, "S": longstr, "T": table}[letter](value)
    return out


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, size):
        if self.at + size > len(self.raw):
            raise ValueError("field runs past its end")
        self.at += size
        return self.raw[self.at - size:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def shortstr(self):
        return self.take(self.number(">B")).decode()

    def longstr(self):
        return self.take(self.number(">I"))

    def table(self):
        """Values as Tagged, so that a test sees the letters."""
        inner, out = Reader(self.longstr()), {}
        while inner.at < len(inner.raw):
            key = inner.shortstr()
            out[key] = inner.field()
        return out

    def field(self):
        letter = chr(self.number(">B"))
        if letter == "V":
            return Tagged("V", None)
        if letter == "t":
            return Tagged("t", bool(self.number(">B")))
        if letter in INTEGERS:
            return Tagged(letter, self.number(INTEGERS[letter]))
        if letter == "D":
            scale, digits = self.number(">B"), self.number(">I")
            return Tagged("D", decimal.Decimal(digits).scaleb(-scale))
        if letter == "S":
            return Tagged("S", self.longstr().decode("utf-8", "replace"))
        if letter == "x":
            return Tagged("x", self.longstr())
        if letter == "A":
            inner, items = Reader(self.longstr()), []
            while inner.at < len(inner.raw):
                items.append(inner.field())
            return Tagged("A", items)
        if letter == "F":
            return Tagged("F", self.table())
        raise ValueError(f"unknown field type {letter!r}")


def plain(value):
    """Drops the letters again."""
    if isinstance(value, Tagged):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def unpack(form, raw):
    reader, out = Reader(raw), []
    for letter in form:
        if letter in FIXED:
            out.append(reader.number(FIXED[letter]))
        elif letter == "S":
            out.append(reader.longstr().decode("utf-8", "replace"))
        else:
            out.append(reader.shortstr() if letter == "s" else reader.table())
    return out


PROPERTIES = (("content_type", "s"), ("content_encoding", "s"), ("headers", "T"), ("delivery_mode", "o"),
              ("priority", "o"), ("correlation_id", "s"), ("reply_to", "s"), ("expiration", "s"),
              ("message_id", "s"), ("timestamp", "q"), ("type", "s"), ("user_id", "s"), ("app_id", "s"),
              ("cluster_id", "s"))


def content_header(size, **properties):
    flags, body = 0, b""
    for bit, (name, letter) in enumerate(PROPERTIES):
        if name in properties:
            flags |= 0x8000 >> bit
            body += pack(letter, properties.pop(name))
    assert not properties, properties
    return struct.pack(">HHQH", 60, 0, size, flags) + body


def read_content_header(raw):
    class_id, _, size, flags = struct.unpack_from(">HHQH", raw)
    assert class_id == 60, class_id
    present = [(name, letter) for bit, (name, letter) in enumerate(PROPERTIES) if flags & (0x8000 >> bit)]
    values = unpack("".join(letter for _, letter in present), raw[14:])
    return size, {name: value for (name, _), value in zip(present, values)}
