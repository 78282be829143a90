#!/bin/sh
# Runs those of the Procfile's processes named as arguments that are needed, after the migrations and a look at the
# settings. Settings come from .env, or from the environment alone where DATABASE_URL is set in it.
set -eu

honcho=.venv/bin/honcho
[ -f "${CONSULAR_ENV_FILE-.env}" ] || [ -n "${DATABASE_URL:-}" ] || {
    echo "Nothing is configured: copy .env.example to .env and fill it in, or set DATABASE_URL and the others." >&2
    exit 1
}
.venv/bin/consular migrate
.venv/bin/consular check-config
file=${CONSULAR_ENV_FILE-.env}
[ -z "${DATABASE_URL:-}" ] || file=/dev/null
needed=$("$honcho" -e "$file" run sh scripts/needed.sh "$@")
# shellcheck disable=SC2086 - names of processes, one word each
exec "$honcho" -e "$file" start --concurrency worker-twilio=2 $needed
