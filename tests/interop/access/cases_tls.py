"""The TLS listener: versions, certificates of both sides, and login by certificate."""

import os
import socket
import ssl
import subprocess
import sys
import time

from wire import HEADER, Closed, close_of
from context import works
from harness import case, equal, matches, only

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@case
def versions_1_2_and_1_3(t):
    for version, name in ((TLS_1_2, "TLSv1.2"), (TLS_1_3, "TLSv1.3")):
        raw = t.secure(version=version).login()
        equal(raw.sock.version(), name)
        works(raw)


@case
@only("wharf", "which versions Erlang's own TLS still takes depends on its release")
def older_versions_are_refused(t):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = t.tls(version=version)
        context.set_ciphers("ALL:@SECLEVEL=0")
        try:
            t.connect(t.at().tls_url, context)
        except (ssl.SSLError, ConnectionResetError):
            continue
        raise AssertionError(f"{version} was accepted")


@case
def server_certificate_is_for_its_name(t):
    for context, url in ((t.tls(), t.at().tls_url), (t.tls(), t.at().tls_url.replace("localhost", "127.0.0.1"))):
        t.connect(url, context).login()
    try:
        t.connect(t.at().tls_url, ssl.create_default_context(cafile=t.certificate("ca.pem", strangers=True)))
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("a certificate of another authority was believed")


@case
def plain_bytes_on_the_tls_port(t):
    sock = socket.create_connection(("127.0.0.1", t.at().tls_port), 10)
    t.at_end(sock.close)
    sock.sendall(HEADER)
    got = b""
    try:
        while chunk := sock.recv(4096):
            got += chunk
    except ConnectionResetError:
        pass
    assert b"AMQP" not in got and len(got) < 16, got  # at most a TLS alert
    works(t.secure().login())


@case
def tls_on_the_plain_port(t):
    raw = t.connect()
    raw.send(bytes.fromhex("16030100c8010000c40303") + bytes(194))
    assert raw.read(4, time.monotonic() + 10) == b"AMQP"
    assert raw.closed_by_peer(10), "socket left open"
    works(t.connect().login())


@case
def silent_client_in_the_handshake(t):
    """Neither a port scan nor one who stops half way disturbs others."""
    for first in (b"", b"\x16\x03\x01\x02\x00\x01"):
        sock = socket.create_connection(("127.0.0.1", t.at().tls_port), 10)
        t.at_end(sock.close)
        sock.sendall(first)
    works(t.secure().login())


@case
def mechanisms(t):
    """Who has no certificate cannot log in with it; RabbitMQ offers it all the same and then says no."""
    without = t.by_name(rabbitmq=True, wharf=False, why="only what can work is offered")
    for client, offered in (("client", True), (None, without)):
        words = t.secure(client).start().args[3].split()
        assert "PLAIN" in words and ("EXTERNAL" in words) == offered, (client, words)
    assert "EXTERNAL" not in t.connect().start().args[3].split()


@case
def external(t):
    for version in (TLS_1_2, TLS_1_3):
        raw = t.secure("client", version=version)
        works(raw.login(mechanism="EXTERNAL", response=b""))
    raw = t.secure("client").login(mechanism="EXTERNAL", response=b"ignored")
    raw.open(1)
    name = raw.call(1, "queue.declare", 0, "", 4, {}).args[0]
    raw.publish(1, "", name, b"x", user_id="guest")
    raw.publish(1, "", name, b"x", user_id="client")
    equal(close_of(raw.next_method(), "soft")[0], 406)


@case
def external_of_an_unknown_user(t):
    raw = t.secure("unknown")
    raw.start()
    raw.start_ok(mechanism="EXTERNAL", response=b"")
    code, text, *class_method = close_of(raw.next_method(), "hard")
    equal((code, class_method), (403, [0, 0]))
    matches(text, "^ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL")


@case
def external_without_a_certificate(t):
    raw = t.secure()
    raw.start()
    raw.start_ok(mechanism="EXTERNAL", response=b"guest")
    equal(close_of(raw.next_method(), "hard")[0], 403)
    raw = t.connect()
    raw.start()
    raw.start_ok(mechanism="EXTERNAL", response=b"guest")
    assert raw.closed_by_peer(8), "socket left open"


@case
def password_beside_a_certificate(t):
    works(t.secure("client").login())
    raw = t.secure("client")
    raw.start()
    raw.start_ok(response=b"\0guest\0wrong")
    equal(close_of(raw.next_method(), "hard")[0], 403)


@case
def certificate_of_a_stranger(t):
    for version in (TLS_1_2, TLS_1_3):
        try:
            raw = t.secure("client", version=version, strangers=True)
            raw.start()  # 1.3 tells the client only after its own handshake is done
        except (ssl.SSLError, ConnectionError, Closed):
            continue
        raise AssertionError("a certificate of another authority was believed")
    works(t.secure("client").login(mechanism="EXTERNAL", response=b""))


@case
def large_bodies(t):
    raw = t.secure().login()
    raw.open(1)
    name = raw.call(1, "queue.declare", 0, "", 4, {}).args[0]
    bodies = [os.urandom(size) for size in (1, 16384, 16385, 5 << 20)]
    for body in bodies:
        raw.publish(1, "", name, body)
    raw.call(1, "basic.consume", 0, name, "c", 2, {})
    for body in bodies:
        assert raw.content("basic.deliver").body == body, len(body)


@case
def many_connections(t):
    raws = [t.secure("client").login(mechanism="EXTERNAL", response=b"") for _ in range(20)]
    for raw in raws:
        works(raw)


@case
def orderly_end(t):
    """close-ok arrives, and then TLS is ended properly, not by cutting the stream."""
    raw = t.secure().login()
    raw.call(0, "connection.close", 200, "bye", 0, 0)
    raw.sock = raw.sock.unwrap()


PIKA = """
import ssl, sys, pika
port, ca, certificate, key = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(certificate, key)
parameters = pika.ConnectionParameters("localhost", int(port), ssl_options=pika.SSLOptions(context, "localhost"),
                                       credentials=pika.credentials.ExternalCredentials())
channel = pika.BlockingConnection(parameters).channel()
channel.confirm_delivery()
name = channel.queue_declare("", exclusive=True).method.queue
channel.basic_publish("", name, b"by pika", mandatory=True)
print(channel.basic_get(name, auto_ack=True)[2].decode(), end="")
"""


@case
def pika_with_a_certificate(t):
    done = subprocess.run([sys.executable, "-c", PIKA, str(t.at().tls_port), t.certificate("ca.pem"),
                           t.certificate("client.pem"), t.certificate("client.key")],
                          capture_output=True, text=True, timeout=20, check=False, cwd="/")
    equal((done.stdout, done.returncode), ("by pika", 0), done.stderr[-300:])


@case
def tools_with_a_certificate(t):
    """librabbitmq's own TLS."""
    where = ["--ssl", f"--cacert={t.certificate('ca.pem')}", f"--cert={t.certificate('client.pem')}",
             f"--key={t.certificate('client.key')}", "-u", t.at().tls_url]
    name = t.name()

    def run(program, *args):
        done = subprocess.run([program, *where, *args], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    run("amqp-declare-queue", "-q", name)
    run("amqp-publish", "-r", name, "-b", "by librabbitmq")
    equal(run("amqp-get", "-q", name), "by librabbitmq")
    run("amqp-delete-queue", "-q", name)
