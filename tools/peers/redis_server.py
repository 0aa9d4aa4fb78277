#!/usr/bin/env python3
"""A private redis-server (Debian's) to compare with. Everything stays in one folder and on loopback.

  redis_server.py install
  redis_server.py start --dir D [--port P] [--conf 'LINE']...
  redis_server.py stop --dir D

`start` returns when the port answers PING and prints one line: `ready pid=N redis=URL dir=D`.
`stop` ends what `start` started, by the pid kept in D.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import rabbitmq as peers  # the verbs that all peers need

READY_SECONDS = 15
STOP_SECONDS = 10


def install():
    if shutil.which("redis-server"):
        print(f"redis-server is installed: {shutil.which('redis-server')}")
        return
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with peers.services_held():
        subprocess.run(["apt-get", "update", "-qq"], env=env, check=True, timeout=300)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server"],
                       env=env, check=True, timeout=900)
    # Without this the service would come up at the next boot and take port 6379.
    if os.path.isdir("/run/systemd/system"):
        subprocess.run(["systemctl", "disable", "redis-server"], check=False, timeout=60)
    print(f"installed {shutil.which('redis-server')}")


def speaks_redis(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.settimeout(2)
            sock.sendall(b"PING\r\n")
            return sock.recv(7) in (b"+PONG\r\n", b"-NOAUTH")
    except OSError:
        return False


def start(folder, port=0, extra=()):
    """Starts an instance that keeps nothing on disk; returns what `state.json` holds: pid, port and url."""
    if not shutil.which("redis-server"):
        raise RuntimeError("redis-server is not installed; run: redis_server.py install")
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    stop(folder)
    port = port or peers.free_port()
    lines = [f"port {port}", "bind 127.0.0.1", f"dir {folder}", 'save ""', "appendonly no", "daemonize no",
             f"logfile {folder}/redis.log", *extra]
    with open(os.path.join(folder, "redis.conf"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    server = subprocess.Popen(["redis-server", os.path.join(folder, "redis.conf")], stdin=subprocess.DEVNULL,
                              cwd=folder, start_new_session=True)
    state = {"pid": server.pid, "port": port, "url": f"redis://127.0.0.1:{port}"}
    with open(os.path.join(folder, "state.json"), "w", encoding="ascii") as file:
        json.dump(state, file)
    until = time.monotonic() + READY_SECONDS
    while not speaks_redis(port):
        if server.poll() is not None or time.monotonic() > until:
            stop(folder)
            raise RuntimeError(f"redis-server did not come up, see {folder}/redis.log")
        time.sleep(0.05)
    return state


def stop(folder):
    path = os.path.join(folder, "state.json")
    try:
        with open(path, encoding="ascii") as file:
            state = json.load(file)
    except (OSError, ValueError):
        return
    peers.end_process(state["pid"], "redis-server", STOP_SECONDS)
    os.unlink(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install")
    for name in ("start", "stop"):
        commands.add_parser(name).add_argument("--dir", required=True)
    starter = commands.choices["start"]
    starter.add_argument("--port", type=int, default=0, help="0 picks a free one")
    starter.add_argument("--conf", action="append", default=[], help="a further line of redis.conf")
    args = parser.parse_args()
    if args.command == "install":
        install()
    elif args.command == "stop":
        stop(args.dir)
    else:
        state = start(args.dir, args.port, args.conf)
        print(f"ready pid={state['pid']} redis={state['url']} dir={os.path.abspath(args.dir)}")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"redis_server.py: {error}")
