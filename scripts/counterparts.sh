#!/bin/sh
# Fetches the servers other people wrote that tests speak to (npm, pinned by hash) into .venv/npm. Without npm those tests are skipped.
set -eu

target=.venv/npm
command -v npm >/dev/null 2>&1 || { echo "npm is not here: tests against servers from npm are skipped."; exit 0; }

for folder in tests/providers/*/counterpart; do
    name=$(basename "$(dirname "$folder")")
    place=$target/$name
    stamp=$(cksum <"$folder/package-lock.json")
    [ "$(cat "$place/installed" 2>/dev/null)" = "$stamp" ] && continue
    mkdir -p "$place"
    cp "$folder/package.json" "$folder/package-lock.json" "$place/"
    if npm ci --ignore-scripts --no-audit --no-fund --silent --prefix "$place" >"$place/install.log" 2>&1; then
        echo "$stamp" >"$place/installed"
    else
        echo "npm could not fetch the test server $name ($place/install.log): its tests are skipped." >&2
    fi
done
