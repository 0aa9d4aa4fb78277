"""Raw sockets: what a server says, byte for byte. `;` stands for CRLF in what is sent and expected."""

import os
import re
import socket
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position
import harness  # noqa: E402
from harness import case, equal, matches, until  # noqa: E402

HELLO = ("%7;$6;server;$5;redis;$7;version;$<n>;<word>;$5;proto;:3;$2;id;:<n>;$4;mode;$10;standalone;"
         "$4;role;$6;master;$7;modules;*0;")


def raw(text):
    return text.replace(";", "\r\n").encode("latin-1")


class Connection:
    def __init__(self, url):
        where = urllib.parse.urlparse(url)
        self.sock = socket.create_connection((where.hostname, where.port), 5)
        self.sock.settimeout(5)
        self.pending = b""

    def send(self, *words):
        parts = [word if isinstance(word, bytes) else word.encode() for word in words]
        self.sock.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self

    def write(self, text):
        self.sock.sendall(raw(text))
        return self

    def expect(self, text):
        """What comes next is exactly this; <n> is any number, <word> anything but a line end."""
        pattern = re.escape(raw(text)).replace(b"<n>", rb"\d+").replace(b"<word>", rb"[^\r\n]*")
        expression = re.compile(pattern, re.S)
        while not (found := expression.match(self.pending)):
            try:
                more = self.sock.recv(1 << 16)
            except TimeoutError:
                more = b""
            assert more, f"got {self.pending!r}, expected {raw(text)!r}"
            self.pending += more
        self.pending = self.pending[found.end():]
        return self

    def closed(self):
        equal(self.pending, b"", "before the end")
        equal(self.sock.recv(1), b"", "the end of the stream")

    def quiet(self):
        """Nothing came that was not expected."""
        self.sock.settimeout(0.1)
        try:
            more = self.sock.recv(1 << 16)
        except TimeoutError:
            more = b""
        self.sock.settimeout(5)
        equal(self.pending + more, b"", "unexpected")


class RawContext(harness.Context):
    def connect(self):
        connection = Connection(self.url)
        self.at_end(connection.sock.close)
        return connection

    def hello3(self):
        return self.connect().send("HELLO", "3").expect(HELLO)


@case
def subscribe_frames(t):
    a, b = t.connect(), t.connect()
    a.send("SUBSCRIBE", "ia", "ib").expect("*3;$9;subscribe;$2;ia;:1;*3;$9;subscribe;$2;ib;:2;")
    a.send("PSUBSCRIBE", "in*").expect("*3;$10;psubscribe;$3;in*;:3;")
    a.send("SSUBSCRIBE", "is").expect("*3;$10;ssubscribe;$2;is;:1;")
    a.send("SUBSCRIBE", "ia").expect("*3;$9;subscribe;$2;ia;:3;")
    b.send("PUBLISH", "ia", b"hi\x00\r\n").expect(":1;")
    a.expect("*3;$7;message;$2;ia;$5;hi\x00;;")
    b.send("PUBLISH", "inews", "x").expect(":1;")
    a.expect("*4;$8;pmessage;$3;in*;$5;inews;$1;x;")
    b.send("SPUBLISH", "is", "x").expect(":1;")
    a.expect("*3;$8;smessage;$2;is;$1;x;")
    b.send("SPUBLISH", "ia", "x").expect(":0;").send("PUBLISH", "is", "x").expect(":0;")
    a.send("UNSUBSCRIBE", "ia", "zz").expect("*3;$11;unsubscribe;$2;ia;:2;*3;$11;unsubscribe;$2;zz;:2;")
    a.send("UNSUBSCRIBE").expect("*3;$11;unsubscribe;$2;ib;:1;")
    a.send("UNSUBSCRIBE").expect("*3;$11;unsubscribe;$-1;:1;")
    a.send("PUNSUBSCRIBE").expect("*3;$12;punsubscribe;$3;in*;:0;")
    a.send("SUNSUBSCRIBE").expect("*3;$12;sunsubscribe;$2;is;:0;")
    a.send("SUNSUBSCRIBE").expect("*3;$12;sunsubscribe;$-1;:0;")
    a.send("PING").expect("+PONG;").quiet()


