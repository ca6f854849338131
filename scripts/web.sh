#!/bin/sh
# Makes what browsers and programs in TypeScript have of Stoa: the SDK, generated from the contracts,
# and the console, which a node is built with. What is there already and as new as its sources is left as it is. Without npm nothing is made,
# and a node runs without it.
set -eu
cd "$(dirname "$0")/.."

command -v npm >/dev/null 2>&1 || {
    echo "web: there is no npm, so that the console is not built; scripts/setup.sh installs it"
    exit 0
}

# Runs something quietly; what it said is shown only if it failed.
quietly() {
    said=$(mktemp)
    if "$@" >"$said" 2>&1; then
        rm -f "$said"
    else
        cat "$said" >&2
        rm -f "$said"
        echo "web: failed: $*" >&2
        exit 1
    fi
}

# Whether something was made before some of its sources changed.
is_older() {
    made=$1
    shift
    [ ! -e "$made" ] || [ -n "$(find "$@" -newer "$made" -print -quit)" ]
}

# npm writes down what it installed; when that is newer than the lock file, nothing changed.
for folder in tools web; do
    installed=$folder/node_modules/.package-lock.json
    if is_older "$installed" $folder/package-lock.json; then
        echo "web: installing what comes from npm, for $folder"
        quietly npm ci --prefix $folder --no-audit --no-fund --ignore-scripts
        touch "$installed"
    fi
done

if is_older web/sdk/src/gen proto web/sdk/buf.gen.yaml web/sdk/generate.mjs web/package-lock.json; then
    echo "web: generating clients from the contracts"
    quietly npm run generate --prefix web/sdk
    touch web/sdk/src/gen
fi

if is_older web/sdk/dist web/sdk/src; then
    quietly web/node_modules/.bin/tsc --build web/sdk
    touch web/sdk/dist
fi

# The page comes last of what is built.
if is_older web/console/dist/index.html web/sdk/dist web/ui/src web/console/src web/console/public \
    web/console/index.html web/console/vite.config.ts web/package-lock.json; then
    echo "web: building the console"
    quietly npm run build --prefix web/console
    touch web/console/dist/index.html
fi
