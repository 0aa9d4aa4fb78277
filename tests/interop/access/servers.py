"""The servers of this suite: the same users, vhosts, certificates and limits for Wharf and for RabbitMQ.

    main     two vhosts, users with few rights, a plain and a TLS listener that asks for client certificates
    strict   three consumers a channel, and deliveries must be acknowledged within two seconds
    leaving  is stopped by a case
    full     a disk with less free space than it wants, until `make_room`
"""

import json
import os
import shutil
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import serve  # noqa: E402  pylint: disable=wrong-import-position
from serve import rabbitmq  # noqa: E402  pylint: disable=wrong-import-position

VHOSTS = ("/", "other")
# name: vhost: (configure, write, read)
USERS = {
    "guest": {"/": (".*", ".*", ".*"), "other": (".*", ".*", ".*")},
    "few": {"/": (r"^(mine|amq\.gen-)", r"^(mine|amq\.gen-|amq\.default$|out$)", r"^(mine|amq\.gen-|in$)")},
    "none": {"/": ("", "", "")},
    "outsider": {"other": (".*", ".*", ".*")},
    "speaker": {"/": (".*", ".*", ".*")},
}
IMPERSONATORS = ("speaker",)
ACK_TIMEOUT_S = 2
CONSUMERS_MAX = 3
# What the file takes that stands for a full disk, and how much of it the limit asks for.
BALLAST, MARGIN = 2 << 30, 1 << 30


def password(user):
    return "guest" if user == "guest" else f"the password of {user}"


def toml(value):
    return json.dumps(value)  # strings and lists of strings are written alike


def wharf_users():
    lines = [f"[[vhost]]\nname = {toml(name)}" for name in VHOSTS]
    for user, rights in USERS.items():
        lines.append(f"[[user]]\nname = {toml(user)}\npassword = {toml(password(user))}\n"
                     f"loopback_only = true\nimpersonator = {toml(user in IMPERSONATORS)}")
        for vhost, (configure, write, read) in rights.items():
            lines.append(f"[[permission]]\nuser = {toml(user)}\nvhost = {toml(vhost)}\nconfigure = {toml(configure)}\n"
                         f"write = {toml(write)}\nread = {toml(read)}")
    return lines


def rabbitmq_definitions():
    return {
        "vhosts": [{"name": name} for name in VHOSTS],
        "users": [{"name": user, "password": password(user),
                   "tags": "impersonator" if user in IMPERSONATORS else ""} for user in USERS],
        "permissions": [{"user": user, "vhost": vhost, "configure": configure, "write": write, "read": read}
                        for user, rights in USERS.items() for vhost, (configure, write, read) in rights.items()],
    }


class Instance:
    """One server. `url(user)` and `tls_url` are where to go."""

    def __init__(self, kind, name, folder, binary, certificates):
        self.kind, self.name, self.folder, self.binary = kind, name, folder, binary
        self.certificates, self.server, self.ending = certificates, None, False
        self.port, self.tls_port = serve.free_port(), serve.free_port()
        os.makedirs(folder)

    def url(self, user="guest", vhost="%2f"):
        return f"amqp://{user}:{password(user).replace(' ', '%20')}@127.0.0.1:{self.port}/{vhost}"

    @property
    def tls_url(self):
        return f"amqps://guest:guest@localhost:{self.tls_port}/%2f"

    def start(self):
        if self.kind == "wharf":
            self.start_wharf()
        else:
            self.start_rabbitmq()

    def free_bytes_wanted(self):
        """Fills the disk, as far as the server is concerned: what it asks for is what is there and MARGIN more."""
        with open(os.path.join(self.folder, "ballast"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, BALLAST)
        return shutil.disk_usage(self.folder).free + MARGIN

    def make_room(self):
        os.unlink(os.path.join(self.folder, "ballast"))

    def start_wharf(self):
        lines = []
        if self.name == "strict":
            lines = ["[amqp]", f"ack_timeout_s = {ACK_TIMEOUT_S}", f"consumers_per_channel_max = {CONSUMERS_MAX}",
                     'product = "Harbour"', 'version = "3.12.1"']
        if self.name == "full":
            lines = ["[storage]", f"free_bytes_min = {self.free_bytes_wanted()}"]
        if self.name == "main":
            files = [f'{key} = {toml(os.path.join(self.certificates, name))}' for key, name in
                     (("certificate_file", "server.pem"), ("key_file", "server.key"), ("ca_file", "ca.pem"))]
            lines = ["[amqp.tls]", f'listen = ["127.0.0.1:{self.tls_port}"]', *files,
                     'client_certificates = "optional"', *wharf_users()]
        config = os.path.join(self.folder, "wharf.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        # Refused clients are what this suite is about; the server need not tell of each.
        self.server = serve.Wharf(self.binary, os.path.join(self.folder, "data"), self.port,
                                  ["--config", config], log_level="error")
        self.server.start()

    def start_rabbitmq(self):
        extra, advanced, tls = [], "[].", {}
        if self.name == "strict":
            advanced = (f"[{{rabbit, [{{consumer_timeout, {ACK_TIMEOUT_S * 1000}}}, {{channel_tick_interval, 500}},"
                        f" {{consumer_max_per_channel, {CONSUMERS_MAX}}}]}}].")
        if self.name == "full":
            extra = [f"disk_free_limit.absolute = {self.free_bytes_wanted()}"]
        if self.name == "main":
            definitions = os.path.join(self.folder, "definitions.json")
            with open(definitions, "w", encoding="utf-8") as file:
                json.dump(rabbitmq_definitions(), file)
            extra, tls = [f"load_definitions = {definitions}"], {"tls_port": self.tls_port, "external": True}
            shutil.copytree(self.certificates, os.path.join(self.folder, "certs"))
        rabbitmq.start(self.folder, self.port, extra=extra, advanced=advanced, **tls)

    def end(self):
        """Asks it to stop, as an operator would, and does not wait."""
        if self.kind == "rabbitmq":
            threading.Thread(target=rabbitmq.stop, args=(self.folder,)).start()
        else:
            self.ending = True
            self.server.process.terminate()

    def stop(self):
        if self.kind == "rabbitmq":
            rabbitmq.stop(self.folder)
            return None
        if self.ending:
            code = self.server.process.wait(serve.STOP_SECONDS)
            return f"ended with {code}" if code else None
        return self.server.stop() if self.server else None


class Servers:
    """Starts each instance when a case first asks for it, ends all of them at the end."""

    def __init__(self, kind, binary):
        self.kind, self.binary = kind, binary
        self.folder = tempfile.mkdtemp(prefix="interop-access-")
        self.certificates = os.path.join(self.folder, "certificates")
        self.strangers = os.path.join(self.folder, "strangers")  # of an authority that no server believes
        rabbitmq.make_certificates(self.certificates)
        rabbitmq.make_certificates(self.strangers)
        rabbitmq.make_client(self.certificates, "unknown", "/CN=nobody-here")
        self.lock, self.instances = threading.Lock(), {}

    def get(self, name):
        with self.lock:
            if name not in self.instances:
                instance = Instance(self.kind, name, os.path.join(self.folder, name), self.binary, self.certificates)
                self.instances[name] = instance
                instance.start()
            return self.instances[name]

    def stop(self):
        for name, instance in self.instances.items():
            complaint = instance.stop()
            print(f"FAIL {name}.stops: {complaint}" if complaint else f"ok {name}.stops", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
