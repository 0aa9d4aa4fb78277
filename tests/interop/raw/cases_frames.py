"""Broken frames on an open connection. Each case keeps a second connection, which must go on working."""

import struct

from wire import BODY, END, HEAD, HEARTBEAT, METHOD, close_of, frame, method_frame
from context import check_close, expect_hard, still_serving
from fields import content_header, shortstr
from harness import case, equal, only

PUBLISH = method_frame(1, "basic.publish", 0, "", "nowhere", 0)


def hard(t, raw_bytes, code, text=None, class_method=None, may_drop=False):
    """Sends the bytes on an open channel; expects that hard error (or, where allowed, a dropped socket)."""
    bystander, raw = t.login(), t.channel()
    raw.send(raw_bytes)
    try:
        got = raw.next_method()
    except ConnectionError:
        got = None
    except Exception as error:  # pylint: disable=broad-except
        if may_drop and "closed" in str(error):
            got = None
        else:
            raise
    if got is not None:
        check_close(close_of(got, "hard"), code, text, class_method)
    assert raw.closed_by_peer(10) or got is not None, "socket left open"
    still_serving(bystander)


@case
def bad_end_octet(t):
    hard(t, frame(METHOD, 1, method_frame(1, "basic.qos", 0, 1, 0)[7:-1], end=0), 501, "FRAME_ERROR", (0, 0))


@case
def unknown_frame_type(t):
    hard(t, frame(9, 1, b"what"), 501, "FRAME_ERROR", (0, 0))


@case
def unknown_frame_type_4(t):
    hard(t, frame(4, 0, b""), 501)


@case
def frame_above_frame_max(t):
    hard(t, struct.pack(">BHI", METHOD, 1, 131072 + 9) + b"\0" * 200, 501, "FRAME_ERROR", (0, 0))


@case
def frame_size_4_gib(t):
    hard(t, struct.pack(">BHI", METHOD, 1, 0xFFFFFFFF) + b"\0" * 200, 501)


@case
def payload_of_exactly_frame_max(t):
    """RabbitMQ tolerates eight bytes more than the specification."""
    raw = t.channel()
    name = t.queue(raw)
    body = b"z" * 131072
    raw.send(method_frame(1, "basic.publish", 0, "", name, 0) + frame(HEAD, 1, content_header(len(body)))
             + frame(BODY, 1, body))
    raw.method(1, "basic.get", 0, name, 1)
    equal(len(raw.content("basic.get-ok").body), 131072)


@case
def header_without_publish(t):
    hard(t, frame(HEAD, 1, content_header(0)), 505, "UNEXPECTED_FRAME", (0, 0))


@case
def body_without_publish(t):
    hard(t, frame(BODY, 1, b"x"), 505, "UNEXPECTED_FRAME", (0, 0))


@case
def method_inside_content(t):
    hard(t, PUBLISH + frame(HEAD, 1, content_header(5)) + method_frame(1, "basic.qos", 0, 1, 0), 505,
         "UNEXPECTED_FRAME", (60, 40))


@case
def method_instead_of_header(t):
    hard(t, PUBLISH + method_frame(1, "basic.qos", 0, 1, 0), 505, None, (60, 40))


@case
def header_of_wrong_class(t):
    hard(t, PUBLISH + frame(HEAD, 1, struct.pack(">HHQH", 50, 0, 0, 0)), 505, None, (60, 40))


@case
@only("wharf", "3.10 does not notice until the next method frame, 4.x answers 501")
def body_longer_than_announced(t):
    hard(t, PUBLISH + frame(HEAD, 1, content_header(3)) + frame(BODY, 1, b"four"), 501, None, (60, 40))


@case
def second_header(t):
    header = frame(HEAD, 1, content_header(3))
    hard(t, PUBLISH + header + header, 505)


@case
@only("wharf", "the hard cap of 512 MiB is younger than 3.10")
def announced_body_above_512_mib(t):
    hard(t, PUBLISH + frame(HEAD, 1, content_header(600 << 20)), 501, may_drop=True)


@case
def empty_body_frame_is_harmless(t):
    raw = t.channel()
    name = t.queue(raw)
    raw.send(method_frame(1, "basic.publish", 0, "", name, 0) + frame(HEAD, 1, content_header(2))
             + frame(BODY, 1, b"a") + frame(BODY, 1, b"") + frame(BODY, 1, b"b"))
    raw.method(1, "basic.get", 0, name, 1)
    equal(raw.content("basic.get-ok").body, b"ab")


@case
def unknown_method(t):
    hard(t, frame(METHOD, 1, struct.pack(">HH", 60, 999)), (540, 503), may_drop=True)


@case
def unknown_class(t):
    hard(t, frame(METHOD, 1, struct.pack(">HH", 999, 10)), (540, 503), may_drop=True)


@case
def method_frame_of_three_bytes(t):
    hard(t, frame(METHOD, 1, b"\x00\x32\x00"), (501, 502), may_drop=True)


@case
def truncated_arguments(t):
    hard(t, frame(METHOD, 1, struct.pack(">HHH", 50, 10, 0) + b"\x20abc"), (501, 502), may_drop=True)