@case
def the_subscribed_mode_of_resp2(t):
    a = t.connect().send("SUBSCRIBE", "x1").expect("*3;$9;subscribe;$2;x1;:1;")
    a.send("PING").expect("*2;$4;pong;$0;;").send("PING", "hi").expect("*2;$4;pong;$2;hi;")
    words = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    a.send("ECHO", "x").expect(f"-ERR Can't execute 'echo': {words};")
    a.send("CLIENT", "LIST").expect(f"-ERR Can't execute 'client|list': {words};")
    a.send("HELLO", "3").expect(f"-ERR Can't execute 'hello': {words};")
    a.send("RESET").expect("+RESET;").send("PING").expect("+PONG;")
    a.send("QUIT").expect("+OK;").closed()


@case
def resp3_pushes(t):
    a = t.hello3()
    a.send("UNSUBSCRIBE").expect(">3;$11;unsubscribe;_;:0;")
    a.send("SUBSCRIBE", "y1").expect(">3;$9;subscribe;$2;y1;:1;")
    push, answer = ">3;$7;message;$2;y1;$1;x;", ":1;"
    a.send("PUBLISH", "y1", "x").expect(t.by_server(redis=push + answer, wharf=answer + push,
                                                    why="7.2 sends a connection's own message behind the answer"))
    a.send("PING").expect("+PONG;").send("CLIENT", "GETNAME").expect("_;")
    a.send("PUBSUB", "NUMSUB", "y1", "zz").expect("*4;$2;y1;:1;$2;zz;:0;").quiet()


@case
def pipelined_confirmations_keep_their_place(t):
    a = t.connect().write("PING;SUBSCRIBE p1;SUBSCRIBE p2 p3;PING x;UNSUBSCRIBE p1;PING;")
    a.expect("+PONG;*3;$9;subscribe;$2;p1;:1;*3;$9;subscribe;$2;p2;:2;*3;$9;subscribe;$2;p3;:3;")
    a.expect("*2;$4;pong;$1;x;*3;$11;unsubscribe;$2;p1;:2;*2;$4;pong;$0;;").quiet()


@case
def celery_result_in_a_transaction(t):
    name = "celery-task-meta-8d5d6f"
    a = t.connect().send("SUBSCRIBE", name).expect(f"*3;$9;subscribe;${len(name)};{name};:1;")
    b = t.connect().send("MULTI").expect("+OK;").send("PUBLISH", name, "done").expect("+QUEUED;")
    a.quiet()
    b.send("EXEC").expect("*1;:1;")
    a.expect(f"*3;$7;message;${len(name)};{name};$4;done;")


@case
def transaction_errors(t):
    a = t.connect().send("EXEC").expect("-ERR EXEC without MULTI;")
    a.send("DISCARD").expect("-ERR DISCARD without MULTI;").send("WATCH", "k").expect("+OK;")
    a.send("MULTI").expect("+OK;").send("WATCH", "k").expect("-ERR WATCH inside MULTI is not allowed;")
    a.send("MULTI").expect("-ERR MULTI calls can not be nested;").send("DISCARD").expect("+OK;")
    a.send("MULTI").expect("+OK;")
    a.send("NOPE", "a").expect("-ERR unknown command 'NOPE', with args beginning with: 'a' ;")
    a.send("PUBLISH", "tx", "x").expect("+QUEUED;")
    a.send("EXEC").expect("-EXECABORT Transaction discarded because of previous errors.;")
    a.send("UNWATCH").expect("+OK;")


@case
def error_texts(t):
    a = t.connect()
    for words, answer in (
            (("nope", "a", "b"), "-ERR unknown command 'nope', with args beginning with: 'a' 'b' ;"),
            (("nope",), "-ERR unknown command 'nope', with args beginning with: ;"),
            (("NOPE", "x" * 300), "-ERR unknown command 'NOPE', with args beginning with: '" + "x" * 128 + "' ;"),
            (("publish", "a"), "-ERR wrong number of arguments for 'publish' command;"),
            (("ping", "a", "b"), "-ERR wrong number of arguments for 'ping' command;"),
            (("subscribe",), "-ERR wrong number of arguments for 'subscribe' command;"),
            (("client",), "-ERR wrong number of arguments for 'client' command;"),
            (("client", "kill"), "-ERR wrong number of arguments for 'client|kill' command;"),
            (("client", "bla"), "-ERR unknown subcommand 'bla'. Try CLIENT HELP.;"),
            (("pubsub", "bla"), "-ERR unknown subcommand 'bla'. Try PUBSUB HELP.;"),
            (("select", "x"), "-ERR value is not an integer or out of range;"),
            (("select", "16"), "-ERR DB index is out of range;"),
            (("client", "setname", "a b"),
             "-ERR Client names cannot contain spaces, newlines or special characters.;"),
            (("client", "kill", "1.2.3.4:5"), "-ERR No such client;"),
            (("client", "kill", "id", "0"), "-ERR client-id should be greater than 0;"),
            (("client", "reply", "x"), "-ERR syntax error;"),
            (("cluster", "info"), "-ERR This instance has cluster support disabled;"),
            (("hello", "4"), "-NOPROTO unsupported protocol version;"),
            (("hello", "x"), "-ERR Protocol version is not an integer or out of range;"),
            (("hello", "3", "bla"), "-ERR Syntax error in HELLO option 'bla';"),
            (("auth", "x"), "-ERR AUTH <password> called without any password configured for the default user. "
                            "Are you sure your configuration is correct?;"),
            (("auth", "nobody", "x"), "-WRONGPASS invalid username-password pair or user is disabled.;"),
            (("auth", "a", "b", "c"), "-ERR syntax error;"),
    ):
        a.send(*words).expect(answer)
    a.quiet()


