"""Ack, nack, reject, recover, transactions."""

from context import channel_error, collect, drain, get, put, settle_down, take, wait_ready
from harness import case, equal


def held(channel, name, count):
    return [get(channel, name, auto_ack=False)[0].delivery_tag for _ in range(count)]


@case
def ack_multiple(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"1", b"2", b"3")
    tags = held(channel, name, 3)
    channel.basic_ack(tags[1], multiple=True)
    channel.close()
    equal(drain(t.channel(), name, 1), [b"3"])


@case
def ack_everything_when_nothing_is_out(t):
    channel = t.channel()
    channel.basic_ack(0, multiple=True)
    t.queue(channel)


@case
def ack_twice(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"x")
    tag = held(channel, name, 1)[0]
    channel.basic_ack(tag)
    channel.basic_ack(tag)
    channel_error(406, f"^PRECONDITION_FAILED - unknown delivery tag {tag}$", lambda: channel.queue_purge(name))


@case
def ack_on_another_channel(t):
    connection = t.connect()
    channel, wrong = connection.channel(), connection.channel()
    name = t.queue(channel)
    put(channel, name, b"x")
    tag = held(channel, name, 1)[0]
    wrong.basic_ack(tag)
    channel_error(406, "unknown delivery tag", lambda: wrong.queue_purge(name))
    channel.basic_ack(tag)
    channel.queue_purge(name)


@case
def reject_requeue_keeps_the_place(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"1", b"2", b"3", b"4")
    tags = held(channel, name, 3)
    channel.basic_reject(tags[1], requeue=True)
    channel.basic_reject(tags[0], requeue=True)
    wait_ready(channel, name, 3)
    got = [get(channel, name) for _ in range(3)]
    equal([(body, method.redelivered) for method, _, body in got], [(b"1", True), (b"2", True), (b"4", False)])


@case
def nack_multiple_requeues_in_order(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"1", b"2", b"3", b"4")
    tags = held(channel, name, 3)
    channel.basic_nack(tags[2], multiple=True, requeue=True)
    wait_ready(channel, name, 4)
    equal(drain(channel, name, 4), [b"1", b"2", b"3", b"4"])


@case
def nack_zero_multiple_takes_all(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"1", b"2")
    held(channel, name, 2)
    channel.basic_nack(0, multiple=True, requeue=True)
    wait_ready(channel, name, 2)


@case
def reject_without_requeue_discards(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"1", b"2")
    channel.basic_reject(held(channel, name, 1)[0], requeue=False)
    equal(drain(channel, name, 1), [b"2"])
    channel.close()
    wait_ready(t.channel(), name, 0)


@case
def requeued_message_reaches_a_waiting_consumer(t):
    connection = t.connect()
    channel = connection.channel()
    name = t.queue(channel)
    got = []
    collect(channel, name, got)
    put(channel, name, b"x")
    take(connection, got, 1)
    channel.basic_nack(got[0][0].delivery_tag, requeue=True)
    take(connection, got, 2)
    equal([method.redelivered for method, _, _ in got], [False, True])


@case
def recover_requeues_everything(t):
    channel = t.channel()
    name = t.queue(channel)
    put(channel, name, b"1", b"2")
    held(channel, name, 2)
    channel.basic_recover(requeue=True)
    wait_ready(channel, name, 2)
    got = [get(channel, name) for _ in range(2)]
    equal([(body, method.redelivered) for method, _, body in got], [(b"1", True), (b"2", True)])


@case
def tx_commit_publishes(t):
    channel, other = t.channel(), t.channel()
    name = t.queue(channel)
    channel.tx_select()
    put(channel, name, b"1", b"2")
    equal(other.basic_get(name)[0], None)
    channel.tx_commit()
    equal(drain(other, name, 2), [b"1", b"2"])


@case
def tx_rollback_forgets(t):
    channel = t.channel()
    name = t.queue(channel)
    channel.tx_select()
    put(channel, name, b"1")
    channel.tx_rollback()
    channel.tx_commit()
    wait_ready(t.channel(), name, 0)


@case
def tx_acks(t):
    channel, other = t.channel(), t.channel()
    name = t.queue(channel)
    put(other, name, b"1", b"2")
    channel.tx_select()
    tags = held(channel, name, 2)
    channel.basic_ack(tags[0])
    channel.tx_rollback()
    channel.basic_ack(tags[0])  # the rollback made it unacked again
    channel.basic_ack(tags[1])
    channel.tx_commit()
    channel.close()
    wait_ready(other, name, 0)


@case
def tx_without_commit_leaves_acks_undone(t):
    channel, other = t.channel(), t.channel()
    name = t.queue(channel)
    put(other, name, b"1")
    channel.tx_select()
    channel.basic_ack(held(channel, name, 1)[0])
    channel.close()
    equal(get(other, name)[0].redelivered, True)


@case
def tx_commit_without_select(t):
    channel = t.channel()
    channel_error(406, "^PRECONDITION_FAILED - channel is not transactional$", lambda: raw_commit(channel))


def raw_commit(channel):
    from pika import spec  # pylint: disable=import-outside-toplevel
    channel._impl._rpc(spec.Tx.Commit())  # pylint: disable=protected-access
    channel.queue_declare("", exclusive=True)


@case
def tx_returns_before_commit_ok(t):
    channel = t.channel()
    returned = []
    channel.add_on_return_callback(lambda *args: returned.append(args[1].reply_code))
    channel.tx_select()
    channel.basic_publish("", "no-such-queue", b"x", mandatory=True)
    channel.tx_commit()
    settle_down(channel.connection, 0.1)
    equal(returned, [312])
