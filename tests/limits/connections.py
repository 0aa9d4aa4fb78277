"""Many connections: floods, idlers, too few descriptors, and peers that are gone without a word."""

import os
import resource
import select
import socket
import struct
import time

from wire import HEADER, METHOD, Closed, Raw
from rig import MIB, Broker, Bystander, case, eventually, wait_for_confirms

KIB = 1024


def allow_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def reset(sock):
    """Ends it without a trace in TIME_WAIT, so that a run does not use up the ports."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def sockets(broker, count, first_bytes=b""):
    opened = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", broker.port), 10)
        if first_bytes:
            sock.sendall(first_bytes)
        opened.append(sock)
    return opened


def ended(opened, seconds):
    """Those whose stream the peer has ended by then."""
    poll, open_ones, done = select.poll(), {sock.fileno(): sock for sock in opened}, []
    for number in open_ones:
        poll.register(number, select.POLLIN)
    until = time.monotonic() + seconds
    while open_ones and (left := until - time.monotonic()) > 0:
        for number, _ in poll.poll(left * 1000):
            try:
                alive = open_ones[number].recv(65536)
            except ConnectionResetError:
                alive = b""
            if not alive:
                poll.unregister(number)
                done.append(open_ones.pop(number))
    return done


def calm(broker, connections, seconds=15):
    """All connections of the trouble are gone from the broker."""
    return eventually(lambda: broker.connections() <= connections, seconds)


@case
def before_login(rig):
    """What a connection costs that has not logged in, at every stage of not doing so."""
    allow_descriptors()
    count = rig.size(500, 3000)
    start_ok = struct.pack(">BHI", METHOD, 0, 16 * KIB - 64)  # the beginning of a frame that never ends
    stages = {"says nothing": b"", "greets": HEADER, "begins a start-ok": HEADER + start_ok + bytes(4 * KIB),
              "leaves the last octets of a start-ok": HEADER + start_ok + bytes(16 * KIB - 100)}
    for name, first_bytes in stages.items():
        settings = {"net": {"connections_max": count + 10}, "amqp": {"handshake_timeout_s": 120}}
        with Broker(rig, settings) as broker:
            quiet, before = broker.connections(), broker.resident()
            opened = sockets(broker, count, first_bytes)
            rig.check(eventually(lambda: broker.connections() >= quiet + count, 10), "they are not all let in")
            time.sleep(0.3)
            rig.limit(f"one that {name}", (broker.resident() - before) / count / KIB, "KiB",
                      26 if "last" in name else 16)
            for sock in opened:
                reset(sock)
            rig.check(calm(broker, quiet), "connections are left behind")


@case
def handshake_is_timed(rig):
    """A connection that does not log in is ended in time, wherever it stopped."""
    with Broker(rig, {"amqp": {"handshake_timeout_s": 1}}) as broker:
        quiet = broker.connections()
        opened = sockets(broker, 100) + sockets(broker, 100, HEADER)
        for raw in (Raw(broker.url) for _ in range(50)):
            raw.start()
            raw.start_ok()
            raw.expect("connection.tune", 0)
            opened.append(raw.sock)
        began = time.monotonic()
        rig.check(len(ended(opened, 10)) == len(opened), "some are still there")
        rig.limit("the last one ended after", time.monotonic() - began, "s", 4)
        rig.check(calm(broker, quiet), "connections are left behind")


@case
def full_house(rig):
    """Beyond net.connections_max connections are turned away, and who is in works on."""
    allow_descriptors()
    most, more = rig.size((100, 1000), (1000, 20_000))
    with Broker(rig, {"net": {"connections_max": most}}) as broker, Bystander(broker):
        quiet, before = broker.connections(), broker.resident()
        inside = [broker.login() for _ in range(most - 1)]
        began, turned_away = time.monotonic(), 0
        for _ in range(more // 100):
            outside = sockets(broker, 100)
            turned_away += len(ended(outside, 10))
            for sock in outside:
                reset(sock)
        rig.note(f"{more} came in {time.monotonic() - began:.1f} s")
        rig.check(turned_away == more, f"only {turned_away} of {more} were turned away")
        for raw in inside:
            raw.call(1, "channel.open", "")
        rig.limit("memory that it took", (broker.resident() - before) / MIB, "MiB", 20 + most * 32 / KIB)
        for raw in inside:
            reset(raw.sock)
        rig.check(calm(broker, quiet), "connections are left behind")
        rig.check(eventually(lambda: logs_in(broker), 5), "nobody is let in any more")


def logs_in(broker):
    try:
        with broker.login():
            return True
    except (Closed, OSError):
        return False


@case
def churn(rig):
    """Connections that come with garbage and go at once, as fast as one client can."""
    count = rig.size(2000, 50_000)
    garbage = os.urandom(512)
    with Broker(rig) as broker, Bystander(broker):
        quiet, before = broker.connections(), broker.resident()
        began = time.monotonic()
        for number in range(count):
            sock = sockets(broker, 1, (b"", garbage, HEADER, HEADER + garbage)[number % 4])[0]
            reset(sock)
        rig.note(f"{count / (time.monotonic() - began):.0f} connections/s")
        rig.check(calm(broker, quiet), "connections are left behind")
        rig.limit("memory left behind", (broker.resident() - before) / MIB, "MiB", 20)


@case
def few_descriptors(rig):
    """Few file descriptors: the disk has its own, the soft limit does not count, the rest is turned away."""
    allow_descriptors()
    hard, came = 400, 500
    broker = Broker(rig, {"storage": {"segment_bytes": 40 * MIB}})
    wrapper = os.path.join(broker.folder, "wharf")
    with open(wrapper, "w", encoding="ascii") as out:
        out.write(f'#!/bin/sh\nulimit -Sn 64; ulimit -Hn {hard}\nexec {broker.binary} "$@"\n')
    os.chmod(wrapper, 0o755)
    broker.binary, broker.options = wrapper, (*broker.options, "--threads", "2")
    with broker, Bystander(broker):
        opened = sockets(broker, came)
        inside = came - len(ended(opened, 2))
        rig.check(100 <= inside < hard, f"{inside} are let in")
        publish_at(broker, opened, rig.size(150, 1000))
        for sock in opened:
            if sock.fileno() >= 0:
                reset(sock)
        rig.check(eventually(lambda: logs_in(broker), 5), "nobody is let in any more")


def publish_at(broker, opened, messages):
    """Lets one connection go, and publishes in its place, a MiB a message, so that several segments are made."""
    raw = None
    reset(opened[0])
    until = time.monotonic() + 10
    while raw is None:
        try:
            raw = broker.login()
        except Closed:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    raw.open(1)
    raw.call(1, "confirm.select", 0)
    raw.call(1, "queue.declare", 0, "big", 2, {})
    for _ in range(messages):
        raw.publish(1, "", "big", bytes(MIB), delivery_mode=2)
        raw.expect("basic.ack", 1)
    raw.sock.close()


@case
def idle(rig):
    """Logged-in connections with a channel open that do nothing else."""
    allow_descriptors()
    count = rig.size(1000, 10_000)
    with Broker(rig, {"net": {"connections_max": count + 10}}) as broker, Bystander(broker):
        before, inside = broker.resident(), []
        began = time.monotonic()
        for _ in range(count):
            inside.append(broker.login(heartbeat=600))
        rig.note(f"{count / (time.monotonic() - began):.0f} logins/s")
        rig.limit("one that is logged in", (broker.resident() - before) / count / KIB, "KiB", 24)
        rig.limit("the broker with all of them", broker.resident() / MIB, "MiB", 50 + count * 25 / KIB)
        for raw in inside:
            raw.open(1)
        rig.limit("one with a channel", (broker.resident() - before) / count / KIB, "KiB", 25)
        rig.limit("the broker with their channels", broker.resident() / MIB, "MiB", 50 + count * 25 / KIB)
        for raw in inside[::100]:
            raw.call(1, "queue.declare", 0, "", 4, {})  # they still work
        for raw in inside:
            reset(raw.sock)


@case
def half_open(rig):
    """Peers that fall silent: the heartbeat ends them, and what they held goes to others, flagged."""
    held, silent, heartbeat = 20, rig.size(20, 500), 1
    with Broker(rig) as broker, Bystander(broker), broker.login() as raw:
        quiet = broker.connections()
        raw.open(1)
        raw.call(1, "confirm.select", 0)
        raw.call(1, "queue.declare", 0, "half", 2, {})
        gone = []
        for _ in range(silent):
            peer = broker.login(heartbeat=heartbeat)
            peer.open(1)
            peer.call(1, "basic.qos", 0, held, 0)
            peer.call(1, "basic.consume", 0, "half", "", 0, {})
            gone.append(peer)
        for number in range(held * silent):
            raw.publish(1, "", "half", b"%d" % number, delivery_mode=2)
        wait_for_confirms(raw, set(range(1, held * silent + 1)))
        for peer in gone:
            for _ in range(held):
                peer.content("basic.deliver")
        began = time.monotonic()  # from now on they neither send nor read nor hang up
        rig.check(eventually(lambda: broker.ready("half") == held * silent, 10), "messages did not come back")
        rig.limit("silence until the last message was back", time.monotonic() - began, "s", heartbeat * 3 + 1)
        rig.check(calm(broker, quiet, 10), "the silent ones are still connected")
        rig.limit("silence until the last connection was closed", time.monotonic() - began, "s", heartbeat * 3 + 3)
        raw.call(1, "basic.consume", 0, "half", "", 0, {})
        got = [raw.content("basic.deliver") for _ in range(held * silent)]
        rig.check(sorted(int(content.body) for content in got) == list(range(held * silent)), "messages are lost")
        rig.check(all(content.method.args[2] for content in got), "some are not flagged as redelivered")
        for peer in gone:
            peer.sock.close()


@case
def heartbeat_of_a_reader_that_stopped(rig):
    """A half-open peer with a full socket: output that nobody reads does not keep it alive."""
    with Broker(rig, {"net": {"flush_timeout_s": 1}}) as broker:
        quiet = broker.connections()
        peer = broker.login(heartbeat=1)
        peer.open(1)
        peer.call(1, "queue.declare", 0, "full", 0, {})
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.call(1, "basic.consume", 0, "full", "", 2, {})
        with broker.login() as raw:
            raw.open(1)
            began = time.monotonic()
            for _ in range(200):
                raw.publish(1, "", "full", bytes(100_000))
            rig.check(eventually(lambda: broker.connections() <= quiet + 1, 10), "it is still connected")
            rig.limit("silence until it was ended", time.monotonic() - began, "s", 5)
        peer.sock.close()