@case
def protocol_errors_end_the_connection(t):
    for sent, answer in (("*1;+PING;", "expected '$', got '+'"), ("*x;", "invalid multibulk length"),
                         ("*1;$-1;", "invalid bulk length"), ('"a;', "unbalanced quotes in request"),
                         ("*1;$01;", "invalid bulk length"), ("x" * 70000, "too big inline request")):
        t.connect().write(sent).expect(f"-ERR Protocol error: {answer};").closed()
    t.connect().write("POST / HTTP/1.1;").closed()


@case
def inline_commands(t):
    a = t.connect().write('PING "a b\\x41\\n";').expect("$5;a bA\n;")
    a.write("echo 'it\\'s';").expect("$4;it's;").write(";;*0;*-1;PING\n").expect("+PONG;").quiet()


@case
def introspection(t):
    a, b = t.connect(), t.connect()
    a.send("SUBSCRIBE", "iq1", "iq2").expect("*3;$9;subscribe;$3;iq1;:1;*3;$9;subscribe;$3;iq2;:2;")
    a.send("SSUBSCRIBE", "iqs").expect("*3;$10;ssubscribe;$3;iqs;:1;")
    b.send("PUBSUB", "CHANNELS", "iq[1]").expect("*1;$3;iq1;")
    b.send("PUBSUB", "SHARDCHANNELS", "iq*").expect("*1;$3;iqs;")
    b.send("PUBSUB", "NUMSUB", "iq1", "iqs").expect("*4;$3;iq1;:1;$3;iqs;:0;")
    b.send("PUBSUB", "SHARDNUMSUB", "iqs").expect("*2;$3;iqs;:1;").send("PUBSUB", "NUMSUB").expect("*0;")
    a.send("PSUBSCRIBE", "iqa*", "iqb*").expect("*3;$10;psubscribe;$4;iqa*;:3;*3;$10;psubscribe;$4;iqb*;:4;")
    c = t.connect().send("PSUBSCRIBE", "iqa*").expect("*3;$10;psubscribe;$4;iqa*;:1;")
    b.send("PUBSUB", "NUMPAT").expect(":2;")
    c.send("PUNSUBSCRIBE").expect("*3;$12;punsubscribe;$4;iqa*;:0;")
    a.sock.close()
    until(lambda: (b.send("PUBSUB", "NUMPAT"), b.sock.recv(100))[1] == b":0\r\n", what="patterns gone")


@case
def globs(t):
    a, b = t.connect(), t.connect()
    for pattern, fits, other in (("g.?", "g.x", "g.xx"), ("g.[a-c]z", "g.bz", "g.dz"), ("g.[^a]", "g.b", "g.a"),
                                 (r"g.\*", "g.*", "g.x"), ("g.[c-a]", "g.b", "g.d"), ("g.[ab", "g.a", "g.c"),
                                 ("g.**x", "g.ax", "g.xa"), ("G.*", "G.", "g.x")):
        a.send("PSUBSCRIBE", pattern).expect(f"*3;$10;psubscribe;${len(pattern)};{pattern};:1;")
        b.send("PUBLISH", fits, "1").expect(":1;").send("PUBLISH", other, "2").expect(":0;")
        a.expect(f"*4;$8;pmessage;${len(pattern)};{pattern};${len(fits)};{fits};$1;1;")
        a.send("PUNSUBSCRIBE", pattern).expect(f"*3;$12;punsubscribe;${len(pattern)};{pattern};:0;")


