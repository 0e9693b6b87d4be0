#!/usr/bin/env bash
# Packages both charts into OUT/NAME-VERSION.tgz:
#   scripts/release/package_charts.sh OUT [REPOSITORY MODEL_SERVER_DIGEST API_GATEWAY_DIGEST]
# With REPOSITORY, such as ghcr.io/you/ocr-service, and the digests of the images there, the charts' values name exactly
# these images. Without, the charts are those of the source, for images that are loaded by hand.
#
#   SOURCE    the repository's web address; by it, a registry knows where a chart comes from
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() { printf '%s\n' "$*" >&2; exit 1; }

case $# in 1 | 4) ;; *) die "usage: $0 OUT [REPOSITORY MODEL_SERVER_DIGEST API_GATEWAY_DIGEST]" ;; esac
readonly OUT=$1 REPOSITORY=${2:-}
declare -A digest=([model-server]=${3:-} [api-gateway]=${4:-})
version=$(python3 -m scripts.release.version --check)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$OUT"

# replace FILE LINE NEW: replaces the one line of the file that is LINE.
replace() {
    [ "$(grep -cxF -- "$2" "$1")" = 1 ] || die "$1 must have the line \"$2\" once"
    awk -v old="$2" -v new="$3" '$0 == old { $0 = new } { print }' "$1" >"$scratch/replaced"
    mv "$scratch/replaced" "$1"
}

for name in model-server api-gateway; do
    cp -R "charts/$name" "$scratch/$name"
    if [ -n "$REPOSITORY" ]; then
        [[ ${digest[$name]} =~ ^sha256:[0-9a-f]{64}$ ]] || die "the digest of $name is \"${digest[$name]}\""
        replace "$scratch/$name/values.yaml" "  repository: $name" "  repository: $REPOSITORY/$name"
        replace "$scratch/$name/values.yaml" '  digest: ""' "  digest: \"${digest[$name]}\""
    fi
    if [ -n "${SOURCE:-}" ]; then
        printf 'home: %s\nsources: [%s]\n' "$SOURCE" "$SOURCE" >>"$scratch/$name/Chart.yaml"
    fi
    helm package "$scratch/$name" --version "$version" --app-version "$version" --destination "$OUT"
done
