"""redis-cli, used as people use it: in a shell, and to watch a channel."""

import os
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position
import harness  # noqa: E402
from harness import case, equal, matches, until  # noqa: E402


class CliContext(harness.Context):
    def command(self, *args):
        where = urllib.parse.urlparse(self.url)
        return ["redis-cli", "-h", where.hostname, "-p", str(where.port), *args]

    def run(self, *args, text=None):
        done = subprocess.run(self.command(*args), input=text, capture_output=True, text=True, timeout=15, check=False)
        return (done.stdout + done.stderr).strip()

    def watch(self, *args):
        """A redis-cli that stays subscribed; its lines come one by one."""
        process = subprocess.Popen(self.command(*args), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   bufsize=1, env=dict(os.environ, REDISCLI_RCFILE="/dev/null"))
        self.at_end(lambda: (process.kill(), process.wait(5)))
        return process

    def hear(self, process, lines):
        return [process.stdout.readline().strip() for _ in range(lines)]


@case
def publish_and_subscribe(t):
    for option in ([], ["-3"]):
        watcher = t.watch(*option, "SUBSCRIBE", "cli.news")
        until(lambda: t.run("PUBLISH", "cli.news", "hello") == "1", what="a subscriber")
        text = " ".join(t.hear(watcher, 6))
        matches(text, "^subscribe cli.news 1 message cli.news hello$")
        watcher.kill()
        until(lambda: t.run("PUBLISH", "cli.news", "x") == "0", what="no subscriber")


@case
def answers_as_shown(t):
    equal(t.run("PING"), "PONG")
    equal(t.run("ECHO", "a b"), "a b")
    equal(t.run("-3", "PING"), "PONG")
    equal(t.run("PUBSUB", "NUMPAT"), "0")
    matches(t.run("NOPE"), "ERR unknown command 'NOPE'")
    matches(t.run("INFO", "server"), "redis_version:7")
    equal(t.run("-x", "PUBLISH", "cli.nobody", text="from stdin"), "0")


@case
def commands_from_a_pipe(t):
    equal(t.run(text="MULTI\nPUBLISH cli.nobody x\nEXEC\n").split(), ["OK", "QUEUED", "0"])
    equal(t.run("--pipe", text="PUBLISH cli.nobody x\r\n" * 1000).splitlines()[-1], "errors: 0, replies: 1000")


@case
def login_with_a_user(t):
    if t.server == "redis":
        raise harness.Skip("Debian's server has no user but the default one here")
    equal(t.run("--user", "guest", "--pass", "guest", "--no-auth-warning", "ACL", "WHOAMI"), "guest")
    matches(t.run("--user", "guest", "--pass", "wrong", "--no-auth-warning", "PING"), "WRONGPASS")


@case
def latency_and_documentation(t):
    matches(t.run("COMMAND", "DOCS", "publish"), "summary")
    matches(t.run("CLIENT", "LIST"), r"id=\d+ addr=")


sys.exit(harness.main(CliContext))
