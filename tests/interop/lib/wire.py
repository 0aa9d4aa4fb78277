"""A raw AMQP 0-9-1 connection that shows every frame and sends whatever a test asks for, right or wrong."""

import collections
import select
import socket
import ssl
import struct
import time
import urllib.parse

from fields import content_header, pack, plain, read_content_header, unpack

HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, HEAD, BODY, HEARTBEAT, END = 1, 2, 3, 8, 206

# name: (class, method, fields); the reply has the next entry's name.
METHODS = {
    "connection.start": (10, 10, "ooTSS"), "connection.start-ok": (10, 11, "TsSs"),
    "connection.tune": (10, 30, "hlh"), "connection.tune-ok": (10, 31, "hlh"),
    "connection.open": (10, 40, "ssb"), "connection.open-ok": (10, 41, "s"),
    "connection.close": (10, 50, "hshh"), "connection.close-ok": (10, 51, ""),
    "connection.blocked": (10, 60, "s"), "connection.unblocked": (10, 61, ""),
    "connection.update-secret": (10, 70, "Ss"), "connection.update-secret-ok": (10, 71, ""),
    "channel.open": (20, 10, "s"), "channel.open-ok": (20, 11, "S"),
    "channel.flow": (20, 20, "b"), "channel.flow-ok": (20, 21, "b"),
    "channel.close": (20, 40, "hshh"), "channel.close-ok": (20, 41, ""),
    "access.request": (30, 10, "sb"), "access.request-ok": (30, 11, "h"),
    "exchange.declare": (40, 10, "hssbT"), "exchange.declare-ok": (40, 11, ""),
    "exchange.delete": (40, 20, "hsb"), "exchange.delete-ok": (40, 21, ""),
    "exchange.bind": (40, 30, "hsssbT"), "exchange.bind-ok": (40, 31, ""),
    "exchange.unbind": (40, 40, "hsssbT"), "exchange.unbind-ok": (40, 51, ""),
    "queue.declare": (50, 10, "hsbT"), "queue.declare-ok": (50, 11, "sll"),
    "queue.bind": (50, 20, "hsssbT"), "queue.bind-ok": (50, 21, ""),
    "queue.purge": (50, 30, "hsb"), "queue.purge-ok": (50, 31, "l"),
    "queue.delete": (50, 40, "hsb"), "queue.delete-ok": (50, 41, "l"),
    "queue.unbind": (50, 50, "hsssT"), "queue.unbind-ok": (50, 51, ""),
    "basic.qos": (60, 10, "lhb"), "basic.qos-ok": (60, 11, ""),
    "basic.consume": (60, 20, "hssbT"), "basic.consume-ok": (60, 21, "s"),
    "basic.cancel": (60, 30, "sb"), "basic.cancel-ok": (60, 31, "s"),
    "basic.publish": (60, 40, "hssb"), "basic.return": (60, 50, "hsss"),
    "basic.deliver": (60, 60, "sqbss"), "basic.get": (60, 70, "hsb"),
    "basic.get-ok": (60, 71, "qbssl"), "basic.get-empty": (60, 72, "s"),
    "basic.ack": (60, 80, "qb"), "basic.reject": (60, 90, "qb"),
    "basic.recover-async": (60, 100, "b"), "basic.recover": (60, 110, "b"), "basic.recover-ok": (60, 111, ""),
    "basic.nack": (60, 120, "qb"),
    "confirm.select": (85, 10, "b"), "confirm.select-ok": (85, 11, ""),
    "tx.select": (90, 10, ""), "tx.select-ok": (90, 11, ""), "tx.commit": (90, 20, ""), "tx.commit-ok": (90, 21, ""),
    "tx.rollback": (90, 30, ""), "tx.rollback-ok": (90, 31, ""),
}
BY_ID = {(class_id, method_id): (name, form) for name, (class_id, method_id, form) in METHODS.items()}
# bits of declare flags, so that cases read as words
PASSIVE, DURABLE, EXCLUSIVE, AUTO_DELETE, NOWAIT = 1, 2, 4, 8, 16
X_AUTO_DELETE, X_INTERNAL = 4, 8

Method = collections.namedtuple("Method", "channel name args")
Content = collections.namedtuple("Content", "method properties body")


class Closed(Exception):
    """The peer closed the socket."""


def frame(kind, channel, payload, end=END):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])


def method_frame(channel, name, *args):
    class_id, method_id, form = METHODS[name]
    return frame(METHOD, channel, struct.pack(">HH", class_id, method_id) + pack(form, *args))


