#!/bin/sh
# Runs those of the Procfile's processes named as arguments that are needed, after the migrations and a look at the settings. Settings come from
# .env where there is one, and from the environment.
set -eu

honcho=.venv/bin/honcho
[ -f .env ] || [ -n "${DATABASE_URL:-}" ] || {
    echo "Nothing is configured: copy .env.example to .env and fill it in, or set DATABASE_URL and the others." >&2
    exit 1
}
"$honcho" run .venv/bin/consular migrate
"$honcho" run .venv/bin/consular check-config
needed=$("$honcho" run sh scripts/needed.sh "$@")
# shellcheck disable=SC2086 - names of processes, one word each
exec "$honcho" start --concurrency worker-twilio=2 $needed
