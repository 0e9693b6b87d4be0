#!/usr/bin/env bash
# Installs the programs that some tests need and that are not on PATH, by the Go command, which checks their hashes:
#   scripts/test_programs.sh DIR          then add DIR to PATH
# Without them `make test` says which tests it skipped; in CI these tests fail.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 1; }
mkdir -p "$1"
DIR=$(cd "$1" && pwd)
readonly DIR
export CGO_ENABLED=0 PATH=$DIR:$PATH

is_there() {
    local folder
    case $1 in
        # Both versions of Helm: the charts are rendered by each. `helm3/helm` is looked for in the folders of PATH.
        helm) [[ $(helm version --short 2>/dev/null) == v4.* ]] ;;
        */*) while read -rd : folder; do [ ! -x "$folder/$1" ] || return 0; done <<<"$PATH:" && return 1 ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# Jaeger's own go.mod has replacements, with which `go install` refuses it: it is built as a dependency of an empty
# module. That takes minutes, so the program stays in the user's cache: 52 MB.
install_jaeger() {
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/ocr-service/jaeger-$1 module
    if [ ! -x "$cache/jaeger" ]; then
        command -v go >/dev/null || { echo 'jaeger is missing, and so is go (https://go.dev), which builds it' >&2; exit 1; }
        echo "building jaeger $1"
        module=$(mktemp -d)
        mkdir -p "$cache"
        (
            cd "$module"
            go mod init jaeger
            go get "github.com/jaegertracing/jaeger/cmd/all-in-one@$1"
            go build -trimpath -ldflags '-s -w' -o "$cache/jaeger.new" github.com/jaegertracing/jaeger/cmd/all-in-one
        ) 2>"$module.log" || { cat "$module.log" >&2; exit 1; }
        mv "$cache/jaeger.new" "$cache/jaeger"
        rm -rf "$module" "$module.log"
    fi
    mkdir -p "$DIR"
    ln -sf "$cache/jaeger" "$DIR/jaeger"
}

is_there jaeger || install_jaeger v1.76.0

while read -r name package; do
    ! is_there "$name" || continue
    command -v go >/dev/null || { echo "$name is missing, and so is go (https://go.dev), which installs it" >&2; exit 1; }
    echo "installing $package"
    mkdir -p "$(dirname "$DIR/$name")"
    GOBIN=$(dirname "$DIR/$name") go install -trimpath -ldflags '-s -w' "$package" </dev/null
done <<'PROGRAMS'
actionlint github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
helm helm.sh/helm/v4/cmd/helm@v4.2.4
helm3/helm helm.sh/helm/v3/cmd/helm@v3.21.4
kube-score github.com/zegl/kube-score/cmd/kube-score@v1.20.0
kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
promtool github.com/prometheus/prometheus/cmd/promtool@v0.316.0
PROGRAMS
