"""A NATS connection by hand, for cases about the bytes themselves."""

import json
import socket
from urllib.parse import urlparse


class Wire:
    def __init__(self, url, timeout=5):
        where = urlparse(url)
        self.sock = socket.create_connection((where.hostname, where.port), timeout)
        self.buffer = b""
        self.info = json.loads(self.line().removeprefix("INFO "))

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line without its end; None at the end of the stream."""
        while b"\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode()

    def bytes(self, size):
        while len(self.buffer) < size:
            data = self.sock.recv(65536)
            assert data, f"the server hung up with {self.buffer!r}"
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def open(self, **fields):
        """Past the handshake: quiet, with headers."""
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1,
                   "lang": "raw", "version": "1", **fields}
        self.send(f"CONNECT {json.dumps(options)}\r\nPING\r\n")
        line = self.line()
        assert line == "PONG", f"handshake: {line}"
        return self

    def flush(self):
        """What came before the answer to a ping."""
        self.send("PING\r\n")
        lines = []
        while (line := self.line()) != "PONG":
            assert line is not None, f"hung up after {lines}"
            lines.append(line)
        return lines

    def ended(self):
        """True when the server hangs up."""
        try:
            return self.line() is None
        except (ConnectionResetError, BrokenPipeError):
            return True

    def close(self):
        self.sock.close()
