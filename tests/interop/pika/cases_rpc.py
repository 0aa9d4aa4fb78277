"""Request and reply: direct reply-to and the classic callback queue."""

import pika
from pika import exceptions

from context import channel_error, collect, get, put, settle_down, take
from harness import case, equal

PSEUDO = "amq.rabbitmq.reply-to"


def requester(t):
    channel = t.channel()
    replies = []
    collect(channel, PSEUDO, replies, auto_ack=True)
    return channel, replies


@case
def direct_reply_to(t):
    channel, replies = requester(t)
    server = t.channel()
    name = t.queue(channel)
    for number in range(3):
        put(channel, name, b"%d" % number, properties=pika.BasicProperties(reply_to=PSEUDO, correlation_id=str(number)))
        _, properties, body = get(server, name)
        assert properties.reply_to.startswith(PSEUDO + ".") and len(properties.reply_to) <= 255, properties.reply_to
        server.basic_publish("", properties.reply_to, body * 2, pika.BasicProperties(correlation_id=str(number)))
        take(channel.connection, replies, number + 1)
        method, properties, body = replies[-1]
        equal((body, properties.correlation_id, method.exchange), (b"%d" % number * 2, str(number), ""))
        assert method.routing_key.startswith(PSEUDO + "."), method.routing_key


@case
def requester_is_visible_by_declaring_its_token(t):
    channel, _ = requester(t)
    server = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x", properties=pika.BasicProperties(reply_to=PSEUDO))
    token = get(server, name)[1].reply_to
    answer = server.queue_declare(token, passive=True).method
    equal((answer.queue, answer.message_count, answer.consumer_count), (token, 0, 1))
    channel.connection.close()
    settle_down(server.connection, 0.2)
    channel_error(404, "^NOT_FOUND", lambda: server.queue_declare(token, passive=True))


@case
def reply_to_a_requester_that_left(t):
    channel, _ = requester(t)
    server = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x", properties=pika.BasicProperties(reply_to=PSEUDO))
    token = get(server, name)[1].reply_to
    channel.connection.close()
    settle_down(server.connection, 0.2)
    server.basic_publish("", token, b"too late")
    t.queue(server, "still-here")


@case
def mandatory_reply(t):
    channel, replies = requester(t)
    server = t.channel()
    server.confirm_delivery()
    name = t.queue(channel)
    put(channel, name, b"x", properties=pika.BasicProperties(reply_to=PSEUDO))
    token = get(server, name)[1].reply_to
    routed = True
    try:
        server.basic_publish("", token, b"reply", mandatory=True)
    except exceptions.UnroutableError:
        routed = False
    take(channel.connection, replies, 1)
    equal(routed, t.by_name(rabbitmq=False, wharf=True, why="4.2 counts a live reply-to queue as routed"))


@case
def reply_consumer_must_not_ack(t):
    channel = t.channel()
    channel_error(406, "^PRECONDITION_FAILED - reply consumer cannot acknowledge$",
                  lambda: collect(channel, PSEUDO, []))


@case
def reply_without_consumer(t):
    channel = t.channel()
    put(channel, "anywhere", b"x", properties=pika.BasicProperties(reply_to=PSEUDO))
    channel_error(406, "^PRECONDITION_FAILED - fast reply consumer does not exist$",
                  lambda: channel.queue_declare("", exclusive=True))


@case
def callback_queue(t):
    client, server = t.connect(), t.connect()
    channel, worker = client.channel(), server.channel()
    name = t.queue(channel)

    def answer(active, method, properties, body):
        active.basic_publish("", properties.reply_to, str(int(body) ** 2).encode(),
                             pika.BasicProperties(correlation_id=properties.correlation_id))
        active.basic_ack(method.delivery_tag)

    worker.basic_qos(prefetch_count=1)
    worker.basic_consume(name, answer)
    callback, replies = channel.queue_declare("", exclusive=True).method.queue, []
    collect(channel, callback, replies, auto_ack=True)
    for number in range(5):
        put(channel, name, str(number).encode(),
            properties=pika.BasicProperties(reply_to=callback, correlation_id=str(number)))
    while len(replies) < 5:
        settle_down(server, 0.02)
        settle_down(client, 0.02)
    equal(sorted(int(body) for _, _, body in replies), [0, 1, 4, 9, 16])
