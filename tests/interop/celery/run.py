"""Celery suite: Debian's celery with kombu and py-amqp. Real workers, and kombu by itself."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position
import celery  # noqa: E402
import kombu  # noqa: E402

import harness  # noqa: E402
from wire import Raw  # noqa: E402
from harness import case, equal, until  # noqa: E402

RESULT_SECONDS = 20


class CeleryContext(harness.Context):
    def __init__(self, url, server, case_name):
        super().__init__(url, server, case_name)
        self.folder = tempfile.TemporaryDirectory()
        self.at_end(self.folder.cleanup)
        self.app = celery.Celery("client", broker=url, backend="rpc://")
        queue = self.name("celery")
        self.app.conf.update(task_default_queue=queue, task_default_exchange=queue, task_default_routing_key=queue,
                             broker_transport_options={"confirm_publish": True})
        self.at_end(self.app.close)

    def worker(self, *options):
        """A worker process that is ready for tasks; killed at the end of the case."""
        env = dict(os.environ, INTEROP_URL=self.url, INTEROP_NAME=self.name("celery"), PYTHONPATH=HERE)
        host = f"w{uuid.uuid4().hex[:6]}"
        log = open(os.path.join(self.folder.name, host), "wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "work", "worker", "-P", "solo", "-n", host, "-l", "INFO", *options],
            env=env, cwd=self.folder.name, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.at_end(lambda: (process.kill(), process.wait(10)))

        def is_ready():
            with open(log.name, encoding="utf-8", errors="replace") as file:
                text = file.read()
            assert process.poll() is None, f"the worker ended: {text[-300:]}"
            return " ready." in text
        until(is_ready, 20, "a worker")
        return process

    def send(self, name, *args, **options):
        return self.app.send_task(name, args, **options)

    def connection(self, **options):
        connection = kombu.Connection(self.url, **options)
        self.at_end(connection.release)
        return connection

    def clean(self):
        super().clean()
        with Raw(self.url).login() as raw:
            for channel, name in enumerate(self.names, 1):
                raw.open(channel)
                for kind in ("queue.delete", "exchange.delete"):
                    raw.method(channel, kind, 0, name, 0)
                    raw.next_method()


@case
def tasks_and_results(t):
    t.worker()
    results = [t.send("add", number, 1) for number in range(30)]
    equal([result.get(RESULT_SECONDS) for result in results], [number + 1 for number in range(30)])
    equal(t.send("seen").get(RESULT_SECONDS), False)


@case
def failures_travel_back(t):
    t.worker()
    try:
        t.send("broken").get(RESULT_SECONDS)
    except ValueError as error:
        equal(str(error), "as asked")
        return
    raise AssertionError("no exception")


@case
def retries(t):
    """Each retry is published again with an ETA, and held unacknowledged until then."""
    t.worker()
    equal(t.send("flaky").get(RESULT_SECONDS), 3)


@case
def countdown_holds_tasks_beyond_the_prefetch(t):
    """Celery raises its prefetch count for every task that must wait, and lowers it again."""
    t.worker()
    late = [t.send("add", number, 0, countdown=2) for number in range(8)]
    equal(t.send("add", 1, 1).get(RESULT_SECONDS), 2)
    assert not any(result.ready() for result in late), "an ETA was not kept"
    equal([result.get(RESULT_SECONDS) for result in late], list(range(8)))


@case
def killed_worker_with_late_acks(t):
    path = os.path.join(t.folder.name, "began")
    first = t.worker()
    result = t.send("stall", path)
    until(lambda: os.path.exists(path), 20, "the task's beginning")
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    t.worker()
    equal(result.get(RESULT_SECONDS), True, "redelivered")


@case
def stopped_worker_gives_back_what_it_holds(t):
    """Warm shutdown: the tasks that it had prefetched go to the next one."""
    first = t.worker()
    late = [t.send("add", number, 0, countdown=6) for number in range(4)]
    time.sleep(1)
    first.terminate()
    first.wait(15)
    t.worker()
    equal([result.get(RESULT_SECONDS) for result in late], list(range(4)))


@case
def remote_control(t):
    """ping, and stats by inspect: a fanout of mailboxes, and replies through a direct exchange."""
    t.worker()
    answers = until(lambda: t.app.control.ping(timeout=2), 15, "an answer to ping")
    equal([list(answer.values()) for answer in answers], [[{"ok": "pong"}]])
    host = next(iter(answers[0]))
    equal(t.app.control.inspect([host], timeout=5).active_queues()[host][0]["name"], t.name("celery"))


@case
def events(t):
    """Task events arrive through a topic exchange in an auto-delete queue with a time to live."""
    seen = []
    with t.connection() as connection:
        receiver = t.app.events.Receiver(connection, handlers={"*": lambda event: seen.append(event["type"])})
        with receiver.consumer_context():
            t.worker("-E")
            t.send("add", 1, 2).get(RESULT_SECONDS)
            deadline = time.monotonic() + 10
            while "task-succeeded" not in seen and time.monotonic() < deadline:
                try:
                    connection.drain_events(timeout=0.5)
                except socket.timeout:
                    pass
    assert {"worker-online", "task-received", "task-succeeded"} <= set(seen), seen


@case
def kombu_simple_queue(t):
    with t.connection().SimpleQueue(t.name("simple")) as queue:
        for number in range(10):
            queue.put({"number": number}, serializer="json", compression="zlib")
        got = [queue.get(timeout=5) for _ in range(10)]
        equal([message.payload["number"] for message in got], list(range(10)))
        got[0].requeue()
        for message in got[1:]:
            message.ack()
        again = queue.get(timeout=5)
        equal((again.payload["number"], again.delivery_info["redelivered"]), (0, True))
        again.ack()
        equal(queue.qsize(), 0)


@case
def kombu_priorities(t):
    exchange = kombu.Exchange(t.name("x"), "direct", durable=True)
    queue = kombu.Queue(t.name("q"), exchange, routing_key="k", max_priority=5)
    channel = t.connection().channel()
    bound = queue(channel)
    bound.declare()
    producer = kombu.Producer(channel, exchange, routing_key="k")
    for priority in (1, 5, 3):
        producer.publish(str(priority), priority=priority)
    until(lambda: bound.queue_declare(passive=True).message_count == 3, what="three messages")
    equal([bound.get(no_ack=True).body for _ in range(3)], ["5", "3", "1"])


@case
def kombu_mandatory_return(t):
    returned = []
    channel = t.connection(transport_options={"confirm_publish": True}).channel()
    producer = kombu.Producer(channel, kombu.Exchange("amq.direct", "direct", passive=True),
                              on_return=lambda error, *rest: returned.append(error.reply_code))
    producer.publish("nobody", routing_key=t.name("nobody"), mandatory=True)
    until(lambda: returned, 5, "a return")
    equal(returned, [312])


@case
def kombu_heartbeats(t):
    connection = t.connection(heartbeat=2)
    connection.connect()
    equal(connection.get_heartbeat_interval(), 2)
    connection.channel()  # a connection without one cannot wait for events
    for _ in range(10):
        try:
            connection.drain_events(timeout=0.5)
        except socket.timeout:
            connection.heartbeat_check()
    assert connection.connected
    queue = connection.channel().queue_declare("", exclusive=True).queue
    assert queue.startswith("amq.gen-"), queue


@case
def kombu_revives_after_a_channel_error(t):
    connection = t.connection()
    channel = connection.channel()
    try:
        kombu.Queue(t.name("ghost"), channel=channel).queue_declare(passive=True)
    except connection.channel_errors as error:
        equal((error.reply_code, error.method_id if hasattr(error, "method_id") else (50, 10))[0], 404)
    kombu.Queue(t.name("q"), channel=connection.channel()).queue_declare()


sys.exit(harness.main(CeleryContext))
