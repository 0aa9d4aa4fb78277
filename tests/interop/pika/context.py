"""What the pika cases share."""

import logging
import socket

import pika
from pika import exceptions

from harness import Context, equal, matches, until

logging.getLogger("pika").setLevel(logging.CRITICAL)
PERSISTENT = pika.BasicProperties(delivery_mode=2)


class PikaContext(Context):
    def parameters(self, **changes):
        parameters = pika.URLParameters(self.url)
        parameters.heartbeat = 0
        parameters.socket_timeout = parameters.stack_timeout = 10
        for name, value in changes.items():
            setattr(parameters, name, value)
        return parameters

    def connect(self, **changes):
        connection = pika.BlockingConnection(self.parameters(**changes))
        self.at_end(connection.close)
        return connection

    def channel(self, **changes):
        return self.connect(**changes).channel()

    def queue(self, channel, suffix="q", **options):
        """Declares a queue that the case owns; durable unless told otherwise."""
        name = self.name(suffix)
        options.setdefault("durable", True)
        channel.queue_declare(name, **options)
        return name

    def exchange(self, channel, kind, suffix="x", **options):
        name = self.name(suffix)
        channel.exchange_declare(name, kind, **options)
        return name

    def bound(self, channel, exchange, key="", suffix="q", arguments=None):
        name = self.queue(channel, suffix)
        channel.queue_bind(name, exchange, key, arguments)
        return name

    def clean(self):
        super().clean()
        try:
            connection = pika.BlockingConnection(self.parameters())
            for name in self.names:
                for kind in ("queue_delete", "exchange_delete"):
                    channel = connection.channel()
                    try:
                        getattr(channel, kind)(name)
                        channel.close()
                    except exceptions.AMQPChannelError:
                        pass
            connection.close()
        except exceptions.AMQPError:
            pass


def put(channel, queue, *bodies, properties=None):
    for body in bodies:
        channel.basic_publish("", queue, body, properties)


def get(channel, queue, auto_ack=True, seconds=5):
    """One message as (method, properties, body), waiting a little: publishing without confirms is not instant."""
    def attempt():
        got = channel.basic_get(queue, auto_ack)
        return got if got[0] else None
    return until(attempt, seconds, f"a message in {queue}")


def drain(channel, queue, count, seconds=5):
    """Exactly `count` bodies, and then the queue is empty."""
    bodies = [get(channel, queue, seconds=seconds)[2] for _ in range(count)]
    equal(channel.basic_get(queue, True)[0], None, f"queue {queue} after {count} messages {bodies[:5]}")
    return bodies


def ready(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def wait_ready(channel, queue, count, seconds=5):
    until(lambda: ready(channel, queue) == count, seconds, f"{count} ready in {queue} (now {ready(channel, queue)})")


def take(connection, received, count, seconds=5):
    """Runs the connection's loop until so many deliveries are in `received`."""
    def enough():
        connection.process_data_events(time_limit=0.05)
        return len(received) >= count
    until(enough, seconds, f"{count} deliveries (have {len(received)})")


def settle_down(connection, seconds=0.4):
    connection.process_data_events(time_limit=seconds)


def drop(connection):
    """Ends the socket without a word of AMQP, as a crashed client does."""
    connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)  # pylint: disable=protected-access


def collect(channel, queue, received, **options):
    """A consumer that stores (method, properties, body)."""
    return channel.basic_consume(queue, lambda _, method, properties, body:
                                 received.append((method, properties, body)), **options)


def channel_error(code, text, action):
    """`action` must close the channel with this; pika raises at the next call when the fault is asynchronous."""
    try:
        action()
    except exceptions.ChannelClosedByBroker as closed:
        equal(closed.reply_code, code, closed.reply_text)
        matches(closed.reply_text, text)
        return
    raise AssertionError(f"nothing raised, expected {code} {text}")


def connection_error(code, text, action):
    try:
        action()
    except exceptions.ConnectionClosedByBroker as closed:
        equal(closed.reply_code, code, closed.reply_text)
        matches(closed.reply_text, text)
        return
    raise AssertionError(f"nothing raised, expected {code} {text}")
