"""Starts a server for the length of a test run: the wharf binary, or RabbitMQ through tools/peers."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "peers"))
# pylint: disable=wrong-import-position
import nats_server  # noqa: E402
import rabbitmq  # noqa: E402
import redis_server as redis_peer  # noqa: E402

free_port = rabbitmq.free_port
READY_SECONDS = 15
STOP_SECONDS = 15


def answers(port):
    """True when a server on loopback greets an AMQP client."""
    return rabbitmq.speaks_amqp(port)


class Wharf:
    """One `wharf serve` process. The data folder is the caller's when given, else a temporary one removed at the end."""

    def __init__(self, binary, data=None, port=0, options=(), log_level="warn"):
        self.binary, self.options, self.log_level = os.path.abspath(binary), list(options), log_level
        self.port, self.nats_port, self.redis_port = port or free_port(), free_port(), free_port()
        self.own = None if data else tempfile.mkdtemp(prefix="wharf-interop-")
        self.data = data or self.own
        self.process = None

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2f"

    @property
    def redis_url(self):
        return f"redis://127.0.0.1:{self.redis_port}"

    @property
    def nats_url(self):
        return f"nats://127.0.0.1:{self.nats_port}"

    def start(self, seconds=READY_SECONDS):
        """Returns the seconds until the port answered."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", self.data, "--amqp-listen", f"127.0.0.1:{self.port}",
             "--nats-listen", f"127.0.0.1:{self.nats_port}", "--redis-listen", f"127.0.0.1:{self.redis_port}",
             "--log-level", self.log_level, *self.options], stdin=subprocess.DEVNULL)
        while not answers(self.port):
            if self.process.poll() is not None:
                raise RuntimeError(f"wharf ended at once with {self.process.returncode}")
            if time.monotonic() - began > seconds:
                self.kill()
                raise RuntimeError(f"wharf did not answer on port {self.port} within {seconds} s")
            time.sleep(0.01)
        return time.monotonic() - began

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        """Ends it as an operator would; returns a complaint or None."""
        complaint = None
        if self.process.poll() is not None:
            complaint = f"wharf had ended by itself with {self.process.returncode}"
        else:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(STOP_SECONDS)
                complaint = f"wharf ended with {code} after SIGTERM" if code else None
            except subprocess.TimeoutExpired:
                self.kill()
                complaint = f"wharf did not end within {STOP_SECONDS} s of SIGTERM"
        if self.own:
            shutil.rmtree(self.own, ignore_errors=True)
        return complaint


class RabbitMQ:
    """The same verbs for Debian's rabbitmq-server."""

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="rabbitmq-interop-")
        self.port = free_port()
        self.state = {}

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2f"

    def start(self):
        began = time.monotonic()
        self.state = rabbitmq.start(self.data, self.port)
        return time.monotonic() - began

    def kill(self):
        os.kill(self.state["pid"], signal.SIGKILL)
        os.waitpid(self.state["pid"], 0)

    def stop(self):
        rabbitmq.stop(self.data)
        shutil.rmtree(self.data, ignore_errors=True)


class Redis:
    """The same verbs for Debian's redis-server."""

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="redis-interop-")
        self.state = {}

    @property
    def redis_url(self):
        return self.state["url"]

    def start(self):
        self.state = redis_peer.start(self.data)

    def stop(self):
        redis_peer.stop(self.data)
        shutil.rmtree(self.data, ignore_errors=True)


class NatsServer:
    """The same verbs for Debian's nats-server."""

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="nats-interop-")
        self.port = free_port()

    @property
    def nats_url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        nats_server.start(self.data, self.port)

    def stop(self):
        nats_server.stop(self.data)
        shutil.rmtree(self.data, ignore_errors=True)


# Where the runner may put what it builds or fetches.
CACHE = os.path.join(ROOT, "build", "interop")
