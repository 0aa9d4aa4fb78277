"""What the cases of the limits run stand on: a broker with its memory in sight, a bystander that works beside the
trouble, and a report that compares each figure with its hard limit."""

import glob
import multiprocessing
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
INTEROP = os.path.join(os.path.dirname(HERE), "interop")
sys.path[:0] = [INTEROP, os.path.join(INTEROP, "lib")]

# pylint: disable=wrong-import-position
import serve  # noqa: E402
from wire import DURABLE, Raw  # noqa: E402

serve.STOP_SECONDS = 60  # there is much to seal, and perhaps others on the machine

MIB = 1024 * 1024
CASES = []


def case(function):
    CASES.append(function)
    return function


def eventually(test, seconds):
    until = time.monotonic() + seconds
    while not test():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class Broker(serve.Wharf):
    """A wharf process with a configuration of its own; `settings` is {"net": {"connections_max": 5}}."""

    def __init__(self, rig, settings=None):
        self.folder = tempfile.mkdtemp(prefix="wharf-limits-", dir=rig.folder)
        config = os.path.join(self.folder, "wharf.toml")
        with open(config, "w", encoding="ascii") as out:
            for section, values in (settings or {}).items():
                out.write(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))
        super().__init__(rig.binary, os.path.join(self.folder, "data"), rig.next_port(), ("--config", config))
        self.rig = rig

    def __enter__(self):
        self.start()
        # The one that asked whether it is up leaves; the listener stays.
        eventually(lambda: self.connections() == 1, 5)
        return self

    def __exit__(self, kind, *_):
        complaint = self.stop() if self.process and self.process.poll() is None else "the broker is gone"
        shutil.rmtree(self.folder, ignore_errors=True)
        if complaint and kind is None:
            self.rig.fail(complaint)

    def login(self, **options):
        return Raw(self.url, timeout=options.pop("timeout", 30)).login(**options)

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as text:
            return next(int(line.split()[1]) * 1024 for line in text if line.startswith(key + ":"))

    def resident(self):
        return self.status("VmRSS")

    def peak(self):
        """The most that was resident since forget_peak or the start."""
        return self.status("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as out:
            out.write("5")

    def connections(self):
        """Sockets that the broker has open, listeners among them."""
        folder, count = f"/proc/{self.process.pid}/fd", 0
        for number in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{number}").startswith("socket:")
            except FileNotFoundError:
                pass
        return count

    def disk_bytes(self):
        return sum(os.path.getsize(path) for path in glob.glob(self.data + "/**", recursive=True))

    def ready(self, queue):
        with self.login() as raw:
            raw.open(1)
            return raw.call(1, "queue.declare", 0, queue, 1, {}).args[1]


def bystand(url, name, told, pause):
    """A modest client: publishes, waits for confirm and delivery, acknowledges, again and again."""
    times, error = [], None
    try:
        raw = Raw(url, timeout=30).login()
        raw.open(1)
        raw.call(1, "confirm.select", 0)
        raw.call(1, "queue.declare", 0, name, DURABLE, {})
        raw.call(1, "basic.consume", 0, name, "bystander", 0, {})
        told.send("ready")
        number = 0
        while not told.poll():
            number += 1
            body = b"%d" % number
            began = time.monotonic()
            raw.publish(1, "", name, body, delivery_mode=2)
            seen = set()
            while len(seen) < 2:
                kind = raw.next_method()
                if kind.name == "basic.deliver":
                    raw.frame()
                    _, _, got = raw.frame()
                    assert got == body, f"delivered {got!r} instead of {body!r}"
                    raw.method(1, "basic.ack", kind.args[1], 0)
                else:
                    assert kind.name == "basic.ack", f"unexpected {kind.name} {kind.args}"
                seen.add(kind.name)
            times.append(time.monotonic() - began)
            time.sleep(pause)
        raw.call(0, "connection.close", 200, "", 0, 0)
    except Exception as problem:  # pylint: disable=broad-exception-caught
        error = repr(problem)
    told.send((times, error))


def wait_for_confirms(raw, outstanding):
    """Until every tag of the set `outstanding` is confirmed, one by one or many at once."""
    while outstanding:
        tag, multiple = raw.expect("basic.ack").args
        if multiple:
            outstanding -= {each for each in outstanding if each <= tag}
        else:
            outstanding.remove(tag)


def pace(folder, told):
    """What the machine itself makes one wait for: a small write and its sync, beside the broker's."""
    worst, path = 0.0, os.path.join(folder, f"pace-{os.getpid()}")
    with open(path, "wb") as out:
        while not told.poll(0.005):
            began = time.monotonic()
            os.pwrite(out.fileno(), bytes(4096), 0)
            os.fdatasync(out.fileno())
            worst = max(worst, time.monotonic() - began)
    os.unlink(path)
    told.send(worst)


class Bystander:
    """Works on a connection of its own, in a process of its own, while the body of the `with` makes trouble. Its work
    must go on: no error, and no round trip of more than `worst` seconds. Where the machine is slow that is granted on
    top: a round trip waits for a few syncs."""

    def __init__(self, broker, worst=2.0, pause=0.002):
        self.rig, self.worst = broker.rig, worst
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=bystand, args=(broker.url, "bystander", theirs, pause),
                                               daemon=True)
        self.pace_pipe, theirs = multiprocessing.Pipe()
        self.pace = multiprocessing.Process(target=pace, args=(self.rig.folder, theirs), daemon=True)

    def __enter__(self):
        self.process.start()
        self.pace.start()
        if not self.pipe.poll(30) or self.pipe.recv() != "ready":
            raise RuntimeError("the bystander could not begin")
        return self

    def __exit__(self, kind, *_):
        self.pipe.send("stop")
        answered = self.pipe.poll(60)
        times, error = self.pipe.recv() if answered else ([], "it hangs")
        self.pace_pipe.send("stop")
        slowness = self.pace_pipe.recv() if self.pace_pipe.poll(60) else 60
        self.process.join(5)
        self.pace.join(5)
        if kind is not None:
            return
        if error or not times:
            self.rig.fail(f"bystander: {error or 'did nothing'} after {len(times)} round trips")
            return
        times.sort()
        self.rig.note(f"bystander: {len(times)} round trips, p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 "
                      f"{times[len(times) * 99 // 100] * 1e3:.1f} ms; the machine's worst sync {slowness * 1e3:.1f} ms")
        self.rig.limit("bystander's worst round trip", times[-1] * 1e3, "ms", (self.worst + 4 * slowness) * 1e3)


class Rig:
    """Sizes, ports and the report."""

    def __init__(self, binary, full, port, folder):
        self.binary, self.full, self.port = os.path.abspath(binary), full, port
        self.folder = tempfile.mkdtemp(prefix="wharf-limits-", dir=folder)
        self.broken = []

    def size(self, small, full):
        return full if self.full else small

    def next_port(self):
        if not self.port:
            return 0
        self.port += 1
        return self.port - 1

    def note(self, text):
        print(f"     {text}", flush=True)

    def fail(self, why):
        self.broken.append(why)
        print(f"   ! {why}", flush=True)

    def check(self, holds, why):
        if not holds:
            self.fail(why)

    def limit(self, what, value, unit, most):
        good = value <= most
        print(f"   {' ' if good else '!'} {what}: {value:.1f} {unit} (at most {most:g})", flush=True)
        if not good:
            self.broken.append(what)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
