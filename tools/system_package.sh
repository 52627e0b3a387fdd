#!/bin/sh
# Installs a package of the system where that may be done without asking: sh tools/system_package.sh WHO PACKAGE
# The network has SCENEWATCH_PATIENCE seconds, 240 by default; what is installed then is on this machine already, so that nothing is left half done.
# One line and 1 where it cannot be had.
set -eu
who=$1
package=$2
cd "$(dirname "$0")/.."
log=.tools/system_package.log
say() {
    echo "$who: $*" >&2
    exit 1
}
[ "${SCENEWATCH_SYSTEM_PACKAGES:-yes}" != no ] || say "it is not here, and SCENEWATCH_SYSTEM_PACKAGES=no"
command -v apt-get >/dev/null 2>&1 || say "there is no apt-get here; install it by your system's means"
if [ "$(id -u)" = 0 ]; then
    root=env
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n env"
else
    say "only root may install it: apt-get install -y --no-install-recommends $package"
fi
mkdir -p .tools
echo "$who: out of the system's packages, once"
apt() { $root DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1; }
patience="timeout -k 10 ${SCENEWATCH_PATIENCE:-240}"
apt $patience apt-get update -qq || say "the list of packages cannot be had; is there a network? The log is $log"
apt $patience apt-get install -y --no-install-recommends --download-only "$package" || say "$package cannot be had; the log is $log"
apt apt-get install -y --no-install-recommends --no-download "$package" || say "$package cannot be installed; the log is $log"
