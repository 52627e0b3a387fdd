#!/bin/sh
# Builds InfluxDB 2 from its Go module into .tools/influxdb/influxd; instant when it is there already.
# Needs Go 1.23 or newer, cargo, a C compiler and the network; takes 2 to 4 minutes on two cores, once.
set -eu
cd "$(dirname "$0")/.."
version=2.7.12
home=$PWD/.tools/influxdb
log=$home/build.log
stamp=$home/stamp

say() { printf 'influxdb: %s\n' "$*"; }
die() {
    printf 'influxdb: %s\n' "$*" >&2
    exit 1
}

[ -x "$home/influxd" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ] && exit 0

PATH="$PATH:/usr/local/go/bin:$HOME/.cargo/bin"
export PATH
for need in go cargo cc; do
    command -v "$need" >/dev/null 2>&1 ||
        die "$need is not here: install Go 1.23 or newer, Rust (cargo) and a C compiler, then try again: make influxdb"
done

mkdir -p "$home/src" "$home/bin"
cat >"$home/src/go.mod" <<MOD
module scenewatch.influxdb

go 1.23

require github.com/influxdata/influxdb/v2 v$version

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
MOD
cat >"$home/src/tools.go" <<'GO'
//go:build tools

package tools

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
GO
# Its Rust part turns every warning into an error, and newer compilers warn more.
printf '#!/bin/sh\nexec "$@" --cap-lints warn\n' >"$home/bin/rustc-gently"
chmod +x "$home/bin/rustc-gently"

say "building InfluxDB $version from source, 2 to 4 minutes, once; the log is $log"
(
    cd "$home/src"
    go mod tidy
    go build -o "$home/bin/pkg-config" github.com/influxdata/pkg-config
    PKG_CONFIG=$home/bin/pkg-config RUSTC_WRAPPER=$home/bin/rustc-gently RUSTUP_TOOLCHAIN=stable \
        go build -tags sqlite_foreign_keys,sqlite_json -o "$home/influxd" github.com/influxdata/influxdb/v2/cmd/influxd
) >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    die "it could not be built; the log is $log; try again with: make influxdb"
}
echo "$version" >"$stamp"
say "built: $home/influxd"
