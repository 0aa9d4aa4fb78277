#!/usr/bin/env python3
"""Runs the Redis suites: real clients and raw sockets against one server, for its Pub/Sub.

  run.py --url redis://127.0.0.1:6379 --name wharf
  run.py --start wharf --binary build/release/wharf
  run.py --start redis --only raw,py --filter subscribe

The last line is `N passed, N failed`, with `, N skipped` when some were; the exit code is 1 if any failed.
"""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

# pylint: disable=wrong-import-position
import run as common  # noqa: E402
import serve  # noqa: E402

CACHE = os.path.join(serve.CACHE, "redis")
REDIS_PY = "8.1.0"


def command_raw():
    return [sys.executable, os.path.join(HERE, "raw.py")]


def command_cli():
    common.need("redis-cli")
    return [sys.executable, os.path.join(HERE, "cli.py")]


def command_py():
    return [common.python_with("redis", "python3-redis"), os.path.join(HERE, "client.py")]


def command_py_new():
    """The newest redis-py, in an environment of its own."""
    python = os.path.join(CACHE, "venv", "bin", "python")
    here = subprocess.run([python, "-c", f"import redis; assert redis.__version__ == '{REDIS_PY}'"],
                          capture_output=True, check=False).returncode == 0 if os.path.exists(python) else False
    if not here:
        common.build(["/usr/bin/python3", "-m", "venv", os.path.join(CACHE, "venv")])
        common.build([python, "-m", "pip", "install", "-q", f"redis=={REDIS_PY}"])
    return [python, os.path.join(HERE, "client.py")]


def command_hiredis():
    common.need("cc")
    if not os.path.exists("/usr/include/hiredis/hiredis.h"):
        raise common.Unavailable("libhiredis-dev is not installed")
    os.makedirs(CACHE, exist_ok=True)
    target = os.path.join(CACHE, "hiredis_suite")
    common.build(["cc", "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-O1", "-o", target,
                  os.path.join(HERE, "hiredis_suite.c"), "-lhiredis"])
    return [target]


def command_node():
    common.need("node", "npm")
    target = os.path.join(CACHE, "node")
    os.makedirs(target, exist_ok=True)
    source = os.path.join(HERE, "node")
    fresh = not (os.path.isdir(os.path.join(target, "node_modules", "ioredis"))
                 and filecmp.cmp(os.path.join(source, "package.json"), os.path.join(target, "package.json"), False))
    for name in os.listdir(source):
        shutil.copy(os.path.join(source, name), target)
    if fresh:
        common.build(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=target)
    return ["node", os.path.join(target, "suite.js")]


COMMANDS = {"raw": command_raw, "cli": command_cli, "py": command_py, "py_new": command_py_new,
            "hiredis": command_hiredis, "node": command_node}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running server, where a client on loopback may do everything")
    parser.add_argument("--start", choices=("wharf", "redis"), help="start a server for this run")
    parser.add_argument("--binary", help="the wharf program, for --start wharf")
    parser.add_argument("--name", choices=("wharf", "redis"), help="whose behaviour to expect where versions differ")
    parser.add_argument("--only", default=",".join(COMMANDS), help="comma-separated")
    parser.add_argument("--filter", default="", help="only cases whose name contains this text")
    parser.add_argument("--timeout", type=float, default=30, help="seconds a case may take")
    args = parser.parse_args()
    args.name = args.name or args.start or "wharf"
    if bool(args.url) == bool(args.start) or (args.start == "wharf" and not args.binary):
        parser.error("give --url, or --start redis, or --start wharf with --binary")
    return args


def main():
    args = parse()
    common.COMMANDS.update(COMMANDS)
    tally, server, url = common.Tally(), None, args.url
    if args.start:
        server = serve.Wharf(args.binary) if args.start == "wharf" else serve.Redis()
        server.start()
        url = server.redis_url
    try:
        for suite in args.only.split(","):
            common.run_suite(suite, args, url, tally)
    finally:
        complaint = server.stop() if server else None
    if complaint:
        tally.line("server", f"FAIL stop: {complaint}")
    print(tally)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
