"""The three protocols through the clients that people use, with one face: publish in a way, hear in a way, and what a
message says of itself as a list of items."""

import asyncio
import threading
import time

import nats.aio.client
import pika
import pika.data
import redis

import fields

SECONDS = 10

AMQP, NATS, REDIS = "AMQP", "NATS", "Redis"
PROTOCOLS = (AMQP, NATS, REDIS)

# An item is (place, kind, text). Those that mean the same in every protocol have the same place and kind.
REPLY_TO = "reply-to"
LETTERS = {"t": "bool", "b": "int8", "B": "uint8", "s": "int16", "u": "uint16", "I": "int32", "i": "uint32",
           "l": "int64", "f": "float", "d": "double", "D": "decimal", "T": "timestamp", "S": "text", "x": "bytes",
           "V": "void", "A": "array", "F": "table"}


class Heard:
    """One message, as its receiver saw it."""

    def __init__(self, name, body, items):
        self.name, self.body, self.items = name, body, items


# ---- AMQP

def encode_value(pieces, value):
    pieces.append(fields.field(value))
    return len(pieces[-1])


def decode_value(encoded, offset):
    reader = fields.Reader(encoded)
    reader.at = offset
    value = reader.field()
    # pika itself looks into tables, texts and truths.
    return value if value.letter in fields.INTEGERS else value.value, reader.at


# pika 1.2 writes integers with two letters only, and reads doubles as integers and some signs wrongly.
pika.data.encode_value, pika.data.decode_value = encode_value, decode_value

PROPERTIES = ("content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to",
              "expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id")


def text_of_value(tagged):
    letter, value = tagged.letter, tagged.value
    if letter == "V":
        return ""
    if letter == "t":
        return "true" if value else "false"
    if letter == "x":
        return value.hex()
    if letter == "A":
        return ", ".join(f"{LETTERS[item.letter]} {text_of_value(item)}" for item in map(tagged_of, value))
    if letter == "F":
        return ", ".join(f"{name}: {LETTERS[item.letter]} {text_of_value(item)}"
                         for name, item in ((name, tagged_of(each)) for name, each in value.items()))
    return str(value)


def tagged_of(value):
    return value if isinstance(value, fields.Tagged) else fields.tag_of(value)


def amqp_items(properties):
    items = []
    for name in PROPERTIES:
        value = getattr(properties, name)
        if value is not None:
            items.append((REPLY_TO if name == "reply_to" else f"property `{name}`", "text", str(value)))
    for name, value in (properties.headers or {}).items():
        tagged = tagged_of(value)
        items.append((f"header `{name}`", LETTERS[tagged.letter], text_of_value(tagged)))
    return items


class Amqp:
    WAYS = ("default exchange", "amq.topic")
    # A wildcard stands for the last segment, `#` for everything.
    HEARING = ("queue", "binding", "binding with *", "binding with #")

    def __init__(self, url):
        parameters = pika.URLParameters(url)
        parameters.heartbeat, parameters.socket_timeout = 0, SECONDS
        self.connection = pika.BlockingConnection(parameters)
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def publish(self, way, name, body=b"", said=None):
        self.channel.basic_publish("" if way == "default exchange" else "amq.topic", name, body,
                                   pika.BasicProperties(**(said or {})))

    def said_items(self, said):
        return amqp_items(pika.BasicProperties(**(said or {})))

    def hear(self, way, name):
        return AmqpQueue(self.connection, way, name)

    def close(self):
        self.connection.close()


class AmqpQueue:
    def __init__(self, connection, way, name):
        self.channel = connection.channel()
        own = name if way == "queue" else ""
        self.queue = self.channel.queue_declare(own, exclusive=True).method.queue
        keys = {"binding": name, "binding with *": ".".join([*name.split(".")[:-1], "*"]), "binding with #": "#"}
        if way in keys:
            self.channel.queue_bind(self.queue, "amq.topic", keys[way])

    def next(self, seconds):
        end = time.monotonic() + seconds
        while True:
            method, properties, body = self.channel.basic_get(self.queue, auto_ack=True)
            if method:
                return Heard(method.routing_key, body, amqp_items(properties))
            if time.monotonic() > end:
                return None
            time.sleep(0.005)

    def close(self):
        self.channel.queue_delete(self.queue)
        self.channel.close()


