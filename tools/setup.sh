#!/bin/sh
# Makes .venv with everything that the lock file names, and mosquitto where that may be installed.
# Needs Python 3.11 or newer, make and the network; writes only to .venv/ and .tools/ (and system packages).
# SCENEWATCH_SYSTEM_PACKAGES=no keeps it from installing any.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # Debian keeps mosquitto there, and dpkg needs them
export PATH
unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT
log=.tools/setup.log
stamp=.venv/setup.stamp

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

state() { cat uv.lock pyproject.toml tools/setup.sh | cksum; }

[ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(state)" ] && exit 0

mkdir -p .tools
: >"$log"
if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then
    HOME="$PWD/.tools" # pip and uv keep their caches somewhere
    export HOME
fi

# A command that may install system packages: none, or sudo that asks for nothing.
root=no
if [ "${SCENEWATCH_SYSTEM_PACKAGES:-yes}" != no ] && command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        root=env
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        root="sudo -n env"
    fi
fi

updated=no
system_packages() {
    [ "$root" != no ] || return 1
    if [ "$updated" = no ]; then
        $root DEBIAN_FRONTEND=noninteractive apt-get update >>"$log" 2>&1 || return 1
        updated=yes
    fi
    $root DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1
}

find_python() {
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
}

make_tools() {
    "$python" -m venv .tools >>"$log" 2>&1 && .tools/bin/python -m pip install --quiet uv >>"$log" 2>&1
}

find_uv() {
    command -v uv && return
    [ -x .tools/bin/uv ] || make_tools || {
        system_packages python3-venv python3-pip && make_tools
    } || return 1
    echo .tools/bin/uv
}

python=$(find_python)
[ -n "$python" ] || die "Python 3.11 or newer is needed; here is $(python3 --version 2>&1 || echo none). Install one, then try again."

uv=$(find_uv) || die "no uv and no way to make it: install python3-venv and python3-pip (or uv), then try again; the log is $log"

say "Python packages into .venv ($("$python" --version))"
"$uv" sync --frozen --all-extras --compile-bytecode --python "$python" >>"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    die "the Python packages could not be installed; is there a network? The log is $log; try again with: make setup"
}

if ! command -v mosquitto >/dev/null 2>&1 || ! command -v mosquitto_sub >/dev/null 2>&1; then
    say "mosquitto out of the system's packages"
    system_packages mosquitto mosquitto-clients ||
        say "mosquitto is not here: the embedded broker runs instead, without sessions on disk and without rights by user; to mend it: apt-get install mosquitto mosquitto-clients"
fi

# Bytecode of the rooms too, whatever the environment says of writing it: a role that compiles its sources at each start
# takes a second and a half longer.
env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m compileall -q \
    core city ingest detectors thresholds alerts dispatch history console simulators runtime benchmarks >>"$log" 2>&1

say "kernels compiled for this machine, once"
.venv/bin/python -m runtime.compile_kernels >>"$log" 2>&1 ||
    say "the kernels could not be compiled now; the first start does it and takes half a minute longer; the log is $log"

state >"$stamp"
