#!/usr/bin/env python3
"""Runs the interop suites: real clients in several languages against one server of each protocol.

  run.py --url amqp://guest:guest@127.0.0.1:5672/%2f --name wharf
  run.py --start wharf --binary build/release/wharf
  run.py --start rabbitmq --only pika,raw --filter confirm
  run.py --start nats-server

The last line is `N passed, N failed`, with `, N skipped` when some were; the exit code is 1 if any failed.
"""

import argparse
import filecmp
import os
import queue
import shutil
import subprocess
import sys
import threading

import serve

HERE = os.path.dirname(os.path.abspath(__file__))
AMQP_SUITES = ("pika", "raw", "tools", "c", "node", "java", "go", "celery", "access")
NATS_SUITES = ("nats-raw", "nats-c", "nats-node", "nats-python")
SUITES = AMQP_SUITES + NATS_SUITES
SUITES_OF = {"wharf": SUITES, "rabbitmq": AMQP_SUITES, "nats-server": NATS_SUITES}
# These start the servers that they need; they can only run beside --start.
OWN_SERVERS = ("access",)


class Unavailable(Exception):
    """A suite's client is not on this machine."""


def python_with(module, package):
    """Debian's packages belong to Debian's python3, which need not be the one running this."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", f"import {module}"], cwd="/", capture_output=True,
                          check=False).returncode == 0:
            return python
    raise Unavailable(f"{package} is not installed")


def python_with_pika():
    return python_with("pika.spec", "python3-pika")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed")


def build(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-600:]}")


def command_pika():
    return [python_with_pika(), os.path.join(HERE, "pika", "run.py")]


def command_raw():
    return [sys.executable, os.path.join(HERE, "raw", "run.py")]


def command_tools():
    need("amqp-publish", "amqp-consume", "amqp-get", "amqp-declare-queue", "amqp-delete-queue")
    return [python_with_pika(), os.path.join(HERE, "tools", "run.py")]


def command_c():
    need("cc")
    folder, target = os.path.join(HERE, "c"), os.path.join(serve.CACHE, "c")
    if not os.path.exists("/usr/include/amqp.h"):
        raise Unavailable("librabbitmq-dev is not installed")
    os.makedirs(target, exist_ok=True)
    sources = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".c"))
    build(["cc", "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-O1", "-o", os.path.join(target, "suite"),
           *sources, "-lrabbitmq"])
    return [os.path.join(target, "suite")]


def command_node():
    return command_npm(os.path.join(HERE, "node"), os.path.join(serve.CACHE, "node"), "amqplib")


def command_npm(source, target, package):
    need("node", "npm")
    os.makedirs(target, exist_ok=True)
    fresh = not (os.path.isdir(os.path.join(target, "node_modules", package))
                 and filecmp.cmp(os.path.join(source, "package.json"), os.path.join(target, "package.json"), False))
    for name in os.listdir(source):
        shutil.copy(os.path.join(source, name), target)
    if fresh:
        build(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=target)
    return ["node", os.path.join(target, "run.js")]


def command_java():
    need("java", "javac")
    folder, target = os.path.join(HERE, "java"), os.path.join(serve.CACHE, "java")
    jars = ["/usr/share/java/amqp-client.jar", "/usr/share/java/slf4j-api.jar", "/usr/share/java/slf4j-nop.jar"]
    for jar in jars:
        if not os.path.exists(jar):
            raise Unavailable(f"{jar} is missing (librabbitmq-client-java, libslf4j-java)")
    os.makedirs(target, exist_ok=True)
    sources = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".java")]
    classes = os.path.join(target, "Suite.class")
    if not os.path.exists(classes) or os.path.getmtime(classes) < max(map(os.path.getmtime, sources)):
        build(["javac", "-nowarn", "-cp", ":".join(jars), "-d", target, *sources])
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", ":".join([target, *jars]), "Suite"]


def go_compiler():
    """Debian's own Go, if it is there: the module's version is one that it can build."""
    for program in ("/usr/lib/go-1.19/bin/go", "go"):
        if shutil.which(program):
            return program
    raise Unavailable("go is not installed")


def command_go():
    program, target = go_compiler(), os.path.join(serve.CACHE, "go")
    env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -modcacherw", GOPATH=os.path.join(target, "path"),
               GOCACHE=os.path.join(target, "cache"), CGO_ENABLED="0")
    build([program, "build", "-o", os.path.join(target, "suite"), "."], cwd=os.path.join(HERE, "go"), env=env)
    return [os.path.join(target, "suite")]


def command_celery():
    return [python_with("celery", "celery"), os.path.join(HERE, "celery", "run.py")]


def command_access():
    need("openssl", "amqp-publish")
    return [python_with_pika(), os.path.join(HERE, "access", "run.py")]


def command_nats_raw():
    return [sys.executable, os.path.join(HERE, "nats", "raw.py")]


def command_nats_c():
    need("cc")
    if not os.path.exists("/usr/include/nats/nats.h"):
        raise Unavailable("libnats-dev is not installed")
    target = os.path.join(serve.CACHE, "nats-c")
    os.makedirs(target, exist_ok=True)
    build(["cc", "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-O1", "-o", os.path.join(target, "suite"),
           os.path.join(HERE, "nats", "c", "suite.c"), "-lnats"])
    return [os.path.join(target, "suite")]


def command_nats_node():
    return command_npm(os.path.join(HERE, "nats", "node"), os.path.join(serve.CACHE, "nats-node"), "nats")


def command_nats_python():
    python = os.path.join(serve.CACHE, "nats-python", "bin", "python")
    if not os.path.exists(python):
        raise Unavailable("nats-py is not installed")
    return [python, os.path.join(HERE, "nats", "python", "run.py")]


COMMANDS = {"nats-raw": command_nats_raw, "nats-c": command_nats_c, "nats-node": command_nats_node,
            "nats-python": command_nats_python, "pika": command_pika, "raw": command_raw, "tools": command_tools, "c": command_c,
            "node": command_node, "java": command_java, "go": command_go,
            "celery": command_celery,
            "access": command_access}


class Tally:
    def __init__(self):
        self.ok = self.failed = self.skipped = 0

    def line(self, suite, text):
        status, _, rest = text.partition(" ")
        if status not in ("ok", "FAIL", "skip"):
            print(f"     {suite}: {text}", flush=True)
            return
        self.ok += status == "ok"
        self.failed += status == "FAIL"
        self.skipped += status == "skip"
        print(f"{status:4} {suite}: {rest}", flush=True)

    def __str__(self):
        text = f"{self.ok} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def pump(stream, lines):
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)


def run_suite(suite, args, url, tally):
    """Streams the suite's lines. A suite bounds its own cases; the silence limit here is for when that fails."""
    if suite in OWN_SERVERS and not args.start:
        tally.line(suite, f"skip {suite}: it configures its own servers; give --start")
        return
    try:
        command = COMMANDS[suite]()
    except Unavailable as missing:
        tally.line(suite, f"skip {suite}: {missing}; run tests/interop/install.sh")
        return
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        tally.line(suite, f"FAIL {suite}: does not build: {error}")
        return
    command += ["--url", url, "--name", args.name, "--filter", args.filter, "--timeout", str(args.timeout)]
    if suite in OWN_SERVERS:
        command += ["--binary", args.binary or ""]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    lines = queue.Queue()
    threading.Thread(target=pump, args=(process.stdout, lines), daemon=True).start()
    before = tally.failed
    try:
        while (line := lines.get(timeout=args.timeout + 30)) is not None:
            tally.line(suite, line)
        code = process.wait(10)
        if code and tally.failed == before:
            tally.line(suite, f"FAIL {suite}: ended with exit code {code} and no failed case")
    except (queue.Empty, subprocess.TimeoutExpired):
        process.kill()
        process.wait(10)
        tally.line(suite, f"FAIL {suite}: no line for {args.timeout + 30:.0f} s, ended it")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running server, as a user allowed everything")
    parser.add_argument("--nats-url", help="the same for the nats suites")
    parser.add_argument("--start", choices=tuple(SUITES_OF), help="start a server for this run")
    parser.add_argument("--binary", help="the wharf program, for --start wharf")
    parser.add_argument("--name", choices=tuple(SUITES_OF),
                        help="whose behaviour to expect where versions differ (default: what is started, or wharf)")
    parser.add_argument("--only", default="", help=f"comma-separated from: {','.join(SUITES)}")
    parser.add_argument("--filter", default="", help="only cases whose name contains this text")
    parser.add_argument("--timeout", type=float, default=30, help="seconds a case may take")
    args = parser.parse_args()
    args.name = args.name or args.start or "wharf"
    args.suites = args.only.split(",") if args.only else list(SUITES_OF[args.name])
    if not args.url and not args.nats_url and not args.start:
        parser.error("give --url, --nats-url or --start")
    if args.start == "wharf" and not args.binary:
        parser.error("--start wharf needs --binary")
    if set(args.suites) - set(SUITES):
        parser.error(f"--only takes: {','.join(SUITES)}")
    return args


def main():
    args = parse()
    tally, server = Tally(), None
    amqp_url, nats_url = args.url, args.nats_url
    if args.start:
        makers = {"rabbitmq": serve.RabbitMQ, "nats-server": serve.NatsServer}
        server = serve.Wharf(args.binary) if args.start == "wharf" else makers[args.start]()
        server.start()
        amqp_url, nats_url = getattr(server, "url", None), getattr(server, "nats_url", None)
    try:
        for suite in args.suites:
            url = nats_url if suite in NATS_SUITES else amqp_url
            if url:
                run_suite(suite, args, url, tally)
    finally:
        complaint = server.stop() if server else None
    if complaint:
        tally.line("server", f"FAIL stop: {complaint}")
    print(tally)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
