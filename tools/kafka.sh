#!/bin/sh
# Fetches Apache Kafka into .tools/kafka/lib/: 55 jars (46 MB) from a Maven repository, pinned with their digests by tools/kafka/jars.txt.
# Tests and benchmarks of the distributed runtime start it themselves, on loopback. Needs Python to fetch it, and Java 17 or newer to run it,
# which it installs where it may.
# MAVEN_REPOSITORY names another repository than Maven Central.
set -eu
cd "$(dirname "$0")/.."
out="$PWD/.tools/kafka"
jars="$PWD/tools/kafka/jars.txt"
say() {
    echo "kafka: $*" >&2
    exit 1
}
how="apt-get install -y --no-install-recommends openjdk-17-jre-headless"
if ! command -v java >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
    root=
    if [ "$(id -u)" = 0 ]; then
        root=env
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        root="sudo -n env"
    fi
    if [ -n "$root" ]; then
        echo "kafka: Java out of the system's packages, once"
        { $root DEBIAN_FRONTEND=noninteractive apt-get update -qq && $root DEBIAN_FRONTEND=noninteractive $how; } >/dev/null 2>&1 || true
    fi
fi
command -v java >/dev/null 2>&1 || say "Java is not here; install it ($how), then try again: make kafka"
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${version:-0}" -ge 17 ] || say "Java 17 or newer is needed, here is ${version:-none}; install it ($how)"
if [ -f "$out/done" ] && cmp -s "$out/done" "$jars"; then exit 0; fi
echo "kafka: fetching it once, some seconds"
rm -rf "$out"
python3 tools/fetch_kafka.py "$jars" "$out/lib" || exit 1
cp "$jars" "$out/done"
echo "kafka: $out/lib"
