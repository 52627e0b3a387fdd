#!/bin/sh
# PostgreSQL out of the system's packages, for the tests of the dispatch core's store. They start a private cluster themselves.
set -eu
for tool in /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$tool" ] && exit 0
done
command -v initdb >/dev/null 2>&1 && exit 0
how="apt-get install -y --no-install-recommends postgresql"
command -v apt-get >/dev/null 2>&1 || {
    echo "postgres: there is no apt-get here; install PostgreSQL 14 or newer (initdb and pg_ctl) by your system's means" >&2
    exit 1
}
if [ "$(id -u)" = 0 ]; then
    root=env
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n env"
else
    echo "postgres: only root may install it: $how" >&2
    exit 1
fi
echo "postgres: installing it out of the system's packages, once"
$root DEBIAN_FRONTEND=noninteractive apt-get update -qq
$root DEBIAN_FRONTEND=noninteractive $how >/dev/null
