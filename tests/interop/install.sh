#!/bin/sh
# Installs what the interop suites need on Debian 12: Debian packages, and amqplib from npm into build/interop/node.
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

for package in python3 python3-pika celery amqp-tools librabbitmq-dev librabbitmq-client-java libhiredis-dev python3-redis python3-venv redis-tools libslf4j-java openssl; do
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

# redis-server is small, and its suites are held against it.
"$root/tools/peers/redis_server.py" install

# RabbitMQ itself is only needed to compare with.
if [ "${1:-}" = --with-rabbitmq ]; then
    "$root/tools/peers/rabbitmq.py" install
else
    echo "rabbitmq-server: not asked for (--with-rabbitmq installs it)"
fi