def readable(sock, seconds):
    """Whether there is something to read within so long; for any number of open files, unlike select()."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Url:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 5672
        self.user = urllib.parse.unquote(parts.username or "guest")
        self.password = urllib.parse.unquote(parts.password or "guest")
        self.vhost = urllib.parse.unquote(parts.path[1:]) if parts.path else "/"


class Raw:
    """One socket. `login` brings it to the open state; each step can also be done by hand."""

    def __init__(self, url, timeout=10, tls=None):
        """`tls` is an ssl.SSLContext; the certificate must be for the host of the url, unless it says otherwise."""
        self.url, self.timeout = Url(url), timeout
        self.sock = socket.create_connection((self.url.host, self.url.port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=self.url.host)
        self.inbox = b""
        self.server_properties, self.tune = {}, ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # Sending

    def send(self, raw):
        try:
            self.sock.sendall(raw)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed("while sending") from error

    def method(self, channel, name, *args):
        self.send(method_frame(channel, name, *args))

    def publish(self, channel, exchange, key, body=b"", flags=0, frame_max=131072, **properties):
        out = method_frame(channel, "basic.publish", 0, exchange, key, flags)
        out += frame(HEAD, channel, content_header(len(body), **properties))
        step = frame_max - 8
        for at in range(0, len(body), step):
            out += frame(BODY, channel, body[at:at + step])
        self.send(out)

    # Receiving

    def readable(self, seconds):
        # What a TLS socket has decrypted already no longer shows on the file descriptor.
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return seconds > 0 and readable(self.sock, seconds)

    def read(self, size, until):
        while len(self.inbox) < size:
            if not self.readable(until - time.monotonic()):
                raise TimeoutError(f"no answer ({len(self.inbox)} bytes waiting)")
            try:
                chunk = self.sock.recv(262144)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise Closed(f"closed with {len(self.inbox)} bytes unread" if self.inbox else "closed")
            self.inbox += chunk
        out, self.inbox = self.inbox[:size], self.inbox[size:]
        return out

    def frame(self, timeout=None):
        until = time.monotonic() + (timeout or self.timeout)
        head = self.read(7, until)
        kind, channel, size = struct.unpack(">BHI", head)
        payload = self.read(size + 1, until)
        assert payload[-1] == END, f"end octet {payload[-1]}"
        return kind, channel, payload[:-1]

    def expect(self, name, channel=None, timeout=None):
        """The next method frame (heartbeats skipped) must be `name`; returns it decoded."""
        got = self.next_method(timeout)
        assert got.name == name, f"expected {name}, got {got.name} {got.args}"
        assert channel is None or got.channel == channel, f"expected channel {channel}, got {got.channel}"
        return got

    def next_method(self, timeout=None):
        while True:
            kind, channel, payload = self.frame(timeout)
            if kind == HEARTBEAT:
                continue
            assert kind == METHOD, f"expected a method, got frame type {kind}"
            name, form = BY_ID[struct.unpack_from(">HH", payload)]
            return Method(channel, name, unpack(form, payload[4:]))

    def content(self, name, timeout=None):
        """A method that carries content (deliver, get-ok, return), whole."""
        got = self.expect(name, timeout=timeout)
        kind, channel, payload = self.frame()
        assert (kind, channel) == (HEAD, got.channel), f"expected a header on {got.channel}, got {kind} on {channel}"
        size, properties = read_content_header(payload)
        body = b""
        while len(body) < size:
            kind, channel, payload = self.frame()
            assert (kind, channel) == (BODY, got.channel), f"expected a body, got {kind}"
            body += payload
        return Content(got, properties, body)

    def call(self, channel, name, *args):
        self.method(channel, name, *args)
        return self.expect("exchange.unbind-ok" if name == "exchange.unbind" else name + "-ok", channel)

    def silent(self, seconds):
        """True when nothing but heartbeats arrives for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                kind, _, _ = self.frame(left)
            except TimeoutError:
                return True
            if kind != HEARTBEAT:
                return False
        return True

    def closed_by_peer(self, seconds):
        """Waits for the end of the stream, ignoring what still arrives."""
        until = time.monotonic() + seconds
        try:
            while True:
                self.frame(max(0.01, until - time.monotonic()))
        except Closed:
            return True
        except TimeoutError:
            return False

    # Steps of the connection's life

    def start(self):
        self.send(HEADER)
        start = self.expect("connection.start", 0)
        self.server_properties = plain(start.args[2])
        return start

    def start_ok(self, mechanism="PLAIN", response=None, capabilities=None, properties=None):
        if response is None:
            response = b"\0" + self.url.user.encode() + b"\0" + self.url.password.encode()
        if capabilities is None:
            capabilities = {"authentication_failure_close": True, "consumer_cancel_notify": True,
                            "connection.blocked": True, "publisher_confirms": True, "basic.nack": True}
        table = {"product": "interop", "capabilities": capabilities, **(properties or {})}
        self.method(0, "connection.start-ok", table, mechanism, response, "en_US")

    def login(self, vhost=None, heartbeat=0, channel_max=None, frame_max=None, **start_ok):
        self.start()
        self.start_ok(**start_ok)
        self.tune = tuple(self.expect("connection.tune", 0).args)
        self.method(0, "connection.tune-ok", self.tune[0] if channel_max is None else channel_max,
                    self.tune[1] if frame_max is None else frame_max, heartbeat)
        self.method(0, "connection.open", self.url.vhost if vhost is None else vhost, "", 0)
        self.expect("connection.open-ok", 0)
        return self

    def open(self, channel=1):
        self.call(channel, "channel.open", "")
        return channel


def close_of(got, level):
    """(code, text, class, method) of a close that must be a channel's (`soft`) or the connection's (`hard`)."""
    want = {"soft": "channel.close", "hard": "connection.close"}[level]
    assert got.name == want, f"expected {want}, got {got.name} {got.args}"
    return tuple(got.args)
