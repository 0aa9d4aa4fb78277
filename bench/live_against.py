#!/usr/bin/env python3
"""Runs `wharf bench nats` or `wharf bench redis` against Wharf, the original and a forwarder, turn about, and compares.

  live_against.py nats --wharf build/release/wharf --against nats-server [--seconds S] [--rounds R] [--workloads W,...]
  live_against.py redis --wharf build/release/wharf --against redis
  live_against.py nats --wharf build/release/wharf --only ceiling,nats-server

All are started here, with empty folders, on free loopback ports, and are ended by pid. The original is Debian's, as
tools/peers sets it up. The ceiling is `wharf bench forwarder`: one thread that only splits what comes and copies it.
Each round runs a workload on each; the table shows the medians of the rounds, the ratio of Wharf to the original and
Wharf's share of the ceiling. "per CPU" is the rate over the processors that the server took: it says what a message
costs even when other work slows the machine down, where rates alone do not.

Workloads, each by name: PATTERN-SIZE
  1to1, 1to8, 4to4   publishers and subscribers as fast as it goes: 4to4 has a name for each pair; on Redis each
                     publisher has 1000 publishes unanswered at most
  single             Redis only: one publish at a time
  request            one request at a time, and its reply
  requests           8 connections that do so at once, 2 that reply
  rate               1to1 at a fixed rate, timed from when each message was due
A publisher stays a few MB ahead of its subscribers at most, so that none is cut off as too slow.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, part) for part in ("bench", "tests/interop")]
import against  # noqa: E402  pylint: disable=wrong-import-position
import serve  # noqa: E402  pylint: disable=wrong-import-position

PEERS = {"nats": "nats-server", "redis": "redis"}
SCRIPTS = {"nats": "nats.py", "redis": "redis_server.py"}  # in tools/peers
READY_SECONDS = 20
AHEAD_BYTES, AHEAD_MESSAGES = 8 << 20, 100_000  # of each subscriber
PIPELINED = 1000

# pattern -> (options of the generator, subscribers)
PATTERNS = {
    "1to1": ([], 1),
    "1to8": (["--subscribers", "8"], 8),
    "4to4": (["--publishers", "4", "--subscribers", "4", "--names", "4"], 4),
    "single": ([], 1),
    "request": (["--mode", "request"], 1),
    "requests": (["--mode", "request", "--publishers", "8", "--subscribers", "2", "--names", "2"], 2),
    "rate": ([], 1),
}
DEFAULT = {
    "nats": "1to1-16,1to1-128,1to1-1024,1to1-16384,1to8-16,1to8-128,1to8-1024,4to4-128,request-16,requests-16,rate-128",
    "redis": "1to1-16,1to1-128,1to1-1024,1to1-16384,1to8-16,1to8-128,1to8-1024,4to4-128,single-16,request-16,"
             "requests-16,rate-128",
}
TIMED = ("single", "request", "requests", "rate")  # what counts is the latency

# column -> (path in the generator's JSON, scale)
COLUMNS = {
    "msg/s": (("received_per_s",), 1),
    "per CPU": (("per_cpu",), 1),
    "p50 us": (("latency", "p50_us"), 1),
    "p99 us": (("latency", "p99_us"), 1),
    "CPU": (("server", "cpu_cores"), 1),
    "MiB": (("server", "resident_bytes_peak"), 2 ** -20),
    "gen. CPU": (("generator_cores",), 1),
    "missing": (("missing",), 1),
}


class Peer:
    """The original, through its script in tools/peers."""

    def __init__(self, args, folder):
        self.script = [sys.executable, os.path.join(ROOT, "tools", "peers", SCRIPTS[args.protocol])]
        self.folder = folder
        subprocess.run([*self.script, "install"], stdout=subprocess.DEVNULL, check=True, timeout=1200)
        # The server may inherit the pipe, so its end is not waited for.
        with subprocess.Popen([*self.script, "start", "--dir", folder, "--port", str(serve.free_port())],
                              stdout=subprocess.PIPE, text=True) as starting:
            line = starting.stdout.readline()
            starting.wait(READY_SECONDS)
        if not line.startswith("ready "):
            raise RuntimeError(f"{self.script[1]} did not start its server")
        state = dict(part.split("=", 1) for part in line.split() if "=" in part)
        self.url, self.pid = state[args.protocol], int(state["pid"])

    def stop(self):
        subprocess.run([*self.script, "stop", "--dir", self.folder], check=True, timeout=60)


class Ceiling:
    def __init__(self, args, _folder):
        self.process = subprocess.Popen([args.wharf, "bench", "forwarder", args.protocol], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError("the forwarder did not start")
        port = line.split("port=")[1].strip()
        self.url, self.pid = f"{args.protocol}://127.0.0.1:{port}", self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Wharf:
    def __init__(self, args, folder):
        # Every listener gets a port of its own, or two servers would ask for the same.
        ports = {name: serve.free_port() for name in listeners(args.wharf) if name != "amqp"}
        options = [text for name, port in ports.items() for text in (f"--{name}-listen", f"127.0.0.1:{port}")]
        self.wharf = serve.Wharf(args.wharf, data=os.path.join(folder, "data"), options=options)
        self.wharf.start()
        self.url, self.pid = f"{args.protocol}://127.0.0.1:{ports[args.protocol]}", self.wharf.process.pid
        wait_for_port(ports[args.protocol])

    def stop(self):
        complaint = self.wharf.stop()
        if complaint:
            print(complaint, file=sys.stderr)


def listeners(wharf):
    """What `wharf serve` has a --NAME-listen for."""
    text = subprocess.run([wharf, "serve", "--help"], stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout
    return re.findall(r"--([\w-]+)-listen\b", text)


def wait_for_port(port):
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def servers(args, folder):
    """A fresh server of each kind, by name."""
    kinds = {"wharf": Wharf, "ceiling": Ceiling}
    running = {}
    try:
        for name in args.names:
            own = os.path.join(folder, name)
            os.makedirs(own)
            running[name] = kinds.get(name, Peer)(args, own)
        yield running
    finally:
        for server in running.values():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def options_of(args, workload):
    pattern, size = workload.rsplit("-", 1)
    options, subscribers = PATTERNS[pattern]
    ahead = max(64, min(AHEAD_MESSAGES, AHEAD_BYTES // max(1, int(size))))
    depth = 1 if pattern in ("single", "request", "requests") else PIPELINED
    rate = ["--rate", str(args.rate)] if pattern == "rate" else []
    return ["--size", size, "--depth", str(depth), "--window", str(subscribers * ahead), *options, *rate]


def bench(args, server, options):
    """One run of the generator; what it printed, with what follows from it."""
    command = [args.wharf, "bench", args.protocol, "--url", server.url, "--server-pid", str(server.pid), "--json",
               "--seconds", str(args.seconds), "--warmup", str(args.warmup), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=args.seconds + args.warmup + 60)
    if not done.stdout:
        raise RuntimeError(f"{server.url}: {' '.join(options)}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    processors = result["server"]["cpu_cores"]
    result["per_cpu"] = result["received_per_s"] / processors if processors else None
    # One publish at a time is answered after it was sent on: the answer is what its sender waits for.
    result["latency"] = result["publish_to_deliver"]
    if "--mode" not in options and "--rate" not in options and result["publish_to_answer"]:
        result["latency"] = result["publish_to_answer"]
    return result


def ratio(one, other):
    return f"{one / other:.2f}" if one and other else "-"


def verdict(medians, names, workload):
    """How Wharf stands to the others, in words."""
    if "wharf" not in medians:
        return []
    own = medians["wharf"]
    lines = []
    for name in names:
        if name == "wharf":
            continue
        other = medians[name]
        kind = "share of the ceiling" if name == "ceiling" else f"wharf / {name}"
        line = f"{kind}: {ratio(own['msg/s'], other['msg/s'])}, per CPU {ratio(own['per CPU'], other['per CPU'])}"
        if workload.split("-")[0] in TIMED:
            line += f", p50 {ratio(own['p50 us'], other['p50 us'])}, p99 {ratio(own['p99 us'], other['p99 us'])}"
        lines.append(line)
    return lines


def print_table(names, workload, medians):
    print(f"\n{workload}")
    print(f"  {'':14}" + "".join(f"{column:>12}" for column in COLUMNS))
    for name in names:
        print(f"  {name:14}" + "".join(f"{against.number(medians[name][column]):>12}" for column in COLUMNS))
    for line in verdict(medians, names, workload):
        print(f"  {line}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=sorted(PEERS))
    parser.add_argument("--wharf", required=True, help="the wharf binary; also the generator and the forwarder")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--against", choices=sorted(PEERS.values()))
    which.add_argument("--only", help="some of wharf, ceiling and the original's name, with commas")
    parser.add_argument("--workloads", help="with commas; default: all")
    parser.add_argument("--seconds", type=float, default=5, help="measured time of a run")
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=20000, help="of the workload rate, messages a second")
    parser.add_argument("--json", help="also write every run to this file")
    args = parser.parse_args()
    args.wharf = os.path.abspath(args.wharf)
    peer = PEERS[args.protocol]
    args.names = args.only.split(",") if args.only else [peer, "wharf", "ceiling"]
    args.workloads = (args.workloads or DEFAULT[args.protocol]).split(",")
    if args.against not in (None, peer) or set(args.names) - {peer, "wharf", "ceiling"}:
        parser.error(f"{args.protocol} is compared with {peer}, wharf and ceiling")
    for workload in args.workloads:
        pattern, _, size = workload.rpartition("-")
        if pattern not in PATTERNS or not size.isdigit():
            parser.error(f"unknown workload {workload}")
    if "wharf" in args.names and args.protocol not in listeners(args.wharf):
        parser.error(f"this wharf has no --{args.protocol}-listen; choose the others with --only")
    return args


def main():
    args = parse()
    folder = tempfile.mkdtemp(prefix="wharf-against-")
    report = {"machine": against.machine(folder), "seconds": args.seconds, "rounds": args.rounds, "workloads": {}}
    medians = {}
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    try:
        for workload in args.workloads:
            options = options_of(args, workload)
            with servers(args, os.path.join(folder, workload)) as running:
                results = against.in_turn(running, args.rounds, lambda server, o=options: bench(args, server, o),
                                          workload)
            report["workloads"][workload] = results
            medians[workload] = {name: {column: against.median_of(each, *place) for column, place in COLUMNS.items()}
                                 for name, each in results.items()}
            print_table(args.names, workload, medians[workload])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report["medians"] = medians
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    print("\n" + json.dumps(medians))


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"live_against.py: {error}")
