#!/bin/sh
# Builds eKuiper (Go) into .tools/peers/ for `scenewatch bench peers`: tools/peers/go.mod pins the version.
# Needs Go; a few minutes, once. Nothing else of the project needs it.
set -eu
cd "$(dirname "$0")/.."
out="$PWD/.tools/peers"
source_dir="$PWD/tools/peers"
command -v go >/dev/null 2>&1 || {
    echo "ekuiper: Go is not here; install it (apt-get install golang), then try again" >&2
    exit 1
}
if [ -x "$out/bin/kuiperd" ] && [ "$out/bin/kuiperd" -nt "$source_dir/go.mod" ]; then exit 0; fi
echo "ekuiper: building it once, a few minutes"
mkdir -p "$out/bin"
cd "$source_dir"
CGO_ENABLED=0 go build -tags core -o "$out/bin/kuiperd" github.com/lf-edge/ekuiper/v2/cmd/kuiperd
rm -rf "$out/etc"
cp -r "$(go list -m -f '{{.Dir}}' github.com/lf-edge/ekuiper/v2)/etc" "$out/etc"
chmod -R u+w "$out/etc"
echo "ekuiper: $out/bin/kuiperd"
