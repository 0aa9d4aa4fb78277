"""Connection errors in well-formed frames."""

from context import expect_hard, still_serving
from harness import case, equal, only


def refuse(t, code, text, class_method, *method, channel=1):
    bystander, raw = t.login(), t.channel()
    raw.method(channel, *method)
    expect_hard(raw, code, text, class_method)
    still_serving(bystander)


@case
def channel_never_opened(t):
    refuse(t, 504, "^CHANNEL_ERROR - expected 'channel.open'$", (60, 10), "basic.qos", 0, 1, 0, channel=5)


@case
def channel_opened_twice(t):
    refuse(t, 504, "^CHANNEL_ERROR - second 'channel.open' seen$", (20, 10), "channel.open", "")


@case
def channel_closed_by_client(t):
    raw = t.channel()
    raw.call(1, "channel.close", 200, "", 0, 0)
    raw.method(1, "basic.qos", 0, 1, 0)
    expect_hard(raw, 504, "expected 'channel.open'$", (60, 10))


@case
def channel_above_channel_max(t):
    raw = t.login(channel_max=4)
    for number in (1, 2, 3, 4):
        raw.open(number)
    raw.method(5, "channel.open", "")
    expect_hard(raw, 530, r"^NOT_ALLOWED - number of channels opened \(4\) has reached the negotiated channel_max \(4\)$",
                (0, 0))


@case
def too_many_channels_reuse(t):
    raw = t.login(channel_max=4)
    for _ in range(10):
        for number in (1, 2, 3, 4):
            raw.open(number)
        for number in (1, 2, 3, 4):
            raw.call(number, "channel.close", 200, "", 0, 0)


@case
def immediate(t):
    raw = t.channel()
    raw.publish(1, "", "q", b"x", flags=2)
    expect_hard(raw, 540, "^NOT_IMPLEMENTED - immediate=true$", (60, 40))


@case
def prefetch_size(t):
    refuse(t, 540, r"^NOT_IMPLEMENTED - prefetch_size!=0 \(10\)$", (60, 10), "basic.qos", 10, 1, 0)


@case
def recover_without_requeue(t):
    refuse(t, 540, "^NOT_IMPLEMENTED - requeue=false$", (60, 110), "basic.recover", 0)


@case
def flow_off(t):
    refuse(t, 540, "^NOT_IMPLEMENTED - active=false$", (20, 20), "channel.flow", 0)


@case
def flow_on(t):
    raw = t.channel()
    equal(raw.call(1, "channel.flow", 1).args, [1])


@case
def consumer_tag_reused(t):
    bystander, raw = t.login(), t.channel()
    name = t.queue(raw)
    raw.call(1, "basic.consume", 0, name, "twice", 0, {})
    raw.method(1, "basic.consume", 0, name, "twice", 0, {})
    expect_hard(raw, 530, "^NOT_ALLOWED - attempt to reuse consumer tag 'twice'$", (60, 20))
    still_serving(bystander)


@case
def consumer_tag_free_again_after_cancel(t):
    raw = t.channel()
    name = t.queue(raw)
    for _ in range(3):
        raw.call(1, "basic.consume", 0, name, "again", 0, {})
        raw.call(1, "basic.cancel", "again", 0)


@case
def stray_replies_from_a_client(t):
    """cancel-ok is what old clients send to a server's cancel; Wharf lets it pass. flow-ok has no excuse."""
    bystander, raw = t.login(), t.channel()
    raw.method(1, "basic.cancel-ok", "ghost")
    if t.server == "wharf":
        raw.call(1, "basic.qos", 0, 1, 0)
    else:
        expect_hard(raw, 503, "COMMAND_INVALID", (60, 31))
    still_serving(bystander)


@case
def flow_ok_from_a_client(t):
    bystander, raw = t.login(), t.channel()
    raw.method(1, "channel.flow-ok", 1)
    got = raw.next_method()
    equal((got.name, got.args[0]), ("connection.close", 503))
    still_serving(bystander)


@case
def channel_zero_method_out_of_place(t):
    bystander, raw = t.login(), t.login()
    raw.method(0, "connection.tune-ok", 100, 131072, 0)
    got = raw.next_method()
    equal(got.name, "connection.close")
    assert got.args[0] in (503, 504), got.args
    still_serving(bystander)


@case
def content_method_on_channel_zero(t):
    bystander, raw = t.login(), t.login()
    raw.method(0, "basic.qos", 0, 1, 0)
    got = raw.next_method()
    equal(got.name, "connection.close")
    assert got.args[0] in (503, 504, 505), got.args
    still_serving(bystander)


@case
@only("rabbitmq", "since 3.13 this is a channel error")
def unknown_exchange_type(t):
    refuse(t, 503, "unknown exchange type 'nonsense'", (40, 10), "exchange.declare", 0, t.name("x"), "nonsense", 2, {})


@case
def quorum_delete_conditions(t):
    raw = t.channel()
    name = t.queue(raw, arguments={"x-queue-type": "quorum"})
    raw.method(1, "queue.delete", 0, name, 1)
    expect_hard(raw, 540, "^NOT_IMPLEMENTED - cannot delete queue '.*' in vhost '/'\\. queue.delete operations with "
                          "if-unused flag set are not supported by quorum queues|NOT_IMPLEMENTED", (50, 40))


@case
def quorum_under_a_global_limit(t):
    raw = t.channel()
    name = t.queue(raw, arguments={"x-queue-type": "quorum"})
    raw.call(1, "basic.qos", 0, 5, 1)
    raw.method(1, "basic.consume", 0, name, "c", 0, {})
    expect_hard(raw, 540, "NOT_IMPLEMENTED", (60, 20))


@case
def an_error_on_one_channel_spares_the_others(t):
    raw = t.channel()
    raw.open(2)
    raw.method(1, "queue.declare", 0, "no-such-queue-here", 1, {})
    raw.method(2, "basic.qos", 0, 1, 0)
    names = {raw.next_method().name, raw.next_method().name}
    equal(names, {"channel.close", "basic.qos-ok"})


@case
def crossing_channel_close(t):
    """The client closes while the server's close is on its way; it must get close-ok, or it waits for ever."""
    raw = t.channel()
    raw.method(1, "queue.declare", 0, "no-such-queue-here", 1, {})
    raw.method(1, "channel.close", 200, "crossing", 0, 0)
    got = raw.next_method()
    equal((got.name, got.args[0]), ("channel.close", 404))
    raw.expect("channel.close-ok", 1)
    raw.method(1, "channel.close-ok")
    raw.open(1)


@case
def methods_after_a_channel_error_are_discarded(t):
    raw = t.channel()
    name = t.name()
    raw.method(1, "queue.declare", 0, "no-such-queue-here", 1, {})
    raw.expect("channel.close", 1)
    raw.method(1, "queue.declare", 0, name, 2, {})
    raw.publish(1, "", name, b"x")
    raw.method(1, "channel.close-ok")
    raw.open(1)
    raw.method(1, "queue.declare", 0, name, 1, {})
    equal(raw.expect("channel.close", 1).args[0], 404)
