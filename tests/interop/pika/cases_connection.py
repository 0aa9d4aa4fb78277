"""Logging in, channels, heartbeats, closing."""

import threading
import time

import pika
from pika import exceptions

from context import channel_error, connection_error, drain, get, put
from harness import case, equal, until


def refused(t, error, **changes):
    try:
        t.connect(**changes)
    except error as got:
        return got
    raise AssertionError("the connection was accepted")


@case
def bad_password(t):
    got = refused(t, exceptions.ProbableAuthenticationError, credentials=pika.PlainCredentials("guest", "wrong"))
    assert "403" in str(got), got


@case
def missing_vhost(t):
    got = refused(t, exceptions.ProbableAccessDeniedError, virtual_host="no-such-vhost")
    assert "(530) 'NOT_ALLOWED - vhost no-such-vhost not found'" in str(got), got


@case
def many_channels(t):
    connection = t.connect()
    channels = [connection.channel() for _ in range(200)]
    name = t.queue(channels[0])
    for number, channel in enumerate(channels):
        put(channel, name, b"%d" % number)
    for channel in channels:
        channel.close()
    equal(sorted(map(int, drain(connection.channel(), name, 200))), list(range(200)))


@case
def negotiated_channel_max(t):
    connection = t.connect(channel_max=5)
    for _ in range(5):
        connection.channel()
    try:
        connection.channel()
    except exceptions.NoFreeChannels:
        return
    raise AssertionError("pika opened a sixth channel")


@case
def highest_channel_number(t):
    connection = t.connect()
    channel = connection.channel(2047)
    put(channel, t.queue(channel), b"x")


@case
def heartbeat_of_one_second_survives_idle(t):
    connection = t.connect(heartbeat=1)
    channel = connection.channel()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        connection.process_data_events(time_limit=0.3)
    put(channel, t.queue(channel), b"alive")


@case
def client_that_stops_is_dropped(t):
    """A consumer that hangs loses its connection, and its message goes back."""
    connection = t.connect(heartbeat=1)
    channel = connection.channel()
    name = t.queue(channel)
    put(channel, name, b"held")
    get(channel, name, auto_ack=False)
    other = t.channel()
    method, _, body = get(other, name, seconds=8)
    equal((body, method.redelivered), (b"held", True))


@case
def channel_error_leaves_the_connection(t):
    connection = t.connect()
    channel, neighbour = connection.channel(), connection.channel()
    channel_error(404, "^NOT_FOUND - no queue 'nothing-here' in vhost '/'$",
                  lambda: channel.queue_declare("nothing-here", passive=True))
    assert channel.is_closed and neighbour.is_open and connection.is_open
    put(neighbour, t.queue(neighbour), b"x")


@case
def connection_error_closes_everything(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    connection_error(530, "^NOT_ALLOWED - attempt to reuse consumer tag 'same'$", lambda: consume_twice(channel, name))
    until(lambda: connection.is_closed, what="closed connection")


def consume_twice(channel, name):
    # pika itself refuses a known tag, so it has to forget the first one.
    channel.basic_consume(name, lambda *_: None, consumer_tag="same")
    channel._consumer_infos.clear()  # pylint: disable=protected-access
    channel._impl._consumers.clear()  # pylint: disable=protected-access
    channel.basic_consume(name, lambda *_: None, consumer_tag="same")


@case
def publish_to_missing_exchange_closes_later(t):
    channel = t.channel()
    channel.basic_publish("no-such-exchange", "k", b"x")
    channel_error(404, "^NOT_FOUND - no exchange 'no-such-exchange' in vhost '/'$",
                  lambda: channel.queue_declare("", exclusive=True))


@case
def ten_connections_work_at_once(t):
    names, errors = [t.name(f"q{number}") for number in range(10)], []
    setup = t.channel()
    for name in names:
        setup.queue_declare(name, durable=True)

    def work(name):
        try:
            connection = pika.BlockingConnection(t.parameters())
            channel = connection.channel()
            put(channel, name, *[b"%d" % number for number in range(50)])
            equal(drain(channel, name, 50), [b"%d" % number for number in range(50)])
            connection.close()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    equal(errors, [])


@case
def reconnecting_many_times(t):
    for _ in range(30):
        connection = pika.BlockingConnection(t.parameters())
        connection.channel()
        connection.close()


@case
def client_properties_are_accepted(t):
    t.connect(client_properties={"connection_name": "interop \u2713", "nested": {"list": [1, "two"]}})
