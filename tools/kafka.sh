#!/bin/sh
# Fetches Apache Kafka into .tools/kafka/lib/: 55 jars (46 MB) from a Maven repository, pinned with their digests by tools/kafka/jars.txt.
# Tests and benchmarks of the distributed runtime start it themselves, on loopback. Needs Python to fetch it, and a JDK 17 or newer to run it.
# MAVEN_REPOSITORY names another repository than Maven Central.
set -eu
cd "$(dirname "$0")/.."
out="$PWD/.tools/kafka"
jars="$PWD/tools/kafka/jars.txt"
say() {
    echo "kafka: $*" >&2
    exit 1
}
command -v java >/dev/null 2>&1 || say "Java is not here; install it (apt-get install openjdk-17-jdk-headless), then try again"
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${version:-0}" -ge 17 ] || say "Java 17 or newer is needed, here is ${version:-none}; install it (apt-get install openjdk-17-jdk-headless)"
if [ -f "$out/done" ] && cmp -s "$out/done" "$jars"; then exit 0; fi
echo "kafka: fetching it once, some seconds"
rm -rf "$out"
python3 tools/fetch_kafka.py "$jars" "$out/lib" || say "it could not be fetched; is there a network? Try again with: make kafka"
cp "$jars" "$out/done"
echo "kafka: $out/lib"
