"""Raw-socket suite: what a NATS server says to right and wrong lines."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]

# pylint: disable=wrong-import-position
import harness  # noqa: E402
from harness import case, equal, matches  # noqa: E402
from wire import Wire  # noqa: E402


class Context(harness.Context):
    def wire(self):
        wire = Wire(self.url)
        self.at_end(wire.close)
        return wire

    def open(self, **fields):
        return self.wire().open(**fields)


@case
def info_has_what_clients_read(t):
    info = t.wire().info
    for field in ("server_id", "server_name", "version", "proto", "host", "port", "headers", "max_payload", "client_id",
                  "client_ip"):
        assert field in info, f"no {field} in {info}"
    equal(info["headers"], True)
    equal(info["max_payload"], 1048576)
    matches(info["version"], r"^\d+\.\d+\.\d+$")


@case
def verbose_before_connect(t):
    wire = t.wire()
    wire.send("SUB a 1\r\nPUB a 2\r\nhi\r\n")
    equal([wire.line() for _ in range(4)], ["+OK", "+OK", "MSG a 1 2", "hi"])


@case
def lower_case_tabs_and_bare_lf(t):
    wire = t.open()
    wire.send("sub\ta  1\npub  a\t2\nhi\r\nping\n")
    equal([wire.line() for _ in range(3)], ["MSG a 1 2", "hi", "PONG"])


@case
def wildcards(t):
    wire = t.open()
    wire.send("SUB a.* 1\r\nSUB a.> 2\r\nSUB a.b.c 3\r\n")
    wire.send("PUB a.b.c 0\r\n\r\n")
    equal(sorted(line for line in wire.flush() if line), ["MSG a.b.c 2 0", "MSG a.b.c 3 0"])


@case
def headers_both_ways(t):
    wire, plain = t.open(), t.open(headers=False, no_responders=False)
    wire.send("SUB a 1\r\n")
    plain.send("SUB a 1\r\n")
    equal(plain.flush(), [])
    block = "NATS/1.0\r\nKey: value\r\n\r\n"
    wire.send(f"HPUB a r {len(block)} {len(block) + 2}\r\n{block}hi\r\n")
    equal(wire.line(), f"HMSG a 1 r {len(block)} {len(block) + 2}")
    equal(wire.bytes(len(block) + 4).decode(), block + "hi\r\n")
    equal(plain.line(), "MSG a 1 r 2")


@case
def no_responders(t):
    wire = t.open()
    wire.send("SUB in.* 9\r\nPUB $JS.API.INFO in.1 0\r\n\r\n")
    line = wire.line()
    matches(line, r"^HMSG in\.1 9 (\d+) \1$")
    matches(wire.bytes(int(line.split()[-1])).decode(), r"^NATS/1\.0 503\r\n")


@case
def echo_off(t):
    wire, other = t.open(echo=False), t.open()
    wire.send("SUB a 1\r\n")
    other.send("SUB a 1\r\n")
    other.flush()
    wire.send("PUB a 1\r\nx\r\n")
    equal(wire.flush(), [])
    equal(other.flush(), ["MSG a 1 1", "x"])


@case
def queue_group_and_unsub_max(t):
    one, two, pub = t.open(), t.open(), t.open()
    for wire in (one, two):
        wire.send("SUB work q 1\r\n")
        wire.flush()
    one.send("SUB work 2\r\nUNSUB 2 3\r\n")
    one.flush()
    for _ in range(50):
        pub.send("PUB work 1\r\nx\r\n")
    pub.flush()
    first, second = one.flush(), two.flush()
    equal(first.count("MSG work 2 1"), 3)
    equal(first.count("MSG work 1 1") + second.count("MSG work 1 1"), 50)


def closes(name, text, answer):
    def run(t):
        wire = t.open()
        wire.send(text)
        if answer:
            equal(wire.line(), answer)
        assert wire.ended(), "the server did not hang up"
    run.__name__, run.__module__ = f"closes_{name}", __name__
    case(run)


closes("unknown_verb", "FOO bar\r\n", "-ERR 'Unknown Protocol Operation'")
closes("stray_line_end", "\r\n", "-ERR 'Unknown Protocol Operation'")
closes("payload_without_end", "PUB a 1\r\nxyz\r\n", "-ERR 'Unknown Protocol Operation'")
closes("payload_too_large", "PUB a 1048577\r\n", "-ERR 'Maximum Payload Violation'")
closes("size_is_no_number", "PUB a x\r\n", None)
closes("too_many_arguments", "PUB a b c 1\r\n", None)
closes("bad_json", "CONNECT {\r\n", None)
closes("bad_protocol", 'CONNECT {"protocol":7}\r\n', "-ERR 'invalid client protocol'")
closes("no_responders_without_headers", 'CONNECT {"no_responders":true,"headers":false}\r\n',
       "-ERR 'no responders requires headers support'")
closes("control_line", "PUB " + "a" * 5000 + " 1\r\n", "-ERR 'maximum control line exceeded'")


@case
def invalid_subject_stays_open(t):
    wire = t.open()
    wire.send("SUB a..b 1\r\n")
    equal(wire.line(), "-ERR 'Invalid Subject'")
    equal(wire.flush(), [])
    wire = t.open(pedantic=True)
    wire.send("PUB a.* 0\r\n\r\n")
    equal(wire.line(), "-ERR 'Invalid Publish Subject'")
    equal(wire.flush(), [])


@case
def sid_in_use_keeps_the_first(t):
    wire = t.open()
    wire.send("SUB a 1\r\nSUB b 1\r\nPUB b 0\r\n\r\nPUB a 0\r\n\r\n")
    equal([line for line in wire.flush() if line], ["MSG a 1 0"])


@case
def order_is_kept_in_a_flood(t):
    sub, pub = t.open(), t.open()
    sub.send("SUB flood 1\r\n")
    sub.flush()
    count = 20000
    pub.send(b"".join(b"PUB flood 6\r\n%06d\r\n" % n for n in range(count)))
    for n in range(count):
        equal(sub.line(), "MSG flood 1 6")
        equal(sub.line(), f"{n:06d}")


@case
def large_message(t):
    wire = t.open()
    body = b"z" * 1048576
    wire.send(b"SUB big 1\r\nPUB big 1048576\r\n" + body + b"\r\n")
    equal(wire.line(), "MSG big 1 1048576")
    assert wire.bytes(len(body)) == body


sys.exit(harness.main(Context))
