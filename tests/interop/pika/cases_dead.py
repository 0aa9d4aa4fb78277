"""Dead lettering: every reason, the headers in detail, cycles, overflow modes."""

import time

import pika

from context import drain, get, put, ready, wait_ready
from harness import case, equal, only, until


def pair(t, channel, **arguments):
    """A queue whose dead letters go to another through a fanout exchange."""
    exchange = t.exchange(channel, "fanout", "dlx")
    dead = t.bound(channel, exchange, "", "dead")
    name = t.queue(channel, "q", arguments={"x-dead-letter-exchange": exchange, **arguments})
    return name, dead, exchange


def reject(channel, queue):
    channel.basic_reject(get(channel, queue, auto_ack=False)[0].delivery_tag, requeue=False)


def confirming(t):
    channel = t.channel()
    channel.confirm_delivery()
    return channel


def entry(headers, number=0):
    found = dict(headers["x-death"][number])
    found.pop("time")
    return found


@case
def rejected(t):
    channel = confirming(t)
    name, dead, exchange = pair(t, channel)
    began = int(time.time())
    put(channel, name, b"x", properties=pika.BasicProperties(headers={"mine": 1}, message_id="m", delivery_mode=2))
    reject(channel, name)
    method, properties, body = get(channel, dead)
    equal((body, properties.message_id, properties.delivery_mode), (b"x", "m", 2))
    equal((method.exchange, method.routing_key, method.redelivered), (exchange, name, False))
    headers = properties.headers
    equal(entry(headers), {"count": 1, "reason": "rejected", "queue": name, "exchange": "", "routing-keys": [name]})
    # pika reads a timestamp as naive UTC
    stamp = headers["x-death"][0]["time"]
    import datetime  # pylint: disable=import-outside-toplevel
    seconds = (stamp - datetime.datetime(1970, 1, 1)).total_seconds()
    assert began - 1 <= seconds <= time.time() + 1, stamp
    equal({key: headers[key] for key in headers if key.startswith("x-first") or key == "mine"},
          {"x-first-death-reason": "rejected", "x-first-death-queue": name, "x-first-death-exchange": "", "mine": 1})


@case
def nacked_multiple(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel)
    put(channel, name, b"1", b"2", b"3")
    for _ in range(3):
        get(channel, name, auto_ack=False)
    channel.basic_nack(0, multiple=True, requeue=False)
    equal(drain(channel, dead, 3), [b"1", b"2", b"3"])


@case
def expired_by_queue(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel, **{"x-message-ttl": 200})
    put(channel, name, b"x")
    _, properties, _ = get(channel, dead)
    equal(entry(properties.headers), {"count": 1, "reason": "expired", "queue": name, "exchange": "",
                                      "routing-keys": [name]})


@case
def expired_by_message(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel)
    put(channel, name, b"x", properties=pika.BasicProperties(expiration="200"))
    _, properties, _ = get(channel, dead)
    equal(properties.expiration, None, "expiration after dead-lettering")
    equal(entry(properties.headers), {"count": 1, "reason": "expired", "queue": name, "exchange": "",
                                      "routing-keys": [name], "original-expiration": "200"})


@case
def maxlen(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel, **{"x-max-length": 1})
    put(channel, name, b"1", b"2", b"3")
    got = [get(channel, dead) for _ in range(2)]
    equal([body for _, _, body in got], [b"1", b"2"])
    equal(entry(got[0][1].headers)["reason"], "maxlen")
    equal(drain(channel, name, 1), [b"3"])


