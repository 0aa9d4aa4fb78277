"""nats-py suite: what its users do, against one server."""

import asyncio
import os
import sys
import uuid

import nats
import nats.errors
import nats.js.errors

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "lib"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
from harness import equal  # noqa: E402  pylint: disable=wrong-import-position


def case(function):
    """A coroutine of (connect, subject prefix) as a case."""
    def run(t):
        async def body():
            open_ones = []

            async def connect(**options):
                open_ones.append(await nats.connect(t.url, allow_reconnect=False, **options))
                return open_ones[-1]
            try:
                await function(connect, f"interop.py.{uuid.uuid4().hex[:8]}")
            finally:
                for each in open_ones:
                    await each.close()
        asyncio.run(body())
    run.__name__, run.__module__ = function.__name__, "__main__"
    harness.case(run)
    return function


@case
async def publish_and_subscribe(connect, prefix):
    connection = await connect()
    subscription = await connection.subscribe(prefix + ".>")
    for n in range(200):
        await connection.publish(f"{prefix}.a.{n}", str(n).encode())
    for n in range(200):
        message = await subscription.next_msg(timeout=5)
        equal((message.subject, message.data), (f"{prefix}.a.{n}", str(n).encode()))


@case
async def request_and_reply(connect, prefix):
    client, service = await connect(), await connect()

    async def answer(message):
        await message.respond(b"re:" + message.data)
    await service.subscribe(prefix, queue="workers", cb=answer)
    await service.flush()
    for n in range(50):
        equal((await client.request(prefix, str(n).encode(), timeout=5)).data, f"re:{n}".encode())


@case
async def no_responders(connect, prefix):
    connection = await connect()
    try:
        await connection.request(prefix, b"", timeout=5)
    except nats.errors.NoRespondersError:
        return
    raise AssertionError("somebody answered")


@case
async def jetstream_is_not_enabled(connect, prefix):
    del prefix
    connection = await connect()
    try:
        await connection.jetstream().account_info()
    except (nats.js.errors.ServiceUnavailableError, nats.errors.NoRespondersError):
        return
    raise AssertionError("JetStream answered")


@case
async def message_headers(connect, prefix):
    connection = await connect()
    subscription = await connection.subscribe(prefix)
    await connection.publish(prefix, b"x", headers={"Trace-Id": "42"})
    message = await subscription.next_msg(timeout=5)
    equal(message.headers, {"Trace-Id": "42"})


@case
async def drain(connect, prefix):
    sub, pub = await connect(), await connect()
    got = []

    async def take(message):
        got.append(message.data)
    await sub.subscribe(prefix, cb=take)
    await sub.flush()
    for n in range(500):
        await pub.publish(prefix, str(n).encode())
    await pub.flush()
    await sub.drain()
    equal(len(got), 500)


@case
async def max_payload_is_told(connect, prefix):
    connection = await connect()
    try:
        await connection.publish(prefix, b"x" * (connection.max_payload + 1))
    except nats.errors.MaxPayloadError:
        return
    raise AssertionError("it was sent")


sys.exit(harness.main())
