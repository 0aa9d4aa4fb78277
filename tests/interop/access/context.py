"""What the access cases share: connections as a given user, over TLS or not, and refusals."""

import ssl

from wire import Raw, close_of
from harness import Context, equal, matches, until


class AccessContext(Context):
    servers = None  # set by run.py

    def at(self, name="main"):
        return self.servers.get(name)

    def certificate(self, name, strangers=False):
        folder = self.servers.strangers if strangers else self.servers.certificates
        return f"{folder}/{name}"

    def tls(self, client=None, version=None, strangers=False):
        """A context that believes our authority and shows the certificate CLIENT.pem, if any."""
        context = ssl.create_default_context(cafile=self.certificate("ca.pem"))
        if version:
            context.minimum_version = context.maximum_version = version
        if client:
            context.load_cert_chain(self.certificate(client + ".pem", strangers),
                                    self.certificate(client + ".key", strangers))
        return context

    def connect(self, url=None, tls=None):
        raw = Raw(url or self.at().url(), tls=tls)
        self.at_end(raw.sock.close)
        return raw

    def secure(self, client=None, **options):
        return self.connect(self.at().tls_url, self.tls(client, **options))

    def channel(self, user="guest", vhost="%2f", server="main"):
        raw = self.connect(self.at(server).url(user, vhost)).login()
        raw.open(1)
        return raw

    def queue(self, raw, suffix="q", arguments=None):
        name = self.name(suffix)
        raw.call(1, "queue.declare", 0, name, 0, arguments or {})
        return name


def refused(raw, verb, kind, name, class_method, vhost="/", user="few"):
    """The channel is closed with RabbitMQ's words, and opened again."""
    got = raw.next_method()
    code, text, class_id, method_id = close_of(got, "soft")
    start = f"{verb} access to {kind} '{name}' in vhost '{vhost}' refused for user '{user}'"
    # 3.10 leaves the verb out.
    matches(text, f"^ACCESS_REFUSED - ({verb} )?{start[len(verb) + 1:]}"[:200])
    equal((code, class_id, method_id), (403, *class_method), text)
    raw.method(1, "channel.close-ok")
    raw.open(1)


def get_one(raw, name, seconds=5):
    """The next message; publishing without confirms takes a moment."""
    def is_there():
        return raw.call(1, "queue.declare", 0, name, 1, {}).args[1] > 0
    until(is_there, seconds, f"a message in {name}")
    raw.method(1, "basic.get", 0, name, 1)
    return raw.content("basic.get-ok")


def get_body(raw, name):
    return get_one(raw, name).body


def works(raw):
    """A queue of its own, a message there and back."""
    raw.open(1)
    name = raw.call(1, "queue.declare", 0, "", 4, {}).args[0]
    raw.publish(1, "", name, b"over there")
    equal(get_body(raw, name), b"over there")