# ---- NATS

class Headers(dict):
    """What nats-py makes of a header block, and all of its lines: a dict has each name only once."""
    pairs = ()


class Pairs:
    """Headers to publish: nats-py asks for no more than this."""

    def __init__(self, pairs):
        self.pairs = pairs

    def items(self):
        return self.pairs


class NatsClient(nats.aio.client.Client):
    async def _process_headers(self, headers):
        known = await super()._process_headers(headers)
        if not headers:
            return known
        shown = Headers(known or {})
        lines = [line.partition(b":") for line in headers.split(b"\r\n")[1:] if line]
        shown.pairs = [(name.decode(), value.strip().decode()) for name, _, value in lines]
        return shown


def nats_items(reply, pairs):
    items = [(REPLY_TO, "text", reply)] if reply else []
    return items + [(f"header `{name}`", "text", value) for name, value in pairs]


class Loop:
    """An event loop in a thread of its own, so that the rest of the test is plain code."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine, seconds=SECONDS):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)


async def be_silent(_):
    pass


class Nats:
    WAYS = ("PUB",)
    HEARING = ("subject", "subject with *", "subject >", "queue group")

    def __init__(self, url):
        self.loop, self.client = Loop(), NatsClient()
        self.run(self.client.connect(url, allow_reconnect=False, error_cb=be_silent, max_outstanding_pings=10))

    def run(self, coroutine, seconds=SECONDS):
        return self.loop.run(coroutine, seconds)

    def publish(self, way, name, body=b"", said=None):
        assert way == "PUB"
        reply, pairs = said or ("", [])
        self.run(self.client.publish(name, body, reply=reply, headers=Pairs(pairs) if pairs else None))
        self.run(self.client.flush())

    def said_items(self, said):
        return nats_items(*(said or ("", [])))

    def hear(self, way, name):
        subject = {"subject with *": ".".join([*name.split(".")[:-1], "*"]), "subject >": ">"}.get(way, name)
        return NatsSubscription(self, subject, "workers" if way == "queue group" else "")

    def close(self):
        self.run(self.client.close())
        self.loop.close()


class NatsSubscription:
    def __init__(self, owner, subject, group):
        self.owner = owner
        self.subscription = owner.run(owner.client.subscribe(subject, queue=group))
        owner.run(owner.client.flush())

    def next(self, seconds):
        try:
            message = self.owner.run(self.subscription.next_msg(timeout=seconds), seconds + SECONDS)
        except nats.errors.TimeoutError:
            return None
        pairs = message.headers.pairs if message.headers is not None else []
        return Heard(message.subject, message.data, nats_items(message.reply, pairs))

    def close(self):
        self.owner.run(self.subscription.unsubscribe())
        self.owner.run(self.owner.client.flush())


# ---- Redis

class Redis:
    WAYS = ("PUBLISH",)
    HEARING = ("channel", "pattern", "shard channel")

    def __init__(self, url):
        self.client = redis.Redis.from_url(url, socket_timeout=SECONDS)

    def publish(self, way, name, body=b"", said=None):
        assert way == "PUBLISH" and not said
        return self.client.publish(name, body)

    def said_items(self, said):
        assert not said
        return []

    def hear(self, way, name):
        if way == "pattern":
            literal = "".join("\\" + byte if byte in "*?[]\\" else byte for byte in name[:-1])
            return RedisListener(self.client, "PSUBSCRIBE", literal + "*")
        return RedisListener(self.client, "SUBSCRIBE" if way == "channel" else "SSUBSCRIBE", name)

    def close(self):
        self.client.close()


class RedisListener:
    """redis-py 4's PubSub knows no shard channels; its connections do, as they do every push."""

    def __init__(self, client, command, name):
        self.connection = client.connection_pool.get_connection(command)
        self.connection.send_command(command, name)
        answer = self.connection.read_response()
        assert answer[0].upper() == command.encode(), answer

    def next(self, seconds):
        if not self.connection.can_read(timeout=seconds):
            return None
        *_, name, body = self.connection.read_response()
        return Heard(name.decode(), body, [])

    def close(self):
        self.connection.disconnect()


CLIENTS = {AMQP: Amqp, NATS: Nats, REDIS: Redis}

