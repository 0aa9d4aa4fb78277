#!/usr/bin/env python3
"""A private RabbitMQ (Debian's rabbitmq-server) to compare with. Everything stays in one folder and on loopback.

  rabbitmq.py install
  rabbitmq.py start --dir D [--port P] [--tls-port P] [--external] [--fresh] [--conf LINE]...
  rabbitmq.py stop --dir D

`start` returns when the port speaks AMQP and prints one line: `ready pid=N amqp=URL [amqps=URL] dir=D`.
`stop` ends what `start` started, by the pids kept in D.
"""

import argparse
import contextlib
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

POLICY = "/usr/sbin/policy-rc.d"
READY_SECONDS = 240  # an Erlang node on a busy machine
STOP_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_script():
    found = sorted(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found else None


@contextlib.contextmanager
def services_held():
    """While inside, package scripts may not start services: Debian asks policy-rc.d, and 101 means no."""
    if os.path.exists(POLICY):
        held = subprocess.run([POLICY, "rabbitmq-server", "start"], check=False).returncode == 101
        if not held:
            raise SystemExit(f"{POLICY} exists and allows starting services; install rabbitmq-server by hand")
        yield
        return
    with open(POLICY, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(POLICY, 0o755)
    try:
        yield
    finally:
        os.unlink(POLICY)


def install():
    if server_script():
        print(f"rabbitmq-server is installed: {server_script()}")
        return
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with services_held():
        subprocess.run(["apt-get", "update", "-qq"], env=env, check=True, timeout=300)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "rabbitmq-server"],
                       env=env, check=True, timeout=900)
    # Without this the service would come up at the next boot and take port 5672.
    if os.path.isdir("/run/systemd/system"):
        subprocess.run(["systemctl", "disable", "rabbitmq-server"], check=False, timeout=60)
    print(f"installed {server_script()}")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificates(folder):
    """A CA, a server certificate for localhost and a client certificate for user guest."""
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=peer test CA",
            "-keyout", at("ca.key"), "-out", at("ca.pem"))
    make_certificate(folder, "server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    make_client(folder, "client", "/CN=guest")


def make_client(folder, name, subject):
    make_certificate(folder, name, subject, "extendedKeyUsage=clientAuth")


def make_certificate(folder, name, subject, extension):
    """NAME.pem and NAME.key, signed by the CA of that folder."""
    at = lambda suffix: os.path.join(folder, name + suffix)
    authority = os.path.join(folder, "ca")
    with open(at(".ext"), "w", encoding="ascii") as file:
        file.write(extension + "\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", at(".key"), "-out", at(".csr"))
    openssl("x509", "-req", "-in", at(".csr"), "-CA", authority + ".pem", "-CAkey", authority + ".key",
            "-CAcreateserial", "-days", "3650", "-extfile", at(".ext"), "-out", at(".pem"))


def write_config(folder, port, tls_port, external, extra, advanced):
    lines = [f"listeners.tcp.1 = 127.0.0.1:{port}", "loopback_users.guest = true", "log.console = false",
             "log.file.level = info", "vm_memory_high_watermark.absolute = 1GB", "disk_free_limit.absolute = 50MB"]
    if tls_port:
        certs = os.path.join(folder, "certs")
        if not os.path.exists(os.path.join(certs, "client.pem")):
            make_certificates(certs)
        lines += [f"listeners.ssl.1 = 127.0.0.1:{tls_port}", f"ssl_options.cacertfile = {certs}/ca.pem",
                  f"ssl_options.certfile = {certs}/server.pem", f"ssl_options.keyfile = {certs}/server.key",
                  "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = false"]
    if external:
        lines += ["auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = AMQPLAIN", "auth_mechanisms.3 = EXTERNAL",
                  "ssl_cert_login_from = common_name"]
    with open(os.path.join(folder, "rabbitmq.conf"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines + extra) + "\n")
    plugins = "rabbitmq_auth_mechanism_ssl" if external else ""
    with open(os.path.join(folder, "enabled_plugins"), "w", encoding="ascii") as file:
        file.write(f"[{plugins}].\n")
    # Both must exist and say nothing, or those under /etc would be read.
    for name, text in (("advanced.config", advanced + "\n"), ("env.conf", "")):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)