@case
def one_that_matches_twice_hears_twice(t):
    a, b = t.connect(), t.connect()
    a.send("SUBSCRIBE", "tw1").expect("*3;$9;subscribe;$3;tw1;:1;")
    a.send("PSUBSCRIBE", "tw?").expect("*3;$10;psubscribe;$3;tw?;:2;")
    b.send("PUBLISH", "tw1", "x").expect(":2;")
    a.expect("*3;$7;message;$3;tw1;$1;x;*4;$8;pmessage;$3;tw?;$3;tw1;$1;x;")


@case
def replies_switched_off(t):
    a = t.connect().write("CLIENT REPLY SKIP;PING;PING;").expect("+PONG;")
    a.write("CLIENT REPLY OFF;PING;SUBSCRIBE ro;PING;CLIENT REPLY ON;")
    a.expect("*3;$9;subscribe;$2;ro;:1;").quiet()
    b = t.connect().send("PUBLISH", "ro", "x").expect(":1;")
    a.expect("*3;$7;message;$2;ro;$1;x;").quiet()
    b.quiet()


@case
def client_list_and_kill(t):
    a = t.connect().send("CLIENT", "SETNAME", "victim").expect("+OK;").send("CLIENT", "ID")
    a_id = int(a.sock.recv(100)[1:])
    b = t.connect().send("CLIENT", "LIST", "ID", str(a_id))
    line = b.sock.recv(4096).decode()
    for field in (rf"id={a_id} addr=127\.0\.0\.1:\d+ laddr=", " name=victim ", " flags=N ", " sub=0 psub=0 ssub=0 ",
                  " user=default ", " resp=2"):
        matches(line, field)
    b.send("CLIENT", "KILL", "ID", str(a_id)).expect(":1;")
    a.closed()
    b.send("CLIENT", "KILL", "ID", str(a_id)).expect(":0;").send("CLIENT", "GETNAME").expect("$-1;")


@case
def large_messages(t):
    a = t.connect().send("SUBSCRIBE", "big").expect("*3;$9;subscribe;$3;big;:1;")
    b = t.connect()
    for size in (4095, 4096, 70000, 1 << 20):
        body = bytes(i % 251 for i in range(size))
        b.send("PUBLISH", "big", body).expect(":1;")
        a.expect(f"*3;$7;message;$3;big;${size};")
        while len(a.pending) < size + 2:
            a.pending += a.sock.recv(1 << 20)
        equal(a.pending[:size + 2] == body + b"\r\n", True, f"body of {size}")
        a.pending = a.pending[size + 2:]


@case
def order_of_one_publisher(t):
    a = t.connect().send("SUBSCRIBE", "ord").expect("*3;$9;subscribe;$3;ord;:1;")
    b = t.connect()
    count = 5000
    b.sock.sendall(b"".join(b"PUBLISH ord %06d\r\n" % i for i in range(count)))
    expected = b"".join(b"*3\r\n$7\r\nmessage\r\n$3\r\nord\r\n$6\r\n%06d\r\n" % i for i in range(count))
    got = b""
    while len(got) < len(expected):
        more = a.sock.recv(1 << 20)
        assert more, "the stream ended"
        got += more
    assert got == expected, "messages out of order"
    answers = b""
    while len(answers) < 4 * count:
        answers += b.sock.recv(1 << 20)
    assert answers == b":1\r\n" * count, "answers"


@case
def what_clients_ask_on_connecting(t):
    a = t.connect()
    a.send("INFO")
    text = a.sock.recv(1 << 16).decode()
    for field in ("redis_version:7", "loading:0", "redis_mode:standalone", "cluster_enabled:0", "role:master"):
        assert field in text, field
    a.send("CONFIG", "GET", "databases").expect("*2;$9;databases;$2;16;")
    a.send("COMMAND", "INFO", "nope").expect("*1;$-1;")
    a.send("ACL", "WHOAMI").expect("$7;default;").send("SELECT", "0").expect("+OK;").send("ECHO", "x").expect("$1;x;")
    a.send("TIME").expect("*2;$10;<word>;$<n>;<word>;")
    a.send("COMMAND", "COUNT").expect(":<n>;").send("AUTH", "default", "any").expect("+OK;").quiet()


sys.exit(harness.main(RawContext))
