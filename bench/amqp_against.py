#!/usr/bin/env python3
"""Runs `wharf bench amqp` against Wharf and against RabbitMQ, turn about, and compares.

  amqp_against.py --wharf build/release/wharf --against rabbitmq [--seconds S] [--rounds R]
  amqp_against.py --wharf build/release/wharf --only wharf        one of them alone (or --only rabbitmq)

Both are started here, with empty data folders side by side on one disk, on free loopback ports, and are ended by pid.
Each round runs a workload on one and then on the other; the table shows the medians of the rounds. RabbitMQ is Debian's,
as tools/peers/rabbitmq.py sets it up (RABBITMQ_CONF below), started with the defaults of its package otherwise.

Workloads
  persistent-100, persistent-1000   1 KiB persistent, durable queue, 100 or 1000 confirms outstanding, manual acks
  transient                         128 B transient, no confirms, automatic acks
  latency                           1 KiB persistent with confirms at a fixed rate, timed from when each was due
  memory                            1,000,000 messages of 1 KiB, persistent, put into a queue of a fresh server and taken out
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, part) for part in ("bench", "tools/peers", "tests/interop")]
import against  # noqa: E402  pylint: disable=wrong-import-position
import rabbitmq  # noqa: E402  pylint: disable=wrong-import-position
import serve  # noqa: E402  pylint: disable=wrong-import-position

# Room for a million messages before the memory alarm stops publishers.
RABBITMQ_CONF = ["vm_memory_high_watermark.absolute = 6GB"]
SETTLE_SECONDS = 3
LATENCY_SHARE = 0.4  # of the slower server's throughput
PERSISTENT = ["--size", "1024", "--persistent", "--queue-durable", "--ack", "manual"]

THROUGHPUT = {
    "persistent-100": [*PERSISTENT, "--confirm-window", "100", "--prefetch", "100", "--ack-every", "10"],
    "persistent-1000": [*PERSISTENT, "--confirm-window", "1000", "--prefetch", "1000", "--ack-every", "100"],
    "transient": ["--size", "128", "--ack", "auto"],
}
LATENCY = [*PERSISTENT, "--confirm-window", "10000", "--prefetch", "1000"]
FILL = ["--mode", "fill", "--size", "1024", "--persistent", "--queue-durable", "--confirm-window", "1000"]
DRAIN = ["--mode", "drain", "--ack", "manual", "--prefetch", "1000", "--ack-every", "100"]

# name -> (path in the generator's JSON, unit, scale)
RATES = {"sent": (("sent_per_s",), "msg/s", 1), "confirmed": (("confirmed_per_s",), "msg/s", 1),
         "received": (("received_per_s",), "msg/s", 1)}
TIMES = {f"{what} {name}": ((f"publish_to_{what}", key), "ms", 1e-3)
         for what in ("confirm", "deliver")
         for name, key in (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us"), ("max", "max_us"))}
COSTS = {"messages missing": (("missing",), "", 1), "server processors": (("server", "cpu_cores"), "", 1),
         "generator processors": (("generator_cores",), "", 1)}
FIGURES = {**RATES, **TIMES, **COSTS}


class Server:
    """One running broker: its url, its pid, and how to end it."""

    def __init__(self, name, wharf, folder):
        self.name, self.folder, self.wharf = name, folder, None
        os.makedirs(folder)
        if name == "wharf":
            self.wharf = serve.Wharf(wharf, data=os.path.join(folder, "data"))
            self.wharf.start()
            self.url, self.pid = self.wharf.url, self.wharf.process.pid
        else:
            state = rabbitmq.start(folder, extra=RABBITMQ_CONF)
            self.url, self.pid = state["url"], state["pid"]

    def stop(self):
        if self.wharf:
            complaint = self.wharf.stop()
            if complaint:
                print(complaint, file=sys.stderr)
        else:
            rabbitmq.stop(self.folder)


@contextlib.contextmanager
def servers(args, folder):
    """A fresh server of each kind, by name."""
    running = {}
    try:
        for name in args.names:
            running[name] = Server(name, args.wharf, os.path.join(folder, name))
        yield running
    finally:
        for server in running.values():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def bench(args, server, *options):
    """One run of the generator; what it printed."""
    command = [args.wharf, "bench", "amqp", "--url", server.url, "--server-pid", str(server.pid), "--json", *options]
    limit = args.seconds + args.warmup + args.messages / 500 + 120
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit, check=False)
    if done.returncode:
        raise RuntimeError(f"{server.name}: {' '.join(options)}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if result["missing"] or result["redelivered"]:
        print(f"{server.name}: {result['missing']} messages missing, {result['redelivered']} redelivered",
              file=sys.stderr)
    return result


def timed(args, server, *options):
    return bench(args, server, "--seconds", str(args.seconds), "--warmup", str(args.warmup), *options)


def in_turn(args, run, what):
    """As against.in_turn, with fresh servers."""
    with servers(args, os.path.join(args.folder, what)) as running:
        return against.in_turn(running, args.rounds, run, what)


def resident_bytes(pid):
    """Of the process and all that descend from it."""
    parents, sizes = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            parents[int(entry)] = int(fields[1])
            sizes[int(entry)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    tree = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in tree} - tree
        if not more:
            return sum(sizes.get(each, 0) for each in tree)
        tree |= more


def memory_run(args, server):
    """Fills and drains; the figures that only this workload has."""
    empty = resident_bytes(server.pid)
    fill = bench(args, server, *FILL, "--messages", str(args.messages))
    time.sleep(SETTLE_SECONDS)
    full = resident_bytes(server.pid)
    drain = bench(args, server, *DRAIN)
    return {"fill": fill, "drain": drain, "empty": empty, "full": full, "peak": fill["server"]["resident_bytes_peak"]}


def figures_of(workload, results):
    """[(figure, unit, {name: median})] of a workload, without those that are nothing for all."""
    table = FIGURES
    if workload == "memory":
        mebi = 2 ** -20
        table = {"resident, empty": (("empty",), "MiB", mebi), "resident, full": (("full",), "MiB", mebi),
                 "resident, at most": (("peak",), "MiB", mebi),
                 "filled": (("fill", "confirmed_per_s"), "msg/s", 1),
                 "drained": (("drain", "received_per_s"), "msg/s", 1)}
    rows = []
    for figure, (path, unit, scale) in table.items():
        medians = {name: against.median_of(each, path, scale) for name, each in results.items()}
        if any(medians.values()):
            rows.append((figure, unit, medians))
    return rows


def print_table(names, workload, rows):
    print(f"\n{workload}")
    print(f"  {'':22}{'':6}" + "".join(f"{name:>12}" for name in names) + ("       ratio" if len(names) == 2 else ""))
    for figure, unit, medians in rows:
        line = f"  {figure:22}{unit:6}" + "".join(f"{against.number(medians[name]):>12}" for name in names)
        first, last = medians[names[0]], medians[names[-1]]
        if len(names) == 2 and first and last:
            line += f"{first / last:12.2f}"
        print(line)


def latency_rate(args, results):
    if args.rate:
        return args.rate
    medians = [against.median_of(each, ("confirmed_per_s",), 1) for each in results.get("persistent-1000", {}).values()]
    known = [value for value in medians if value]
    return max(100, int(min(known) * LATENCY_SHARE) // 100 * 100) if known else 1000


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wharf", required=True, help="the wharf binary; also the generator")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--against", choices=["rabbitmq"])
    which.add_argument("--only", choices=["wharf", "rabbitmq"])
    parser.add_argument("--workloads", default="persistent-100,persistent-1000,transient,latency,memory")
    parser.add_argument("--seconds", type=float, default=10, help="measured time of a run")
    parser.add_argument("--warmup", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=0, help="of latency; default: a share of the slower throughput")
    parser.add_argument("--messages", type=int, default=1_000_000, help="of memory")
    parser.add_argument("--dir", help="where the data folders go; it should be on the disk that counts")
    parser.add_argument("--json", help="also write every run to this file")
    args = parser.parse_args()
    args.wharf = os.path.abspath(args.wharf)
    args.names = [args.only] if args.only else ["wharf", args.against]
    args.workloads = args.workloads.split(",")
    unknown = set(args.workloads) - {*THROUGHPUT, "latency", "memory"}
    if unknown:
        parser.error(f"unknown workload {', '.join(sorted(unknown))}")
    return args


def main():
    args = parse()
    args.folder = tempfile.mkdtemp(prefix="wharf-against-", dir=args.dir)
    report = {"machine": against.machine(args.folder), "seconds": args.seconds, "rounds": args.rounds, "workloads": {}}
    results = report["workloads"]
    try:
        for workload in args.workloads:
            if workload == "memory":
                once = argparse.Namespace(**{**vars(args), "rounds": 1})
                results[workload] = in_turn(once, lambda server: memory_run(args, server), workload)
            elif workload == "latency":
                report["latency_rate"] = latency_rate(args, results)
                options = [*LATENCY, "--rate", str(report["latency_rate"])]
                results[workload] = in_turn(args, lambda server: timed(args, server, *options), workload)
            else:
                results[workload] = in_turn(args, lambda server: timed(args, server, *THROUGHPUT[workload]), workload)
    finally:
        shutil.rmtree(args.folder, ignore_errors=True)
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    medians = {}
    for workload, each in results.items():
        title = f"{workload} at {report['latency_rate']:.0f} msg/s" if workload == "latency" else workload
        rows = figures_of(workload, each)
        medians[workload] = {figure: values for figure, _, values in rows}
        print_table(args.names, title, rows)
    report["medians"] = medians
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    print("\n" + json.dumps(medians))


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(f"amqp_against.py: {error}")