def environment(folder, epmd_port, dist_port):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))}
    env.update({
        "HOME": folder,  # the cookie lives there, so no other Erlang node can be met by accident
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_CRASH_DUMP": os.path.join(folder, "crash.dump"),
        "RABBITMQ_NODENAME": "peer@localhost",
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_CONFIG_FILE": os.path.join(folder, "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": os.path.join(folder, "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": os.path.join(folder, "env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": os.path.join(folder, "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": os.path.join(folder, "mnesia"),
        "RABBITMQ_LOG_BASE": os.path.join(folder, "log"),
        "RABBITMQ_PID_FILE": os.path.join(folder, "rabbit.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
        "RUNNING_UNDER_SYSTEMD": "true",  # the script then execs the emulator, so its pid is the one we started
    })
    return env


def speaks_amqp(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.settimeout(2)
            sock.sendall(b"AMQP\x00\x00\x09\x01")
            return sock.recv(1) == b"\x01"
    except OSError:
        return False


def alive(pid, name):
    """True when the pid still is the program we started; a recycled pid must not be signalled."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return False
    command, state = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2]
    return name in command and state != "Z"


def end_process(pid, name, seconds):
    if not alive(pid, name):
        return
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + seconds
    while alive(pid, name) and time.monotonic() < until:
        time.sleep(0.1)
    if alive(pid, name):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # it is our child only when this very program started it
        os.waitpid(pid, 0)


def start(folder, port=0, tls_port=0, external=False, extra=(), advanced="[]."):
    """Starts an instance and returns what `state.json` holds: pids, ports and urls. `extra` are lines of
    rabbitmq.conf, `advanced` is the text of advanced.config, for settings that the former does not know."""
    if not server_script():
        raise RuntimeError("rabbitmq-server is not installed; run: rabbitmq.py install")
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    stop(folder)
    port, epmd_port, dist_port = port or free_port(), free_port(), free_port()
    write_config(folder, port, tls_port, external, list(extra), advanced)
    env = environment(folder, epmd_port, dist_port)
    log = open(os.path.join(folder, "start.log"), "ab")
    quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "env": env, "cwd": folder,
             "start_new_session": True}
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(epmd_port)], **quiet)
    time.sleep(0.2)
    server = subprocess.Popen([server_script()], **quiet)
    state = {"pid": server.pid, "epmd_pid": epmd.pid, "port": port,
             "url": f"amqp://guest:guest@127.0.0.1:{port}/%2f"}
    if tls_port:
        state["tls_url"] = f"amqps://guest:guest@localhost:{tls_port}/%2f"
        state["certs"] = os.path.join(folder, "certs")
    with open(os.path.join(folder, "state.json"), "w", encoding="ascii") as file:
        json.dump(state, file)
    until = time.monotonic() + READY_SECONDS
    while not speaks_amqp(port):
        if server.poll() is not None or time.monotonic() > until:
            stop(folder)
            raise RuntimeError(f"rabbitmq-server did not come up, see {folder}/start.log and {folder}/log")
        time.sleep(0.2)
    return state


def stop(folder):
    path = os.path.join(folder, "state.json")
    try:
        with open(path, encoding="ascii") as file:
            state = json.load(file)
    except (OSError, ValueError):
        return
    end_process(state["pid"], "beam", STOP_SECONDS)
    end_process(state["epmd_pid"], "epmd", 5)
    os.unlink(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install")
    for name in ("start", "stop"):
        commands.add_parser(name).add_argument("--dir", required=True)
    starter = commands.choices["start"]
    starter.add_argument("--port", type=int, default=0, help="0 picks a free one")
    starter.add_argument("--tls-port", type=int, default=0)
    starter.add_argument("--external", action="store_true", help="offer EXTERNAL (certificates; needs --tls-port)")
    starter.add_argument("--conf", action="append", default=[], help="a further line of rabbitmq.conf")
    starter.add_argument("--fresh", action="store_true", help="forget the data of an earlier run")
    args = parser.parse_args()
    if args.command == "install":
        install()
    elif args.command == "stop":
        stop(args.dir)
    else:
        if args.fresh:
            stop(args.dir)
            shutil.rmtree(args.dir, ignore_errors=True)
        state = start(args.dir, args.port, args.tls_port, args.external, args.conf)
        tls = f" amqps={state['tls_url']}" if "tls_url" in state else ""
        print(f"ready pid={state['pid']} amqp={state['url']}{tls} dir={os.path.abspath(args.dir)}")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"rabbitmq.py: {error}")
