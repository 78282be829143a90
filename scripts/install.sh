#!/bin/sh
# Makes .venv from a hash-pinned lock; does nothing when that has been done. Usage: scripts/install.sh requirements.lock
set -eu

lock=$1
venv=.venv
log=$venv/install.log
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0
export PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT PIP_USER PIP_REQUIRE_VIRTUALENV

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 && new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo 'no Python')
    fail "Consular needs Python 3.11 or later; here is $found." \
        "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: python.org or brew install python)," \
        "or name one: make install PYTHON=/path/to/python3"
}

make_venv() {
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$python cannot make virtual environments. Debian, Ubuntu: apt install python3-venv, then try again."
    echo "Making $venv with $("$python" --version)."
    rm -rf "$venv"
    "$python" -m venv "$venv" || {
        rm -rf "$venv"
        fail "$python could not make $venv (its words are above). Debian, Ubuntu: apt install python3-venv."
    }
}

explain() {
    tail -n 15 "$log" >&2
    if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
        fail "" "A downloaded package is not the one $lock names. Do not go on; look at your package index or mirror."
    elif grep -qE 'connection broken|ConnectionError|Max retries|timed out|resolve' "$log"; then
        fail "" "pip cannot reach the Python package index: look at the network, HTTPS_PROXY or PIP_INDEX_URL, and try again."
    elif grep -q 'No space left' "$log"; then
        fail "" "The disk is full: free about 500 MB and try again."
    elif grep -q 'No matching distribution' "$log"; then
        fail "" "The package named above has no build for this system; Linux (glibc) and macOS on x86-64 and arm64 have one."
    fi
    fail "" "The installation failed; the whole story is in $log."
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet "$@" >"$log" 2>&1 || explain
}

[ -f "$lock" ] || fail "There is no $lock here: run this in the folder of the project."
{ [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; } || make_venv

stamp() {
    echo "$(cat "$1" pyproject.toml scripts/install.sh | cksum) $(pwd) $("$venv/bin/python" --version)"
}

if [ "$(cat "$venv/installed-$lock" 2>/dev/null)" != "$(stamp "$lock")" ]; then
    echo "Installing the packages of $lock into $venv; the first time takes a minute."
    rm -f "$venv"/installed-*
    pip_install --require-hashes --only-binary=:all: -r "$lock"
    pip_install --no-deps --no-build-isolation -e .
    stamp "$lock" >"$venv/installed-$lock"
    if [ "$lock" = requirements-dev.lock ]; then  # it holds everything of the other one, in the same versions
        stamp requirements.lock >"$venv/installed-requirements.lock"
    fi
fi

if [ -d consular/translations ]; then
    for po in $(find consular/translations -name '*.po'); do
        mo=${po%.po}.mo
        if [ ! -e "$mo" ] || [ -n "$(find "$po" -newer "$mo")" ]; then
            "$venv/bin/pybabel" --quiet compile -i "$po" -o "$mo"
        fi
    done
fi
