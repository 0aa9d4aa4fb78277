"""Queue declarations, deletion, purge, names, lifetimes."""

import time

from context import channel_error, collect, drain, drop, get, put, ready, settle_down, take, wait_ready
from harness import case, equal, until


def exists(t, name):
    """Asked on a connection of its own, since a miss closes the channel."""
    from pika import exceptions  # pylint: disable=import-outside-toplevel
    connection = t.connect()
    try:
        connection.channel().queue_declare(name, passive=True)
        return True
    except exceptions.ChannelClosedByBroker as closed:
        return closed.reply_code != 404
    finally:
        connection.close()


@case
def declare_counts_ready_and_consumers(t):
    connection = t.connect()
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    name = t.queue(channel)
    put(channel, name, b"a", b"b", b"c")
    wait_ready(channel, name, 3)
    got = []
    collect(channel, name, got)
    take(connection, got, 1)
    answer = channel.queue_declare(name, durable=True).method
    equal((answer.queue, answer.message_count, answer.consumer_count), (name, 2, 1))


@case
def server_named(t):
    channel = t.channel()
    one, two = (channel.queue_declare("", exclusive=True).method.queue for _ in range(2))
    assert one.startswith("amq.gen-") and one != two, (one, two)
    channel.queue_bind("", "amq.direct", "last")
    channel.basic_publish("amq.direct", "last", b"x")
    equal(get(channel, two)[2], b"x")


@case
def bind_with_everything_empty_uses_the_last_queue(t):
    channel = t.channel()
    name = t.queue(channel)
    channel.queue_bind("", "amq.direct", "")
    channel.basic_publish("amq.direct", name, b"x")
    equal(get(channel, name)[2], b"x")


@case
def exclusive_belongs_to_its_connection(t):
    owner = t.connect()
    channel, sibling = owner.channel(), owner.channel()
    name = t.queue(channel, exclusive=True)
    put(sibling, name, b"x")
    equal(get(sibling, name)[2], b"x")
    other = t.connect()
    channel_error(405, "^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue",
                  lambda: other.channel().basic_get(name))
    owner.close()
    equal(exists(t, name), False)


@case
def exclusive_goes_with_a_dropped_connection(t):
    owner = t.connect()
    name = t.queue(owner.channel(), exclusive=True)
    drop(owner)
    until(lambda: not exists(t, name), what="queue gone")


@case
def auto_delete_dies_with_the_last_consumer(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel, auto_delete=True)
    put(channel, name, b"x")
    equal(exists(t, name), True)
    one, two = (collect(channel, name, []) for _ in range(2))
    channel.basic_cancel(one)
    equal(exists(t, name), True)
    channel.basic_cancel(two)
    until(lambda: not exists(t, name), what="queue gone")


@case
def auto_delete_dies_with_the_connection(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel, auto_delete=True)
    collect(channel, name, [])
    connection.close()
    until(lambda: not exists(t, name), what="queue gone")


@case
def inequivalent_argument(t):
    channel = t.channel()
    name = t.queue(channel)
    channel_error(406, f"^PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '{name}' in vhost '/': "
                       "received the value '10' of type 'signedint' but current is none$",
                  lambda: channel.queue_declare(name, durable=True, arguments={"x-max-length": 10}))


@case
def inequivalent_durable(t):
    channel = t.channel()
    name = t.queue(channel)
    channel_error(406, f"^PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{name}' in vhost '/': "
                       "received 'false' but current is 'true'$", lambda: channel.queue_declare(name))


@case
def purge_counts_ready_only(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, *[b"x"] * 5)
    wait_ready(channel, name, 5)
    tag = get(channel, name, auto_ack=False)[0].delivery_tag
    equal(channel.queue_purge(name).method.message_count, 4)
    channel.basic_nack(tag)
    wait_ready(channel, name, 1)
    equal(channel.queue_purge(name).method.message_count, 1)


@case
def delete_counts_messages(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, *[b"x"] * 3)
    wait_ready(channel, name, 3)
    equal(channel.queue_delete(name).method.message_count, 3)
    equal(channel.queue_delete(name).method.message_count, 0)


@case
def delete_if_empty(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x")
    wait_ready(channel, name, 1)
    other = t.channel()
    channel_error(406, "not empty$", lambda: other.queue_delete(name, if_empty=True))
    channel.queue_purge(name)
    channel.queue_delete(name, if_empty=True)
    equal(exists(t, name), False)


@case
def delete_if_unused(t):
    channel = t.channel()
    name = t.queue(channel)
    tag = collect(channel, name, [])
    other = t.channel()
    channel_error(406, "in use$", lambda: other.queue_delete(name, if_unused=True))
    channel.basic_cancel(tag)
    channel.queue_delete(name, if_unused=True)
    equal(exists(t, name), False)


@case
def names_of_any_text(t):
    channel = t.channel()
    for text in ("\u00fcn\u00efc\u00f6d\u00e9 \u4e2d\u6587 \U0001f407", "with space", "a/b?c=d#e%2f", "tab\tbell\a",
                 "." * 100, "amq", "Amq.upper", "\u4e2d" * 60):
        name = t.name(text)
        channel.queue_declare(name, exclusive=True)
        put(channel, name, text.encode())
        equal(drain(channel, name, 1), [text.encode()])


@case
def name_of_255_bytes(t):
    channel = t.channel()
    name = t.name("n" * (255 - len(t.prefix) - 1))
    equal(len(name), 255)
    channel.queue_declare(name, exclusive=True)
    put(channel, name, b"x")
    equal(drain(channel, name, 1), [b"x"])


@case
def expires_deletes_an_unused_queue(t):
    channel = t.channel()
    name = t.queue(channel, arguments={"x-expires": 400})
    equal(exists(t, name), True)
    time.sleep(1)
    until(lambda: not exists(t, name), 2, "queue gone")


@case
def expires_waits_while_consumed_or_got(t):
    connection = t.connect()
    channel = connection.channel()
    used = t.queue(channel, "used", arguments={"x-expires": 700})
    polled = t.queue(channel, "polled", arguments={"x-expires": 700})
    collect(channel, used, [])
    for _ in range(6):
        channel.basic_get(polled)
        settle_down(connection, 0.25)
    equal((exists(t, used), exists(t, polled)), (True, True))


@case
def unknown_arguments_are_kept_and_ignored(t):
    channel = t.channel()
    t.queue(channel, arguments={"x-celery": "yes", "my-table": {"a": [1, 2]}, "x-ha-policy": "all"})


@case
def modes_and_versions_of_old(t):
    channel = t.channel()
    t.queue(channel, "lazy", arguments={"x-queue-mode": "lazy"})
    t.queue(channel, "v1", arguments={"x-queue-version": 1})
    t.queue(channel, "v2", arguments={"x-queue-version": 2})
    t.queue(channel, "place", arguments={"x-queue-master-locator": "client-local"})


@case
def transient_queue_is_accepted(t):
    channel = t.channel()
    name = t.queue(channel, durable=False)
    put(channel, name, b"x")
    wait_ready(channel, name, 1)
    equal(ready(channel, name), 1)


@case
def stream_type(t):
    channel = t.channel()
    declare = lambda: channel.queue_declare(t.name(), durable=True, arguments={"x-queue-type": "stream"})
    if t.by_name(rabbitmq=False, wharf=True, why="Wharf has no streams over AMQP 0-9-1"):
        channel_error(406, "stream", declare)
    else:
        declare()
