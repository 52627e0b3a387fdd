#!/bin/sh
# PostgreSQL out of the system's packages, for the tests of the dispatch core's store. They start a private cluster themselves.
set -eu
for tool in /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$tool" ] && exit 0
done
command -v initdb >/dev/null 2>&1 && exit 0
exec sh "$(dirname "$0")/system_package.sh" "postgres: PostgreSQL 14 or newer" postgresql
