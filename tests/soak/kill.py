#!/usr/bin/env python3
"""Kill soak: SIGKILL the broker under load, start it again, and account for every message.

  kill.py --binary build/release/wharf --rounds 200 [--seed 7] [--seconds-per-round 1.5]
  kill.py --start rabbitmq --rounds 3

Rules: a confirmed message is delivered at least once; a message that comes twice is flagged redelivered the second
time; nothing comes that was not sent, or after its ack within one life of the broker; per publisher and queue the
order holds among messages that were not redelivered. Exit code 1 when a rule is broken.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))

# pylint: disable=wrong-import-position
import serve  # noqa: E402
from ledger import Ledger  # noqa: E402
from traffic import Consumer, Publisher, Raw, World  # noqa: E402

DRAIN_SECONDS = 60
RESTART_SECONDS = 30


def declare(url, queues, queue_type):
    arguments = {"x-queue-type": queue_type} if queue_type != "classic" else {}
    with Raw(url).login() as raw:
        raw.open(1)
        for name in queues:
            raw.call(1, "queue.declare", 0, name, 2, arguments)


def ready(url, queues):
    with Raw(url).login() as raw:
        raw.open(1)
        return sum(raw.call(1, "queue.declare", 0, name, 1, {}).args[1] for name in queues)


class Soak:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.folder = tempfile.mkdtemp(prefix="wharf-soak-")
        self.server = serve.RabbitMQ() if args.start == "rabbitmq" else serve.Wharf(args.binary, self.folder)
        self.queues = [f"soak.{number}" for number in range(args.queues)]
        self.ledger = Ledger(args.publishers, args.queues)
        self.world = World(self.server.url, self.ledger, self.queues, args.rate / args.publishers, args.seed)
        self.publishers = [Publisher(self.world, number) for number in range(args.publishers)]
        self.consumers = [Consumer(self.world, number) for number in range(args.consumers)]
        self.recovery, self.worked, self.complaints = 0.0, 0.0, []

    def start(self, first=False):
        seconds = self.server.start() if self.args.start == "rabbitmq" else self.server.start(RESTART_SECONDS)
        if not first:
            self.recovery = max(self.recovery, seconds)
        self.world.life += 1
        self.world.up.set()

    def round(self, number):
        moment = self.random.uniform(0.1, self.args.seconds_per_round)
        until = time.monotonic() + moment
        while (left := until - time.monotonic()) > 0:
            self.world.backlog = self.ledger.backlog()
            time.sleep(min(0.1, left))
        self.world.up.clear()
        self.server.kill()
        self.worked += moment
        self.start()
        if number % 10 == 0 or self.args.verbose:
            sent, confirmed = self.ledger.totals()
            print(f"round {number}: sent {sent}, confirmed {confirmed}, delivered {self.ledger.delivered}, "
                  f"flagged {self.ledger.flagged}, recovery max {self.recovery:.2f} s", flush=True)

    def drain(self):
        self.world.publishing = False
        for publisher in self.publishers:
            publisher.join(20)
        until, calm = time.monotonic() + DRAIN_SECONDS, 0
        while calm < 5 and time.monotonic() < until:
            before = self.ledger.delivered
            time.sleep(0.2)
            empty = ready(self.server.url, self.queues) == 0
            calm = calm + 1 if empty and self.ledger.delivered == before else 0
        if calm < 5:
            self.complaints.append(f"the queues did not drain within {DRAIN_SECONDS} s")
        self.world.consuming = False
        for consumer in self.consumers:
            consumer.join(10)
        time.sleep(0.3)  # the broker requeues what a closed consumer still held
        left = ready(self.server.url, self.queues)
        if left:
            self.complaints.append(f"{left} messages left after the drain")

    def run(self):
        self.start(first=True)
        declare(self.server.url, self.queues, self.args.queue_type)
        for worker in self.publishers + self.consumers:
            worker.start()
        for number in range(1, self.args.rounds + 1):
            self.round(number)
            if any(self.ledger.broken.values()) and not self.args.keep_going:
                break
        self.drain()
        self.complaints += [f"soak worker failed: {worker.error!r}" for worker in self.publishers + self.consumers
                            if worker.error]
        return number

    def stop(self):
        process = getattr(self.server, "process", None)
        if process is None or process.poll() is None:
            complaint = self.server.stop()
            if complaint:
                self.complaints.append(complaint)

    def report(self, rounds):
        lost = self.ledger.lost()
        sent, confirmed = self.ledger.totals()
        broken = {rule: found for rule, found in self.ledger.broken.items() if found}
        print(f"seed {self.args.seed}, rounds {rounds}, published {sent}, confirmed {confirmed}, delivered "
              f"{self.ledger.delivered}, given back {self.ledger.nacked}, {sent / max(self.worked, 0.1):.0f} published/s "
              f"while up")
        print(f"lost {len(lost)}, duplicates flagged {self.ledger.flagged}, unexplained duplicates "
              f"{len(self.ledger.broken['unexplained duplicates'])}, recovery max {self.recovery:.2f} s")
        if lost:
            print(f"LOST {lost[:10]}")
        for rule, found in broken.items():
            print(f"BROKEN {rule}: {len(found)}, first: {'; '.join(found[:3])}")
        for complaint in self.complaints:
            print(f"BROKEN {complaint}")
        failed = bool(lost or broken or self.complaints)
        print("FAIL" if failed else "ok")
        return 1 if failed else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="the wharf program")
    parser.add_argument("--start", choices=("wharf", "rabbitmq"), default="wharf")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--seconds-per-round", type=float, default=1.5, help="the latest moment of the kill")
    parser.add_argument("--publishers", type=int, default=3)
    parser.add_argument("--consumers", type=int, default=4)
    parser.add_argument("--queues", type=int, default=4)
    parser.add_argument("--queue-type", choices=("classic", "quorum"), default="classic")
    parser.add_argument("--rate", type=float, default=12000, help="messages a second, all publishers together")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first broken rule")
    parser.add_argument("--keep-data", action="store_true", help="leave the data folder for a look")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    if args.start == "wharf" and not args.binary:
        parser.error("--binary is needed")
    if args.consumers < args.queues:
        parser.error("every queue needs a consumer")
    return args


def main():
    args = parse()
    soak, rounds = Soak(args), 0
    threading.excepthook = lambda given: print(f"soak thread: {given.exc_value!r}", file=sys.stderr)
    try:
        rounds = soak.run()
    except RuntimeError as error:
        soak.complaints.append(str(error))
    finally:
        soak.stop()
    code = soak.report(rounds)
    if args.keep_data or code:
        print(f"data kept in {soak.folder}")
    else:
        shutil.rmtree(soak.folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
