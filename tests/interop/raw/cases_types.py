"""Header tables: every type letter goes through a queue and comes back as the same type and value."""

import decimal

from fields import Tagged
from harness import case, equal

EVERY = {
    "t": Tagged("t", True), "t0": Tagged("t", False), "b": Tagged("b", -7), "B": Tagged("B", 200),
    "s": Tagged("s", -30000), "u": Tagged("u", 60000), "I": Tagged("I", -2**31), "i": Tagged("i", 2**32 - 1),
    "l": Tagged("l", -2**63), "f": Tagged("f", 0.5), "d": Tagged("d", 1e300),
    "D": Tagged("D", decimal.Decimal("12.34")), "S": Tagged("S", "text \u00e9 \u4e2d"), "S0": Tagged("S", ""),
    "x": Tagged("x", b"\x00\xff\xfe"), "T": Tagged("T", 1700000000), "V": Tagged("V", None),
    "A": Tagged("A", [Tagged("I", 1), Tagged("S", "two"), Tagged("A", []), Tagged("V", None)]),
    "F": Tagged("F", {"inner": Tagged("s", 1), "deeper": Tagged("F", {"x": Tagged("d", 0.25)})}),
}


def through_queue(t, **properties):
    raw = t.channel()
    name = t.queue(raw)
    raw.publish(1, "", name, b"body", **properties)
    raw.method(1, "basic.get", 0, name, 1)
    return raw.content("basic.get-ok").properties


@case
def every_type_round_trips(t):
    equal(through_queue(t, headers=EVERY)["headers"], EVERY)


@case
def every_type_survives_dead_lettering(t):
    """The broker edits this table (x-death), and must leave the rest as it was."""
    raw = t.channel()
    dead = t.queue(raw, "dead")
    name = t.queue(raw, "q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    raw.publish(1, "", name, b"body", headers=EVERY)
    raw.method(1, "basic.get", 0, name, 0)
    raw.content("basic.get-ok")
    raw.method(1, "basic.reject", 1, 0)
    raw.call(1, "basic.qos", 0, 0, 0)
    for _ in range(50):
        raw.method(1, "basic.get", 0, dead, 1)
        try:
            headers = raw.content("basic.get-ok").properties["headers"]
            break
        except AssertionError:
            continue
    kept = {key: value for key, value in headers.items() if key in EVERY}
    equal(kept, EVERY)
    equal(headers["x-death"].letter, "A")
    entry = headers["x-death"].value[0].value
    letters = {key: value.letter for key, value in entry.items()}
    equal(letters, {"count": "l", "reason": "S", "queue": "S", "time": "T", "exchange": "S", "routing-keys": "A"})


@case
def capital_l_becomes_small_l(t):
    equal(through_queue(t, headers={"n": Tagged("L", -5)})["headers"]["n"].value, -5)


@case
def empty_header_table(t):
    equal(through_queue(t, headers={})["headers"], {})


@case
def every_property_round_trips(t):
    properties = {"content_type": "text/plain", "content_encoding": "identity", "headers": {"k": Tagged("S", "v")},
                  "delivery_mode": 2, "priority": 200, "correlation_id": "c" * 255, "reply_to": "somewhere",
                  "expiration": "60000", "message_id": "m", "timestamp": 1700000000123456, "type": "kind",
                  "user_id": "guest", "app_id": "app", "cluster_id": "old"}
    equal(through_queue(t, **properties), properties)


@case
def odd_values_round_trip(t):
    properties = {"delivery_mode": t.by_name(rabbitmq=1, wharf=7, why="3.10 refuses other modes with 406"), "priority": 255, "timestamp": 2**64 - 1, "content_type": "", "type": "\u4e2d\u6587"}
    equal(through_queue(t, **properties), properties)


@case
def no_properties(t):
    equal(through_queue(t), {})


INTEGERS = [Tagged(letter, 5) for letter in "bBsuIilL"]
KINDS = {"integer": INTEGERS, "real": [Tagged("d", 5.0), Tagged("f", 5.0)], "text": [Tagged("S", "5"), Tagged("x", b"5")],
         "bool": [Tagged("t", True)], "other text": [Tagged("S", "5 ")]}


@case
def headers_exchanges_match_by_value(t):
    """Letters of one kind are the same to a headers exchange; a binding's V asks for presence only."""
    raw, exchange = t.channel(), t.name("x")
    raw.call(1, "exchange.declare", 0, exchange, "headers", 0, {})
    queues = {kind: t.queue(raw, kind) for kind in KINDS}
    for kind, (wanted, *_) in KINDS.items():
        raw.call(1, "queue.bind", 0, queues[kind], exchange, "", 0, {"x-match": "all", "n": wanted})
    anything = t.queue(raw, "anything")
    raw.call(1, "queue.bind", 0, anything, exchange, "", 0, {"x-match": "all", "n": None})
    raw.call(1, "confirm.select", 0)
    for kind, values in KINDS.items():
        for value in values:
            raw.publish(1, exchange, "", repr(value).encode(), headers={"n": value})
            raw.expect("basic.ack")
    numbers_are_one = t.by_name(rabbitmq=True, wharf=False, why="to 3.10 the integer 5 and the real 5.0 are equal")
    for kind, values in KINDS.items():
        if numbers_are_one and kind in ("integer", "real"):
            values = KINDS["integer"] + KINDS["real"]
        equal(raw.call(1, "queue.purge", 0, queues[kind], 0).args, [len(values)], kind)
    equal(raw.call(1, "queue.purge", 0, anything, 0).args, [sum(map(len, KINDS.values()))])
