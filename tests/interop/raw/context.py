"""What the raw cases share: connections that end with the case, and a bystander that must not be hurt."""

from wire import DURABLE, Closed, Raw, close_of
from harness import Context, equal, matches


class RawContext(Context):
    def connect(self):
        raw = Raw(self.url)
        self.at_end(raw.sock.close)
        return raw

    def login(self, **options):
        return self.connect().login(**options)

    def channel(self, **options):
        raw = self.login(**options)
        raw.open(1)
        return raw

    def queue(self, raw, suffix="q", flags=DURABLE, arguments=None):
        name = self.name(suffix)
        raw.call(1, "queue.declare", 0, name, flags, arguments or {})
        return name

    def clean(self):
        try:
            with Raw(self.url, timeout=5).login() as raw:
                for channel, name in enumerate(self.names, 1):
                    raw.open(channel)
                    for kind in ("queue.delete", "exchange.delete"):
                        raw.method(channel, kind, 0, name, 0)
                        raw.next_method()
        except Exception:  # pylint: disable=broad-except  # nothing depends on the names being gone
            pass
        super().clean()


def expect_soft(raw, code, text, class_method, channel=1):
    """The server closes that channel with all of this, and after close-ok it can be opened again."""
    got = raw.next_method()
    check_close(close_of(got, "soft"), code, text, class_method)
    equal(got.channel, channel, "channel")
    raw.method(channel, "channel.close-ok")
    raw.open(channel)


def expect_hard(raw, code, text=None, class_method=None, timeout=10):
    """The server closes the connection with this, then takes close-ok and ends the stream."""
    got = raw.next_method(timeout)
    check_close(close_of(got, "hard"), code, text, class_method)
    raw.method(0, "connection.close-ok")
    assert raw.closed_by_peer(10), "the server did not close the socket after close-ok"


def check_close(close, code, text, class_method):
    got_code, got_text, class_id, method_id = close
    assert got_code in (code if isinstance(code, tuple) else (code,)), f"got {got_code} {got_text!r}, expected {code}"
    if text:
        matches(got_text, text)
    if class_method:
        equal((class_id, method_id), class_method, f"class and method of {got_text!r}")


def still_serving(raw):
    """A connection that was open all along goes on working."""
    raw.open(7)
    name = raw.call(7, "queue.declare", 0, "", 4, {}).args[0]
    raw.publish(7, "", name, b"still here")
    raw.method(7, "basic.get", 0, name, 1)
    equal(raw.content("basic.get-ok").body, b"still here")
    raw.call(7, "channel.close", 200, "", 0, 0)


__all__ = ["Closed", "RawContext", "expect_hard", "expect_soft", "still_serving"]
