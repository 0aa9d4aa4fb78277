"""Requests and answers across protocols, and the durable queue that any of them fills. Each case returns what the page
says of it: asked by, through, answered by, seen."""

import subprocess
import threading
import time

import nats.errors
import pika

from clients import Amqp, Nats, Redis

SECONDS = 10
CASES = []


def case(function):
    CASES.append(function)
    return function


def equal(got, want):
    assert got == want, f"got {got!r}, expected {want!r}"


class Rig:
    """The server, and clients that are closed at the end of a case."""

    def __init__(self, server):
        self.server, self.open = server, []

    def client(self, kind):
        url = {Amqp: self.server.url, Nats: self.server.nats_url, Redis: self.server.redis_url}[kind]
        self.open.append(kind(url))
        return self.open[-1]

    def close(self):
        while self.open:
            try:
                self.open.pop().close()
            except Exception:  # pylint: disable=broad-exception-caught  # its server may have been killed
                pass


class Worker:
    """A pika consumer in a thread of its own that answers through reply_to, as RabbitMQ's tutorial has it."""

    def __init__(self, rig, queue):
        self.client = Amqp(rig.server.url)
        self.channel, self.stopping = self.client.connection.channel(), False
        self.channel.queue_declare(queue, exclusive=True)
        self.channel.basic_consume(queue, self.answer)
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.stopping:
            self.client.connection.process_data_events(time_limit=0.05)
        self.client.close()

    @staticmethod
    def answer(channel, method, properties, body):
        channel.basic_publish("", properties.reply_to, b"re:" + body,
                              pika.BasicProperties(correlation_id=properties.correlation_id))
        channel.basic_ack(method.delivery_tag)

    def close(self):
        self.stopping = True
        self.thread.join(SECONDS)


@case
def nats_asks_a_queue(rig):
    client = rig.client(Nats)
    rig.open.append(Worker(rig, "crossing.service"))
    for body in (b"hello", b"\0\1\2", b"x" * 100_000):
        answer = client.run(client.client.request("crossing.service", body, timeout=SECONDS))
        equal(answer.data, b"re:" + body)
    equal(answer.subject.split(".")[0], "_INBOX")
    return "NATS request", "queue of the subject's name", "pika consumer, through `reply_to`", "the answer"


@case
def nats_asks_nobody(rig):
    client = rig.client(Nats)
    try:
        client.run(client.client.request("crossing.nobody", b"", timeout=SECONDS))
    except nats.errors.NoRespondersError:
        return "NATS request", "a name that is no queue", "nobody", "503, no responders, at once"
    raise AssertionError("somebody answered")


def ask_a_responder(rig, reply_queue, auto_ack):
    """A pika client asks, a NATS responder answers to the reply subject and gives the correlation id back."""
    responder, client = rig.client(Nats), rig.client(Amqp)

    async def answer(message):
        await responder.client.publish(message.reply, b"re:" + message.data,
                                       headers={"Correlation-Id": message.headers["Correlation-Id"]})
    responder.run(responder.client.subscribe("crossing.responder", cb=answer))
    responder.run(responder.client.flush())
    # Its own connection's channel: the one that asks must be the one that consumes.
    channel, got = client.channel, []
    channel.basic_consume(reply_queue, lambda _c, _m, properties, body: got.append((properties.correlation_id, body)),
                          auto_ack=auto_ack)
    for number in range(20):
        channel.basic_publish("", "crossing.responder", str(number).encode(),
                              pika.BasicProperties(reply_to=reply_queue, correlation_id=f"c-{number}"), mandatory=True)
    end = time.monotonic() + SECONDS
    while len(got) < 20 and time.monotonic() < end:
        client.connection.process_data_events(time_limit=0.05)
    equal(got, [(f"c-{number}", f"re:{number}".encode()) for number in range(20)])


@case
def direct_reply_to_from_nats(rig):
    ask_a_responder(rig, "amq.rabbitmq.reply-to", True)
    return ("pika, direct reply-to", "default exchange, subject of the key's name", "NATS responder",
            "the answer, with its correlation id")


@case
def reply_queue_from_nats(rig):
    client = rig.client(Amqp)
    # Exclusive to its connection: so the same one asks.
    queue = client.channel.queue_declare("", exclusive=True).method.queue
    original = rig.client
    rig.client = lambda kind: client if kind is Amqp else original(kind)
    try:
        ask_a_responder(rig, queue, False)
    finally:
        del rig.client
    return ("pika, exclusive reply queue", "default exchange, subject of the key's name", "NATS responder",
            "the answer, with its correlation id")


@case
def redis_feeds_a_durable_queue(rig):
    """`redis-cli PUBLISH task_queue hello`, heard live, kept over kill -9, worked by pika."""
    rig.client(Amqp).channel.queue_declare("task_queue", durable=True)
    listener = rig.client(Nats)
    subject, everything = (listener.hear(way, "task_queue") for way in ("subject", "subject >"))
    done = subprocess.run(["redis-cli", "-u", rig.server.redis_url, "PUBLISH", "task_queue", "hello"],
                          capture_output=True, text=True, timeout=SECONDS, check=True)
    equal(done.stdout.strip(), "3")
    for each in (subject, everything):
        heard = each.next(SECONDS)
        equal((heard.name, heard.body), ("task_queue", b"hello"))
    rig.server.kill()
    rig.server.start()
    channel = rig.client(Amqp).channel
    method, properties, body = next(channel.consume("task_queue", inactivity_timeout=SECONDS))
    equal((body, properties.delivery_mode), (b"hello", 2))
    channel.basic_ack(method.delivery_tag)
    channel.cancel()
    channel.queue_delete("task_queue")
    return ("redis-cli `PUBLISH task_queue hello`", "durable queue, kill -9 while it waits there", "pika worker",
            "the message; heard live by NATS subscribers of `task_queue` and of `>`")
