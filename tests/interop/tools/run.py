"""amqp-tools suite: Debian's command-line programs, used as in a shell script, and a pika worker fed by them."""

import os
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position
import harness  # noqa: E402
from wire import Raw  # noqa: E402
from harness import case, equal, matches, until  # noqa: E402


class ToolsContext(harness.Context):
    def run(self, program, *args, text="", code=0, seconds=15):
        done = subprocess.run([program, "-u", self.url, *args], input=text, capture_output=True, text=True,
                              timeout=seconds, check=False)
        assert done.returncode == code, f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def queue(self, suffix="q", *options):
        name = self.name(suffix)
        equal(self.run("amqp-declare-queue", "-q", name, *options).strip(), name)
        return name

    def clean(self):
        for name in self.names:
            subprocess.run(["amqp-delete-queue", "-u", self.url, "-q", name], capture_output=True, timeout=10,
                           check=False)
        super().clean()


@case
def publish_and_get(t):
    name = t.queue()
    t.run("amqp-publish", "-r", name, "-b", "hello from the shell")
    equal(t.run("amqp-get", "-q", name), "hello from the shell")


@case
def get_from_an_empty_queue(t):
    equal(t.run("amqp-get", "-q", t.queue(), code=2), "")


@case
def server_names_a_queue(t):
    name = t.run("amqp-declare-queue", "-q", "").strip()
    matches(name, r"^amq\.gen-")
    t.run("amqp-delete-queue", "-q", name)


@case
def durable_queue_and_persistent_message(t):
    name = t.queue("q", "-d")
    t.run("amqp-publish", "-p", "-r", name, "-C", "text/plain", "-H", "colour: red", "-b", "kept")
    with Raw(t.url).login() as raw:
        raw.open(1)
        raw.method(1, "basic.get", 0, name, 1)
        got = raw.content("basic.get-ok")
    equal((got.body, got.properties["delivery_mode"], got.properties["content_type"]), (b"kept", 2, "text/plain"))
    equal(got.properties["headers"]["colour"].value, "red")


@case
def lines_become_messages(t):
    name = t.queue()
    t.run("amqp-publish", "-l", "-r", name, text="one\ntwo\nthree\n")
    out = t.run("amqp-consume", "-q", name, "-c", "3", "cat")
    equal(out.split(), ["one", "two", "three"])


@case
def body_from_standard_input(t):
    name = t.queue()
    text = "0123456789" * 30000
    t.run("amqp-publish", "-r", name, text=text)
    equal(t.run("amqp-get", "-q", name), text)


@case
def consume_runs_the_command_for_each(t):
    name = t.queue()
    for number in range(5):
        t.run("amqp-publish", "-r", name, "-b", f"{number}")
    # amqp-consume would read the options of `sh -c` as its own, so the command is a file.
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
        script.write('echo "got $(cat)"\n')
        script.flush()
        out = t.run("amqp-consume", "-q", name, "-c", "5", "-p", "1", "sh", script.name)
    equal(out.splitlines(), [f"got {number}" for number in range(5)])
    equal(t.run("amqp-get", "-q", name, code=2), "")


@case
def consume_without_ack(t):
    name = t.queue()
    t.run("amqp-publish", "-r", name, "-b", "x")
    equal(t.run("amqp-consume", "-A", "-q", name, "-c", "1", "cat"), "x")


@case
def consume_through_an_exchange(t):
    """The consumer makes its own exclusive queue and binds it; the publisher keeps trying until it is there."""
    key, result = t.name("key"), []
    consumer = threading.Thread(target=lambda: result.append(
        t.run("amqp-consume", "-q", "", "-x", "-e", "amq.topic", "-r", key, "-c", "1", "cat")))
    consumer.start()
    until(lambda: [t.run("amqp-publish", "-e", "amq.topic", "-r", key, "-b", "routed"), consumer.join(0.2),
                   not consumer.is_alive()][2], 10, "the consumer has its message")
    equal(result, ["routed"])


@case
def delete_answers_the_count(t):
    name = t.queue()
    for _ in range(3):
        t.run("amqp-publish", "-r", name, "-b", "x")
    equal(t.run("amqp-delete-queue", "-q", name).strip(), "3")
    equal(t.run("amqp-delete-queue", "-q", name).strip(), "0")


@case
def delete_if_empty_is_refused(t):
    name = t.queue()
    t.run("amqp-publish", "-r", name, "-b", "x")
    matches(t.run("amqp-delete-queue", "-e", "-q", name, code=1), "not empty")


@case
def errors_are_shown(t):
    matches(t.run("amqp-get", "-q", t.name("ghost"), code=1), "NOT_FOUND|404")
    wrong = t.url.replace("guest:guest@", "guest:wrong@")
    done = subprocess.run(["amqp-get", "-u", wrong, "-q", "q"], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 1, done
    matches(done.stdout + done.stderr, "ACCESS_REFUSED")


WORKER = """
import sys, pika
connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
channel = connection.channel()
channel.queue_declare(queue=sys.argv[2], durable=True)
channel.basic_qos(prefetch_count=1)

def callback(ch, method, properties, body):
    print('done', body.decode(), flush=True)
    ch.basic_ack(delivery_tag=method.delivery_tag)
    if body == b'last':
        ch.stop_consuming()

channel.basic_consume(queue=sys.argv[2], on_message_callback=callback)
print('waiting', flush=True)
channel.start_consuming()
connection.close()
"""


@case
def demo_worker_fed_from_the_shell(t):
    """The hand demo: the pika tutorial's worker in one terminal, amqp-publish in another."""
    name = t.queue("task_queue", "-d")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, t.url, name], stdout=subprocess.PIPE, text=True, cwd="/")
    t.at_end(worker.kill)
    equal(worker.stdout.readline(), "waiting\n")
    for text in ("first", "second", "last"):
        t.run("amqp-publish", "-p", "-r", name, "-b", text)
        equal(worker.stdout.readline(), f"done {text}\n")
    equal(worker.wait(10), 0)
    equal(t.run("amqp-get", "-q", name, code=2), "")


@case
def demo_worker_dies_and_another_finishes(t):
    name = t.queue("task_queue", "-d")
    hang = WORKER.replace("ch.basic_ack", "import time; time.sleep(60); ch.basic_ack")
    worker = subprocess.Popen([sys.executable, "-c", hang, t.url, name], stdout=subprocess.PIPE, text=True, cwd="/")
    t.at_end(worker.kill)
    equal(worker.stdout.readline(), "waiting\n")
    t.run("amqp-publish", "-p", "-r", name, "-b", "last")
    equal(worker.stdout.readline(), "done last\n")
    worker.kill()
    worker.wait(10)
    other = subprocess.Popen([sys.executable, "-c", WORKER, t.url, name], stdout=subprocess.PIPE, text=True, cwd="/")
    t.at_end(other.kill)
    equal(other.stdout.readline(), "waiting\n")
    equal(other.stdout.readline(), "done last\n")
    equal(other.wait(10), 0)


sys.exit(harness.main(ToolsContext))
