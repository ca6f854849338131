#!/bin/sh
# certbot, as it comes: a certificate, its successor, and the end of the first one.
set -eu
certbot=$1 directory=$2 port=$3
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

run() {
    "$certbot" "$@" --config-dir "$home/config" --work-dir "$home/work" --logs-dir "$home/logs" \
        --server "$directory" --non-interactive
}

run certonly --standalone --http-01-address 127.0.0.1 --http-01-port "$port" --agree-tos \
    --email ada@example.com --domain shop.example --domain www.shop.example --cert-name shop
cp "$home/config/live/shop/cert.pem" "$home/first.pem"
run renew --force-renewal --no-random-sleep-on-renew
if cmp -s "$home/config/live/shop/cert.pem" "$home/first.pem"; then
    echo "it was not renewed" >&2
    exit 1
fi
run revoke --cert-path "$home/first.pem" --reason superseded --no-delete-after-revoke
run unregister
