#!/bin/sh
# Installs what the interop suites need on Debian 12: Debian packages, and amqplib from npm into build/interop/node.
# (The go suite fetches its module from the Go proxy when it is built.)
# Says what it does, does nothing twice, and leaves no service running. Run as root for the apt part.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$root/build/interop/node

missing=""
need_package() {
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" != installed ]; then
        missing="$missing $1"
    fi
}

for package in python3 python3-pika celery amqp-tools librabbitmq-dev librabbitmq-client-java libslf4j-java openssl \
    libnats-dev libhiredis-dev python3-redis python3-venv redis-tools; do
    need_package "$package"
done
[ -x /usr/lib/go-1.19/bin/go ] || command -v go >/dev/null || missing="$missing golang-go"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
command -v javac >/dev/null || missing="$missing default-jdk-headless"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"

if [ -n "$missing" ]; then
    echo "installing Debian packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    apt-get install -y -qq --no-install-recommends $missing
else
    echo "Debian packages: all there"
fi

if [ -d "$cache/node_modules/amqplib" ] && cmp -s "$here/node/package.json" "$cache/package.json"; then
    echo "amqplib: there"
else
    echo "installing amqplib into build/interop/node"
    mkdir -p "$cache"
    cp "$here/node/package.json" "$cache/"
    (cd "$cache" && npm install --no-audit --no-fund --silent)
fi

nats_node=$root/build/interop/nats-node
if [ -d "$nats_node/node_modules/nats" ] && cmp -s "$here/nats/node/package.json" "$nats_node/package.json"; then
    echo "nats for node: there"
else
    echo "installing nats into build/interop/nats-node"
    mkdir -p "$nats_node"
    cp "$here/nats/node/package.json" "$nats_node/"
    (cd "$nats_node" && npm install --no-audit --no-fund --silent)
fi

nats_python=$root/build/interop/nats-python
if [ -x "$nats_python/bin/python" ] && "$nats_python/bin/python" -c 'import nats, nkeys' 2>/dev/null; then
    echo "nats-py: there"
else
    echo "installing nats-py into build/interop/nats-python"
    python3 -m venv "$nats_python"
    "$nats_python/bin/pip" install --quiet --disable-pip-version-check 'nats-py[nkeys]==2.9.0'
fi
# redis-server is small, and its suites are held against it.
"$root/tools/peers/redis_server.py" install

# RabbitMQ itself is only needed to compare with.
if [ "${1:-}" = --with-nats-server ]; then
    "$root/tools/peers/nats_server.py" install
fi
if [ "${1:-}" = --with-rabbitmq ]; then
    "$root/tools/peers/rabbitmq.py" install
else
    echo "rabbitmq-server: not asked for (--with-rabbitmq installs it)"
fi
