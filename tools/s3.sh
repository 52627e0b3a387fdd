#!/bin/sh
# Builds an S3 server, versitygw (Go), into .tools/s3/versitygw; instant when it is there already. Tests of evidence start it on loopback.
# Needs Go 1.24 or newer and the network; takes minutes, once.
set -eu
cd "$(dirname "$0")/.."
version=1.8.0
home=$PWD/.tools/s3
stamp=$home/stamp
[ -x "$home/versitygw" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ] && exit 0
PATH="$PATH:/usr/local/go/bin"
export PATH
command -v go >/dev/null 2>&1 || {
    echo "s3: Go is not here: install Go 1.24 or newer, then try again: make s3" >&2
    exit 1
}
mkdir -p "$home"
echo "s3: building versitygw $version, some minutes, once; the log is $home/build.log"
GOBIN="$home" go install "github.com/versity/versitygw/cmd/versitygw@v$version" >"$home/build.log" 2>&1 || {
    tail -n 3 "$home/build.log" >&2
    echo "s3: it could not be built; is there a network? Try again with: make s3" >&2
    exit 1
}
echo "$version" >"$stamp"
echo "s3: $home/versitygw"
