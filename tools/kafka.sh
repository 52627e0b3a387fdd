#!/bin/sh
# Fetches Apache Kafka into .tools/kafka/lib/: 55 jars (46 MB) from a Maven repository, pinned with their digests by tools/kafka/jars.txt.
# Tests and benchmarks of the distributed runtime start it themselves, on loopback. Needs Python to fetch it, and Java 17 or newer to run it,
# which it installs where it may. What was fetched already is not fetched again, whatever cut it short.
# SCENEWATCH_PATIENCE is how many seconds the fetch may take.
# MAVEN_REPOSITORY names another repository than Maven Central.
set -eu
cd "$(dirname "$0")/.."
out="$PWD/.tools/kafka"
jars="$PWD/tools/kafka/jars.txt"
say() {
    echo "kafka: $*" >&2
    exit 1
}
package=openjdk-17-jre-headless
if ! command -v java >/dev/null 2>&1; then
    sh tools/system_package.sh "kafka: Java" "$package" || true
fi
how="apt-get install -y --no-install-recommends $package"
command -v java >/dev/null 2>&1 || say "Java is not here; install it ($how), then try again: make kafka"
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${version:-0}" -ge 17 ] || say "Java 17 or newer is needed, here is ${version:-none}; install it ($how)"
if [ -f "$out/done" ] && cmp -s "$out/done" "$jars"; then exit 0; fi
echo "kafka: fetching it once, some seconds"
rm -f "$out/done" # until all of it is there, nobody takes it for whole
limit=
! command -v timeout >/dev/null 2>&1 || limit="timeout -k 10 ${SCENEWATCH_PATIENCE:-600}"
$limit python3 tools/fetch_kafka.py "$jars" "$out/lib" || say "it could not be fetched; what came is kept; try again: make kafka"
cp "$jars" "$out/done.partial"
mv "$out/done.partial" "$out/done"
echo "kafka: $out/lib"
