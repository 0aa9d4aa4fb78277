#!/usr/bin/python3
"""Makes codec.golden: frames and tables as pika's own encoder writes them, with what they mean.

  make_golden.py           writes the file (needs Debian's python3-pika)
  make_golden.py --check   fails when the committed file is not what would be written

A line is `method|header|table`, the bytes in hex, and the meaning as src/protocol/amqp prints it.
A method or a header is a whole frame; a table goes without the length in front of it.
"""

import argparse
import datetime
import decimal
import inspect
import os
import sys

from pika import data, frame, spec

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "codec.golden")

# What pika calls otherwise than the specification that Wharf's names come from.
NAMES = {"nowait": "no_wait", "insist": "reserved_2", "capabilities": "reserved_1", "known_hosts": "reserved_1",
         "out_of_band": "reserved_1", "channel_id": "reserved_1", "cluster_id": "reserved_1"}
TABLES = {"server_properties", "client_properties", "arguments"}
LONG_STRINGS = {"mechanisms", "locales", "response", "challenge", "channel_id"}
NUMBERS = {"version_major": 0, "version_minor": 9, "channel_max": 2047, "frame_max": 131072, "heartbeat": 60,
           "reply_code": 404, "class_id": 50, "method_id": 10, "ticket": 258, "message_count": 16909060,
           "consumer_count": 4278255360, "prefetch_size": 65536, "prefetch_count": 513,
           "delivery_tag": 72623859790382856}
FLAGS = {"insist", "active", "exclusive", "passive", "write", "read", "durable", "auto_delete", "internal", "nowait",
         "if_unused", "if_empty", "global_qos", "no_local", "no_ack", "mandatory", "immediate", "redelivered",
         "multiple", "requeue"}
SAMPLE_TABLE = {"x-max-length": 10, "x-expires": 6000000000, "deep": {"list": [True, None, "text"]}}


def quoted(text):
    out = ""
    for char in text:
        if char in '"\\':
            out += "\\" + char
        elif ord(char) < 0x20 or ord(char) == 0x7f:
            out += f"\\x{ord(char):02x}"
        else:
            out += char
    return f'"{out}"'


def table_bytes(table):
    pieces = []
    data.encode_table(pieces, table)
    return b"".join(pieces)[4:]


def shown(name, value):
    if name in TABLES:
        return f"<{table_bytes(value).hex()}>"
    if name in LONG_STRINGS:
        return f"<{value.encode().hex()}>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else quoted(value)


def sample(name, index, rich):
    """A value for a parameter; `rich` picks the full one of two, and sets every second flag."""
    if name in FLAGS:
        return rich == (index % 2 == 0)
    if name in NUMBERS:
        return NUMBERS[name] if rich else 0
    if name in TABLES:
        return SAMPLE_TABLE if rich else {}
    return f"{name} \u00e9\u4e16 \"{index}\"" if rich else ""


def method_name(pika_name):
    """'Queue.DeclareOk' -> 'queue.declare-ok'"""
    group, method = pika_name.split(".")
    dashed = "".join("-" + char.lower() if char.isupper() else char for char in method)
    return f"{group.lower()}.{dashed[1:]}"


def method_lines():
    for number, (_, method) in enumerate(sorted(spec.methods.items())):
        names = [name for name in inspect.signature(method.__init__).parameters if name != "self"]
        for rich in (False, True) if names else (True,):
            values = {name: sample(name, index, rich) for index, name in enumerate(names)}
            encoded = frame.Method(number + 1 if rich else 0, method(**values)).marshal()
            fields = " ".join(f"{wharf_name(name, method)}={shown(name, values[name])}" for name in names)
            yield f"method {encoded.hex()} {method_name(method.NAME)}({fields})"


def wharf_name(name, method):
    if name == "global_qos":
        return "global"
    return NAMES.get(name, name) if method is not spec.BasicProperties else name


def header_lines():
    fields = {"content_type": "text/plain", "content_encoding": "gzip", "headers": SAMPLE_TABLE, "delivery_mode": 2,
              "priority": 9, "correlation_id": "c-1", "reply_to": "amq.rabbitmq.reply-to", "expiration": "60000",
              "message_id": "m-1", "timestamp": 1700000000, "type": "t", "user_id": "guest", "app_id": "app",
              "cluster_id": ""}
    for chosen in ([], *([name] for name in fields), list(fields)):
        values = {name: fields[name] for name in chosen}
        encoded = frame.Header(3, 4294967296 + len(chosen), spec.BasicProperties(**values)).marshal()
        parts = [f"{name}={'<' + table_bytes(value).hex() + '>' if name == 'headers' else shown(name, value)}"
                 for name, value in values.items()]
        yield f"header {encoded.hex()} {' '.join(parts)}".rstrip()


def table_lines():
    moment = datetime.datetime(2023, 11, 14, 22, 13, 20)
    cases = [
        ({}, "{}"),
        ({"yes": True, "no": False}, '{"yes": t true, "no": t false}'),
        ({"small": -1, "edge": 2147483647, "big": 2147483648, "low": -9223372036854775808},
         '{"small": I -1, "edge": I 2147483647, "big": l 2147483648, "low": l -9223372036854775808}'),
        ({"text": "h\u00e9", "bytes": b"\x00\xff"}, '{"text": S "h\u00e9", "bytes": x <00ff>}'),
        ({"price": decimal.Decimal("12.34"), "whole": decimal.Decimal("7")}, '{"price": D 1234e-2, "whole": D 7e-0}'),
        ({"at": moment, "none": None}, '{"at": T 1700000000, "none": V}'),
        ({"a": [1, "x", [None, {}], {"k": []}]}, '{"a": A [I 1, S "x", A [V, F {}], F {"k": A []}]}'),
    ]
    for table, meaning in cases:
        yield f"table {table_bytes(table).hex()} {meaning}" if table else f"table - {meaning}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    text = "\n".join([*method_lines(), *header_lines(), *table_lines()]) + "\n"
    if not args.check:
        with open(PATH, "w", encoding="utf-8") as file:
            file.write(text)
        return
    with open(PATH, encoding="utf-8") as file:
        if file.read() != text:
            sys.exit(f"{PATH} is not what this script writes")


if __name__ == "__main__":
    main()