@case
def bytes_after_the_last_argument(t):
    """Not worth a connection: either refused or ignored, but never a hang."""
    bystander, raw = t.login(), t.channel()
    raw.send(frame(METHOD, 1, method_frame(1, "basic.qos", 0, 1, 0)[7:-1] + b"more"))
    try:
        got = raw.next_method()
        assert got.name in ("basic.qos-ok", "connection.close"), got
    except Exception as error:  # pylint: disable=broad-except
        assert "closed" in str(error), error
    still_serving(bystander)


def declare_with_table(raw_table):
    return frame(METHOD, 1, struct.pack(">HHH", 50, 10, 0) + shortstr("lies") + b"\x00" + raw_table)


@case
def table_longer_than_the_frame(t):
    hard(t, declare_with_table(b"\x00\x00\x10\x00" + b"\x01aI\x00\x00\x00\x01"), (501, 502), may_drop=True)


@case
def table_value_cut_short(t):
    hard(t, declare_with_table(b"\x00\x00\x00\x05" + b"\x01aI\x00\x00"), (501, 502), may_drop=True)


@case
def table_of_4_gib(t):
    hard(t, declare_with_table(b"\xff\xff\xff\xff"), (501, 502), may_drop=True)


@case
def table_value_of_unknown_letter(t):
    hard(t, declare_with_table(b"\x00\x00\x00\x04" + b"\x01aZ\x00"), (501, 502), may_drop=True)


@case
def array_longer_than_its_table(t):
    hard(t, declare_with_table(b"\x00\x00\x00\x08" + b"\x01aA\x00\x00\x01\x00\x00"), (501, 502), may_drop=True)


@case
def tables_nested_deep(t):
    """A depth of 3000: an answer or an end, but the server lives."""
    bystander, raw = t.login(), t.channel()
    inner = b""
    for _ in range(3000):
        inner = b"\x01aF" + struct.pack(">I", len(inner)) + inner
    raw.send(declare_with_table(struct.pack(">I", len(inner)) + inner))
    try:
        if raw.next_method().name == "connection.close":
            return still_serving(bystander)
        raw.method(1, "queue.delete", 0, "lies", 0)
        raw.next_method()
    except Exception as error:  # pylint: disable=broad-except
        assert "closed" in str(error), error
    still_serving(bystander)


@case
def shortstr_not_utf8(t):
    bystander, raw = t.login(), t.channel()
    raw.send(frame(METHOD, 1, struct.pack(">HHH", 50, 10, 0) + b"\x02\xff\xfe" + b"\x00" + b"\0\0\0\0"))
    try:
        equal(close_of(raw.next_method(), "hard")[0], 501)
    except Exception as error:  # pylint: disable=broad-except
        assert "closed" in str(error), error
    still_serving(bystander)


@case
def heartbeat_on_channel_1(t):
    hard(t, frame(HEARTBEAT, 1, b""), (505, 501))


@case
def heartbeat_with_payload(t):
    hard(t, frame(HEARTBEAT, 0, b"beat"), 501)


@case
def content_header_flags_lie(t):
    """The header says content-type follows, and nothing does."""
    bystander, raw = t.login(), t.channel()
    name = t.queue(raw)
    raw.send(method_frame(1, "basic.publish", 0, "", name, 0) + frame(HEAD, 1, struct.pack(">HHQH", 60, 0, 0, 0x8000)))
    raw.method(1, "basic.get", 0, name, 1)
    try:
        raw.next_method()
    except Exception as error:  # pylint: disable=broad-except
        assert "closed" in str(error), error
    still_serving(bystander)


@case
def frames_split_at_every_byte(t):
    raw = t.channel()
    name = t.queue(raw)
    whole = (method_frame(1, "basic.publish", 0, "", name, 0) + frame(HEAD, 1, content_header(3))
             + frame(BODY, 1, b"abc") + method_frame(1, "basic.get", 0, name, 1))
    for octet in whole:
        raw.send(bytes([octet]))
    equal(raw.content("basic.get-ok").body, b"abc")
    assert whole[-1] == END


@case
def content_of_two_channels_interleaved(t):
    raw = t.channel()
    raw.open(2)
    name = t.queue(raw)
    raw.send(method_frame(1, "basic.publish", 0, "", name, 0) + method_frame(2, "basic.publish", 0, "", name, 0)
             + frame(HEAD, 1, content_header(2)) + frame(HEAD, 2, content_header(2))
             + frame(BODY, 2, b"22") + frame(BODY, 1, b"1") + frame(BODY, 1, b"1"))
    bodies = set()
    raw.call(1, "basic.qos", 0, 1, 0)
    raw.call(2, "basic.qos", 0, 1, 0)
    for _ in range(2):
        raw.method(1, "basic.get", 0, name, 1)
        bodies.add(raw.content("basic.get-ok").body)
    equal(bodies, {b"11", b"22"})


@case
def after_a_hard_error_the_rest_is_discarded(t):
    raw = t.channel()
    raw.send(frame(BODY, 1, b"x") + method_frame(1, "basic.qos", 0, 1, 0))
    expect_hard(raw, 505)


@case
def crossing_connection_close(t):
    raw = t.channel()
    raw.send(frame(BODY, 1, b"x"))
    raw.next_method()
    raw.method(0, "connection.close", 200, "crossing", 0, 0)
    equal(raw.next_method().name, "connection.close-ok")
