#!/bin/sh
# Installs what the tests need and nothing else: the programs of PostgreSQL (no service is
# started), strace, OpenSSL, a browser, cargo-nextest, and clients that others wrote, from npm and PyPI. What is there already
# is left as it is, so running it again costs a moment and says nothing.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "setup: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "needs root for: $*"
    fi
}

# Runs something quietly; what it said is shown only if it failed.
quietly() {
    said=$(mktemp)
    if "$@" >"$said" 2>&1; then
        rm -f "$said"
    else
        cat "$said" >&2
        rm -f "$said"
        fail "failed: $*"
    fi
}

has_postgres() {
    for folder in /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
        [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && return 0
    done
    has initdb && has postgres
}

# Debian packs the parts that make a virtual environment apart from Python.
has_python() {
    has python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1
}

has cargo || fail "Rust is missing; install it with rustup"

missing=
has_postgres || missing="$missing postgresql"
has strace || missing="$missing strace"
has openssl || missing="$missing openssl"
has cc || missing="$missing build-essential"
has npm || missing="$missing npm"
has chromium || missing="$missing chromium"
has_python || missing="$missing python3 python3-venv"

if [ -n "$missing" ]; then
    has apt-get || fail "please install:$missing"
    echo "setup: installing$missing"
    # Debian starts a service as soon as it is installed, unless this file forbids it.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
    fi
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    # shellcheck disable=SC2086 # a list of words
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --no-install-recommends -y $missing
fi

if ! has cargo-nextest && ! cargo nextest --version >/dev/null 2>&1; then
    echo "setup: building cargo-nextest"
    quietly cargo install cargo-nextest --locked
fi

sh scripts/web.sh

# An environment of its own: Debian keeps pip away from the system's packages. The list is copied
# in last, and says that all of it is there.
installed=tools/venv/requirements.txt
if ! cmp -s tools/requirements.txt "$installed"; then
    echo "setup: installing what comes from PyPI"
    rm -rf tools/venv
    quietly python3 -m venv tools/venv
    quietly tools/venv/bin/python -m pip install --no-input -r tools/requirements.txt
    cp tools/requirements.txt "$installed"
fi