@case
def reject_publish_dlx(t):
    channel = t.channel()
    name, dead, _ = pair(t, channel, **{"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    put(channel, name, b"1")
    wait_ready(channel, name, 1)
    put(channel, name, b"2")
    _, properties, body = get(channel, dead)
    equal((body, entry(properties.headers)["reason"]), (b"2", "maxlen"))
    equal(drain(channel, name, 1), [b"1"])


@case
def own_routing_key(t):
    channel = confirming(t)
    dead = t.queue(channel, "dead")
    name = t.queue(channel, "q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    put(channel, name, b"x")
    reject(channel, name)
    method, properties, _ = get(channel, dead)
    equal((method.exchange, method.routing_key), ("", dead))
    equal(entry(properties.headers)["routing-keys"], [name])


@case
def missing_exchange_discards(t):
    channel = confirming(t)
    name = t.queue(channel, arguments={"x-dead-letter-exchange": t.name("absent")})
    put(channel, name, b"x")
    reject(channel, name)
    wait_ready(channel, name, 0)
    put(channel, name, b"y")
    equal(drain(channel, name, 1), [b"y"])


@case
def retry_loop_counts(t):
    """The usual retry: work queue -> waiting queue with a TTL -> work queue; the count of each pair grows."""
    channel = confirming(t)
    wait_name = t.name("wait")
    work = t.queue(channel, "work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait_name})
    t.queue(channel, "wait", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work,
                                        "x-message-ttl": 100})
    put(channel, work, b"x")
    for attempt in range(1, 4):
        reject(channel, work)
        method, properties, _ = get(channel, work, auto_ack=False)
        deaths = [entry(properties.headers, number) for number in range(len(properties.headers["x-death"]))]
        equal([(death["queue"], death["reason"], death["count"]) for death in deaths],
              [(wait_name, "expired", attempt), (work, "rejected", attempt)])
        equal(properties.headers["x-first-death-queue"], work)
        channel.basic_nack(method.delivery_tag, requeue=True)


@case
def cycle_without_rejection_is_dropped(t):
    channel = confirming(t)
    name = t.name("q")
    channel.queue_declare(name, durable=True, arguments={
        "x-message-ttl": 100, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name})
    put(channel, name, b"x")
    time.sleep(0.8)
    equal(ready(channel, name), 0)


@case
def cycle_with_rejection_goes_on(t):
    channel = confirming(t)
    name = t.name("q")
    channel.queue_declare(name, durable=True, arguments={"x-dead-letter-exchange": "",
                                                         "x-dead-letter-routing-key": name})
    put(channel, name, b"x")
    for _ in range(3):
        reject(channel, name)
    _, properties, _ = get(channel, name)
    equal((len(properties.headers["x-death"]), properties.headers["x-death"][0]["count"]), (1, 3))


@case
def cc_stays_without_a_dead_letter_key(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel)
    put(channel, name, b"x", properties=pika.BasicProperties(headers={"CC": ["other"], "BCC": ["hidden"]}))
    reject(channel, name)
    headers = get(channel, dead)[1].headers
    equal(headers.get("CC"), ["other"])
    assert "BCC" not in headers, headers
    equal(entry(headers)["routing-keys"], [name, "other"])


@case
@only("wharf", "x-last-death-* came with 3.12")
def last_death(t):
    channel = confirming(t)
    name, dead, exchange = pair(t, channel)
    put(channel, name, b"x")
    reject(channel, name)
    headers = get(channel, dead)[1].headers
    equal([headers.get("x-last-death-" + key) for key in ("reason", "queue", "exchange")], ["rejected", name, ""])
    assert exchange


@case
def death_sent_in_by_a_client(t):
    """Up to 3.13 the header is believed and extended; since 4.0 the broker's own record replaces it."""
    channel = confirming(t)
    name, dead, _ = pair(t, channel)
    faked = {"x-death": [{"count": 9, "reason": "rejected", "queue": name, "exchange": "", "routing-keys": [name]}]}
    put(channel, name, b"x", properties=pika.BasicProperties(headers=faked))
    reject(channel, name)
    headers = get(channel, dead)[1].headers
    equal(headers["x-death"][0]["count"], t.by_name(rabbitmq=10, wharf=1, why="4.0 ignores a client's x-death"))


@case
def purge_and_delete_do_not_dead_letter(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel)
    put(channel, name, b"1", b"2")
    channel.queue_purge(name)
    put(channel, name, b"3")
    channel.queue_delete(name)
    time.sleep(0.2)
    equal(ready(channel, dead), 0)


@case
def order_is_kept(t):
    channel = confirming(t)
    name, dead, _ = pair(t, channel, **{"x-message-ttl": 300})
    bodies = [b"%d" % number for number in range(100)]
    put(channel, name, *bodies)
    until(lambda: ready(channel, dead) == 100, what="100 dead letters")
    equal(drain(channel, dead, 100), bodies)
