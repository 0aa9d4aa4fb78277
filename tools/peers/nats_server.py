#!/usr/bin/env python3
"""A private nats-server (Debian's package) to compare with. Everything stays in one folder and on loopback.

  nats_server.py install
  nats_server.py start --dir D [--port P] [--conf LINE]...
  nats_server.py stop --dir D

`start` returns when the port greets and prints one line: `ready pid=N nats=URL dir=D`. `stop` ends what `start`
started, by the pid kept in D.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rabbitmq  # noqa: E402  pylint: disable=wrong-import-position

free_port = rabbitmq.free_port
READY_SECONDS = 20
STOP_SECONDS = 10


def program():
    return shutil.which("nats-server") or next((path for path in ("/usr/sbin/nats-server", "/usr/bin/nats-server")
                                                if os.path.exists(path)), None)


def install():
    if program():
        print(f"nats-server is installed: {program()}")
        return
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with rabbitmq.services_held():
        subprocess.run(["apt-get", "update", "-qq"], env=env, check=True, timeout=300)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nats-server"],
                       env=env, check=True, timeout=600)
    # Without this the service would come up at the next boot and take port 4222.
    if os.path.isdir("/run/systemd/system"):
        subprocess.run(["systemctl", "disable", "nats-server"], check=False, timeout=60)
    print(f"installed {program()}")


def greets(port):
    """True when a server on loopback sends INFO."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.settimeout(2)
            return sock.recv(5) == b"INFO "
    except OSError:
        return False


def start(folder, port, extra=()):
    """Returns {"pid": N, "port": P}; the process outlives this one."""
    os.makedirs(folder, exist_ok=True)
    conf = os.path.join(folder, "nats.conf")
    with open(conf, "w", encoding="utf-8") as file:
        file.write("\n".join([f'listen: "127.0.0.1:{port}"', f'log_file: "{folder}/server.log"', *extra]) + "\n")
    if not program():
        raise RuntimeError("nats-server is not installed; run tools/peers/nats_server.py install")
    process = subprocess.Popen([program(), "-c", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    with open(os.path.join(folder, "pid"), "w", encoding="ascii") as file:
        file.write(str(process.pid))
    end = time.monotonic() + READY_SECONDS
    while not greets(port):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise RuntimeError(f"nats-server did not come up, see {folder}/server.log")
        time.sleep(0.05)
    return {"pid": process.pid, "port": port}


def alive(pid):
    """True when the pid still is a nats-server; a recycled pid must not be signalled."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            state = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0]
            return file.read().startswith("nats-server") and state != "Z"
    except OSError:
        return False


def stop(folder):
    with open(os.path.join(folder, "pid"), encoding="ascii") as file:
        pid = int(file.read())
    end = time.monotonic() + STOP_SECONDS
    if alive(pid):
        os.kill(pid, signal.SIGTERM)
    while alive(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # started by another process


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install")
    for name in ("start", "stop"):
        commands.add_parser(name).add_argument("--dir", required=True)
    commands.choices["start"].add_argument("--port", type=int, default=0)
    commands.choices["start"].add_argument("--conf", action="append", default=[])
    args = parser.parse_args()
    if args.command == "install":
        install()
    elif args.command == "start":
        state = start(os.path.abspath(args.dir), args.port or free_port(), args.conf)
        print(f"ready pid={state['pid']} nats=nats://127.0.0.1:{state['port']} dir={args.dir}")
    else:
        stop(os.path.abspath(args.dir))


if __name__ == "__main__":
    main()
