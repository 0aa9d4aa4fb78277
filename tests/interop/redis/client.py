"""redis-py: Pub/Sub as its users write it. The same cases for Debian's and for the newest one."""

import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(HERE)]
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position
import redis  # noqa: E402

import harness  # noqa: E402
from harness import case, equal, until  # noqa: E402

MODERN = int(redis.__version__.split(".", maxsplit=1)[0]) >= 5


class PyContext(harness.Context):
    def client(self, **options):
        client = redis.Redis.from_url(self.url, socket_timeout=5, **options)
        self.at_end(client.close)
        return client

    def pubsub(self, **options):
        pubsub = self.client().pubsub(**options)
        self.at_end(pubsub.close)
        return pubsub


def next_message(pubsub, seconds=5):
    return until(lambda: pubsub.get_message(timeout=0.2), seconds, "a message")


@case
def subscribe_publish_unsubscribe(t):
    pubsub, client = t.pubsub(), t.client()
    pubsub.subscribe("py.a", "py.b")
    equal([(next_message(pubsub)["type"], n) for n in (1, 2)], [("subscribe", 1), ("subscribe", 2)])
    equal(client.publish("py.a", b"\x00\xff"), 1)
    message = next_message(pubsub)
    equal((message["type"], message["channel"], message["data"]), ("message", b"py.a", b"\x00\xff"))
    pubsub.unsubscribe("py.a")
    equal((next_message(pubsub)["type"], pubsub.subscribed), ("unsubscribe", True))
    # Wharf: another thread may count one that has just left for a moment more; it hears nothing.
    until(lambda: client.publish("py.a", "x") == 0)


@case
def patterns(t):
    pubsub, client = t.pubsub(), t.client()
    pubsub.psubscribe("py.p.*")
    equal(next_message(pubsub)["type"], "psubscribe")
    equal(client.publish("py.p.x", "1"), 1)
    message = next_message(pubsub)
    equal((message["type"], message["pattern"], message["channel"], message["data"]),
          ("pmessage", b"py.p.*", b"py.p.x", b"1"))


@case
def handlers_in_a_thread(t):
    got, ready = [], threading.Event()
    pubsub, client = t.pubsub(ignore_subscribe_messages=True), t.client()

    def take(message):
        got.append(message["data"])
        ready.set()

    pubsub.subscribe(**{"py.h": take})
    worker = pubsub.run_in_thread(sleep_time=0.01)
    until(lambda: client.publish("py.h", "x"), what="a subscriber")
    ready.wait(5)
    worker.stop()
    worker.join(5)
    equal(got[0], b"x")


@case
def ping_while_subscribed(t):
    pubsub = t.pubsub()
    pubsub.subscribe("py.ping")
    next_message(pubsub)
    pubsub.ping("are you there")
    message = next_message(pubsub)
    equal((message["type"], message["data"]), ("pong", b"are you there"))


@case
def a_transaction(t):
    pubsub, client = t.pubsub(), t.client()
    pubsub.subscribe("py.tx")
    next_message(pubsub)
    with client.pipeline(transaction=True) as pipe:
        pipe.publish("py.tx", "1").publish("py.tx", "2").publish("py.nobody", "3")
        equal(pipe.execute(), [1, 1, 0])
    equal([next_message(pubsub)["data"] for _ in range(2)], [b"1", b"2"])


@case
def a_pipeline(t):
    with t.client().pipeline(transaction=False) as pipe:
        for _ in range(500):
            pipe.publish("py.nobody", "x")
        equal(pipe.execute(), [0] * 500)


@case
def introspection(t):
    pubsub, client = t.pubsub(), t.client()
    pubsub.subscribe("py.i1")
    pubsub.psubscribe("py.i*")
    next_message(pubsub), next_message(pubsub)
    equal(client.pubsub_channels("py.i*"), [b"py.i1"])
    equal(client.pubsub_numsub("py.i1", "py.none"), [(b"py.i1", 1), (b"py.none", 0)])
    equal(client.pubsub_numpat(), 1)


@case
def what_the_server_says_of_itself(t):
    client = t.client(client_name="interop")
    assert client.ping()
    assert client.info()["redis_version"].startswith("7")
    equal(client.client_getname() in ("interop", b"interop"), True)
    assert client.client_id() > 0
    assert any(each["name"] == "interop" for each in client.client_list())
    equal(client.config_get("databases"), {"databases": "16"})
    equal(client.acl_whoami() in ("default", b"default"), True)
    assert client.time()[0] > 1_600_000_000


@case
def unknown_commands_are_answered(t):
    client = t.client()
    try:
        client.execute_command("NOPE", "x")
        raise AssertionError("no error")
    except redis.ResponseError as error:
        assert "unknown command" in str(error), error
    assert client.ping()


@case
def both_protocols(t):
    if not MODERN:
        raise harness.Skip("this one knows RESP2 only")
    for version in (2, 3):
        client = t.client(protocol=version, decode_responses=True)
        pubsub = client.pubsub()
        pubsub.subscribe("py.v")
        next_message(pubsub)
        equal(client.publish("py.v", "x"), 1)
        equal(next_message(pubsub)["data"], "x")
        pubsub.close()


@case
def shard_channels(t):
    client = t.client()
    pubsub = t.pubsub()
    if not hasattr(pubsub, "ssubscribe"):
        raise harness.Skip("this one knows no shard channels")
    pubsub.ssubscribe("py.s")
    equal(next_message(pubsub)["type"], "ssubscribe")
    equal(client.spublish("py.s", "x"), 1)
    message = until(lambda: pubsub.get_sharded_message(timeout=0.2) if hasattr(pubsub, "get_sharded_message")
                    else pubsub.get_message(timeout=0.2), what="a message")
    equal((message["type"], message["data"]), ("smessage", b"x"))


@case
def a_client_that_was_killed_subscribes_again(t):
    pubsub, client = t.pubsub(), t.client()
    pubsub.subscribe("py.again")
    next_message(pubsub)
    equal(client.client_kill_filter(_type="pubsub", skipme=True) >= 1, True)

    def heard():
        client.publish("py.again", "x")
        try:
            message = pubsub.get_message(timeout=0.1)
        except redis.ConnectionError:
            return False
        return message and message["type"] == "message"

    until(heard, 10, "a message after the reconnect")


sys.exit(harness.main(PyContext))
