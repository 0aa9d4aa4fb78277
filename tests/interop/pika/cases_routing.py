"""Exchanges of each type, bindings between them, alternate exchanges, CC and BCC."""

import pika

from context import channel_error, connection_error, drain, get, put, settle_down, wait_ready
from harness import case, equal


def publish(channel, exchange, key, body=None, **properties):
    """With confirms, so that the message is in its queues when this returns."""
    if not channel._delivery_confirmation:  # pylint: disable=protected-access
        channel.confirm_delivery()
    channel.basic_publish(exchange, key, body or key.encode(), pika.BasicProperties(**properties))


def bodies(channel, *queues):
    """What each queue holds now."""
    out = []
    for queue in queues:
        count = channel.queue_declare(queue, passive=True).method.message_count
        out.append(sorted(drain(channel, queue, count)))
    return out


@case
def default_exchange_routes_by_queue_name(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"here")
    put(channel, name + ".not", b"nowhere")
    equal(drain(channel, name, 1), [b"here"])


@case
def direct(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    red, blue, both = (t.queue(channel, suffix) for suffix in ("red", "blue", "both"))
    for queue, key in ((red, "red"), (blue, "blue"), (both, "red"), (both, "blue"), (both, "red")):
        channel.queue_bind(queue, exchange, key)
    for key in ("red", "blue", "green", "RED"):
        publish(channel, exchange, key)
    equal(bodies(channel, red, blue, both), [[b"red"], [b"blue"], [b"blue", b"red"]])


@case
def fanout_ignores_the_key(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    one, two = t.bound(channel, exchange, "", "one"), t.bound(channel, exchange, "key", "two")
    publish(channel, exchange, "whatever")
    equal(bodies(channel, one, two), [[b"whatever"], [b"whatever"]])


TOPICS = {
    "*.orange.*": ("quick.orange.rabbit", "lazy.orange.elephant"),
    "*.*.rabbit": ("quick.orange.rabbit", "lazy.pink.rabbit"),
    "lazy.#": ("lazy.orange.elephant", "lazy.brown.fox", "lazy.pink.rabbit", "lazy", "lazy.orange.new.rabbit"),
    "#": ("quick.orange.rabbit", "lazy.orange.elephant", "quick.brown.fox", "lazy.brown.fox", "lazy.pink.rabbit",
          "lazy", "lazy.orange.new.rabbit", "", "a..b", "."),
    "": ("",),
    "*": ("lazy", ""),
    "a..b": ("a..b",),
    "a.*.b": ("a..b",),
    "#.rabbit": ("quick.orange.rabbit", "lazy.pink.rabbit", "lazy.orange.new.rabbit"),
    "lazy.#.rabbit": ("lazy.pink.rabbit", "lazy.orange.new.rabbit"),
    "#.#": ("quick.orange.rabbit", "lazy.orange.elephant", "quick.brown.fox", "lazy.brown.fox", "lazy.pink.rabbit",
            "lazy", "lazy.orange.new.rabbit", "", "a..b", "."),
    "*.*": (".",),
}


@case
def topic(t):
    channel = t.channel()
    exchange = t.exchange(channel, "topic")
    queues = {pattern: t.bound(channel, exchange, pattern, f"q{number}") for number, pattern in enumerate(TOPICS)}
    for key in TOPICS["#"]:
        publish(channel, exchange, key, key.encode() or b"empty")
    for pattern, keys in TOPICS.items():
        # RabbitMQ takes the empty key as no word at all.
        want = sorted(key.encode() or b"empty" for key in keys if not (pattern == "*" and key == ""))
        equal(bodies(channel, queues[pattern])[0], want, f"pattern {pattern!r}")


@case
def topic_unbind_of_one_pattern(t):
    channel = t.channel()
    exchange = t.exchange(channel, "topic")
    name = t.bound(channel, exchange, "a.#")
    channel.queue_bind(name, exchange, "a.b.c")
    channel.queue_unbind(name, exchange, "a.#")
    publish(channel, exchange, "a.b")
    publish(channel, exchange, "a.b.c")
    equal(bodies(channel, name), [[b"a.b.c"]])


HEADERS = (
    ("all", {"x-match": "all", "format": "pdf", "type": "report"}, {b"both", b"more"}),
    ("default", {"format": "pdf", "type": "report"}, {b"both", b"more"}),
    ("any", {"x-match": "any", "format": "pdf", "type": "log"}, {b"both", b"more", b"one", b"log"}),
    ("present", {"x-match": "all", "type": None}, {b"both", b"more", b"log"}),
    ("number", {"x-match": "all", "n": 5}, {b"number"}),
    ("nothing-all", {"x-match": "all"}, {b"both", b"more", b"one", b"log", b"number", b"text number", b"none"}),
    ("nothing-any", {"x-match": "any"}, set()),
    ("x-keys-ignored", {"x-match": "all", "x-mine": "no", "format": "pdf"}, {b"both", b"more", b"one"}),
)


@case
def headers(t):
    channel = t.channel()
    exchange = t.exchange(channel, "headers")
    queues = {name: t.bound(channel, exchange, "", name, arguments) for name, arguments, _ in HEADERS}
    for body, table in ((b"both", {"format": "pdf", "type": "report"}), (b"one", {"format": "pdf"}),
                        (b"more", {"format": "pdf", "type": "report", "extra": 1}), (b"log", {"type": "log"}),
                        (b"number", {"n": 5}), (b"text number", {"n": "5"}), (b"none", None)):
        publish(channel, exchange, "", body, headers=table)
    for name, _, want in HEADERS:
        equal(set(bodies(channel, queues[name])[0]), want, f"binding {name}")


@case
def headers_with_x(t):
    channel = t.channel()
    exchange = t.exchange(channel, "headers")
    every = t.bound(channel, exchange, "", "every", {"x-match": "all-with-x", "x-a": "1", "b": "2"})
    some = t.bound(channel, exchange, "", "some", {"x-match": "any-with-x", "x-a": "1", "b": "2"})
    for body, table in ((b"both", {"x-a": "1", "b": "2"}), (b"b", {"b": "2"}), (b"a", {"x-a": "1"}), (b"-", {})):
        publish(channel, exchange, "", body, headers=table)
    equal(bodies(channel, every, some), [[b"both"], [b"a", b"b", b"both"]])


@case
def headers_bad_match(t):
    channel = t.channel()
    exchange = t.exchange(channel, "headers")
    name = t.queue(channel)
    channel_error(406, "x-match", lambda: channel.queue_bind(name, exchange, "", {"x-match": "some"}))


@case
def exchange_to_exchange(t):
    channel = t.channel()
    source, middle = t.exchange(channel, "topic", "source"), t.exchange(channel, "direct", "middle")
    name = t.bound(channel, middle, "a.b")
    channel.queue_bind(name, source, "a.*")  # reached twice, delivered once
    channel.exchange_bind(middle, source, "a.#")
    publish(channel, source, "a.b")
    publish(channel, source, "a.b.c")
    equal(bodies(channel, name), [[b"a.b"]])
    channel.exchange_unbind(middle, source, "a.#")
    channel.queue_unbind(name, source, "a.*")
    publish(channel, source, "a.b")
    equal(bodies(channel, name), [[]])


@case
def exchange_cycle(t):
    channel = t.channel()
    one, two = t.exchange(channel, "fanout", "one"), t.exchange(channel, "fanout", "two")
    channel.exchange_bind(one, two)
    channel.exchange_bind(two, one)
    name = t.bound(channel, two)
    publish(channel, one, "k")
    equal(bodies(channel, name), [[b"k"]])


@case
def internal_exchange(t):
    channel = t.channel()
    outer = t.exchange(channel, "fanout", "outer")
    inner = t.exchange(channel, "fanout", "inner", internal=True)
    channel.exchange_bind(inner, outer)
    name = t.bound(channel, inner)
    publish(channel, outer, "k")
    equal(drain(channel, name, 1), [b"k"])
    channel_error(403, "internal exchange", lambda: publish(channel, inner, "k"))


@case
def alternate_exchange(t):
    channel = t.channel()
    last = t.exchange(channel, "fanout", "last")
    second = t.exchange(channel, "direct", "second", arguments={"alternate-exchange": last})
    first = t.exchange(channel, "direct", "first", arguments={"alternate-exchange": second})
    one, two, three = t.bound(channel, first, "1", "one"), t.bound(channel, second, "2", "two"), t.bound(channel, last)
    for key in "123":
        publish(channel, first, key)
    equal(bodies(channel, one, two, three), [[b"1"], [b"2"], [b"3"]])


@case
def alternate_exchange_loop_ends_unrouted(t):
    channel = t.channel()
    one, two = t.name("one"), t.name("two")
    channel.exchange_declare(one, "direct", arguments={"alternate-exchange": two})
    channel.exchange_declare(two, "direct", arguments={"alternate-exchange": one})
    returned = []
    channel.add_on_return_callback(lambda *args: returned.append(args[1].reply_code))
    channel.basic_publish(one, "k", b"x", mandatory=True)
    settle_down(channel.connection)
    equal(returned, [312])


@case
def mandatory_return(t):
    channel = t.channel()
    returned = []
    channel.add_on_return_callback(lambda _, method, properties, body: returned.append((method, properties, body)))
    channel.basic_publish("amq.direct", "nobody", b"back", pika.BasicProperties(message_id="7", headers={"k": 1}), True)
    settle_down(channel.connection)
    equal(len(returned), 1)
    method, properties, body = returned[0]
    equal((method.reply_code, method.reply_text, method.exchange, method.routing_key),
          (312, "NO_ROUTE", "amq.direct", "nobody"))
    equal((properties.message_id, properties.headers, body), ("7", {"k": 1}, b"back"))


@case
def cc_and_bcc(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queues = [t.bound(channel, exchange, key, key) for key in ("to", "copy", "blind")]
    publish(channel, exchange, "to", b"x", headers={"CC": ["copy", "to"], "BCC": ["blind"], "k": 1})
    for queue in queues:
        equal(get(channel, queue)[1].headers, {"CC": ["copy", "to"], "k": 1})
        wait_ready(channel, queue, 0)


@case
def cc_through_the_default_exchange(t):
    channel = t.channel()
    one, two = t.queue(channel, "one"), t.queue(channel, "two")
    publish(channel, "", one, b"x", headers={"CC": [two]})
    equal(bodies(channel, one, two), [[b"x"], [b"x"]])


@case
def auto_delete_exchange(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout", auto_delete=True)
    channel.exchange_declare(exchange, "fanout", passive=True)
    name = t.bound(channel, exchange)
    channel.queue_unbind(name, exchange, "")
    channel_error(404, "no exchange", lambda: channel.exchange_declare(exchange, passive=True))


@case
def deleting_an_exchange_drops_its_bindings(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    name = t.bound(channel, exchange)
    channel.exchange_delete(exchange)
    channel.exchange_declare(exchange, "fanout")
    publish(channel, exchange, "k")
    equal(bodies(channel, name), [[]])


@case
def deleting_a_queue_drops_its_bindings(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    name = t.bound(channel, exchange)
    channel.queue_delete(name)
    channel.exchange_delete(exchange, if_unused=True)


@case
def unknown_exchange_type(t):
    action = lambda: t.channel().exchange_declare(t.name("x"), "nonsense")
    check, code = t.by_name(rabbitmq=(connection_error, 503), wharf=(channel_error, 406),
                            why="3.13 made an unknown exchange type a channel error")
    check(code, "unknown exchange type 'nonsense'", action)
