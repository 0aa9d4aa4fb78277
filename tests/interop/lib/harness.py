"""Cases in Python suites: registered by a decorator, run one by one, each bounded in time.

Output, one line a case, read by run.py:  `ok NAME`, `FAIL NAME: reason` or `skip NAME: reason`.
"""

import argparse
import re
import threading
import time
import traceback
import uuid

CASES = []


class Skip(Exception):
    """Raised by a case that does not apply, with the reason."""


def case(function):
    module = function.__module__.removeprefix("cases_")
    CASES.append(((f"{module}." if module != "__main__" else "") + function.__name__, function))
    return function


def only(server, why):
    """The case holds for one server only (`wharf` or `rabbitmq`)."""
    def wrap(function):
        def run(t):
            if t.server != server:
                raise Skip(f"{server} only: {why}")
            return function(t)
        run.__name__, run.__module__ = function.__name__, function.__module__
        return run
    return wrap


class Context:
    """What a case gets: the url, whose behaviour to expect, fresh names, and clean-up at the end."""

    def __init__(self, url, server, case_name):
        self.url, self.server = url, server
        self.prefix = f"interop.{case_name}.{uuid.uuid4().hex[:6]}"
        self.names, self.after = [], []

    def name(self, suffix="q"):
        full = f"{self.prefix}.{suffix}"
        if full not in self.names:
            self.names.append(full)
        return full

    def by_name(self, *, rabbitmq, wharf, why):
        """Two legitimate expectations; `why` says where the two versions part."""
        assert why
        return rabbitmq if self.server == "rabbitmq" else wharf

    def by_server(self, *, redis, wharf, why):
        """The same between Debian's Redis 7.0 and the 7.2 that Wharf imitates."""
        assert why
        return redis if self.server == "redis" else wharf

    def at_end(self, action):
        self.after.append(action)

    def clean(self):
        for action in reversed(self.after):
            try:
                action()
            except Exception:  # pylint: disable=broad-except  # clean-up of a broken connection may fail in any way
                pass


def equal(got, want, what=""):
    assert got == want, f"{what + ': ' if what else ''}got {got!r}, expected {want!r}"


def matches(text, pattern):
    assert re.search(pattern, text), f"{text!r} does not match {pattern!r}"


def until(condition, seconds=5, what="condition"):
    """Waits for something that may take the server a moment; returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not hold within {seconds} s"
        time.sleep(0.02)


def reason_of(error):
    where = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in where if "cases_" in frame.filename]
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text[:400]} [{lines[-1] if lines else '?'}]"


def run_one(context, function, seconds):
    """A case runs in its own thread, so that one which hangs is left behind and the rest go on."""
    outcome = ["FAIL", f"still running after {seconds} s"]

    def body():
        try:
            function(context)
            outcome[:] = ["ok", ""]
        except Skip as skip:
            outcome[:] = ["skip", str(skip)]
        except Exception as error:  # pylint: disable=broad-except
            outcome[:] = ["FAIL", reason_of(error)]
        context.clean()

    worker = threading.Thread(target=body, daemon=True)
    worker.start()
    worker.join(seconds)
    return tuple(outcome)


def main(make_context=Context, begin=None):
    """`begin(args)` prepares what all cases share and returns what ends it; for suites with servers of their own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--binary", default="", help="the wharf program, for suites that start servers")
    parser.add_argument("--name", choices=("wharf", "rabbitmq", "redis", "nats-server"), default="wharf")
    parser.add_argument("--filter", default="")
    parser.add_argument("--timeout", type=float, default=30)
    args = parser.parse_args()
    chosen = [(name, function) for name, function in CASES if args.filter in name]
    end = begin(args) if begin and chosen else None
    failed = 0
    try:
        for name, function in chosen:
            context = make_context(args.url, args.name, name.rsplit(".", 1)[-1])
            status, reason = run_one(context, function, args.timeout)
            failed += status == "FAIL"
            print(f"{status} {name}" + (f": {reason}" if reason else ""), flush=True)
    finally:
        if end:
            end()
    return 1 if failed else 0
