#!/bin/sh
# Fetches Apache Kafka (Maven) into .tools/kafka/lib/: tools/kafka/pom.xml pins the version.
# Tests and benchmarks of the distributed runtime start it themselves, on loopback. Needs a JDK 17 or newer and Maven, once.
set -eu
cd "$(dirname "$0")/.."
out="$PWD/.tools/kafka"
pom="$PWD/tools/kafka/pom.xml"
say() {
    echo "kafka: $*" >&2
    exit 1
}
command -v java >/dev/null 2>&1 || say "Java is not here; install it (apt-get install openjdk-17-jdk-headless), then try again"
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${version:-0}" -ge 17 ] || say "Java 17 or newer is needed, here is ${version:-none}; install it (apt-get install openjdk-17-jdk-headless)"
if [ -f "$out/done" ] && [ "$out/done" -nt "$pom" ]; then exit 0; fi
command -v mvn >/dev/null 2>&1 || say "Maven is not here; install it (apt-get install maven), then try again"
echo "kafka: fetching it once, under a minute"
rm -rf "$out"
mkdir -p "$out/lib"
mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$out/lib" -DincludeScope=runtime ||
    say "Maven could not fetch it; is there a network? Try again with: make kafka"
touch "$out/done"
echo "kafka: $out/lib"
