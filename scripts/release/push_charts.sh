#!/usr/bin/env bash
# Pushes the charts that package_charts.sh left in OUT: scripts/release/push_charts.sh OUT REPOSITORY
# They go to REPOSITORY/charts, beside the images of the same names. OUT/chart-NAME.digest has each digest.
# A registry on this machine (127.0.0.1:PORT/…) is spoken to without TLS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -eq 2 ] || { echo "usage: $0 OUT REPOSITORY" >&2; exit 1; }
readonly OUT=$1 REPOSITORY=$2
version=$(python3 -m scripts.release.version --check)
insecure=()
[[ $REPOSITORY != 127.0.0.1:* ]] || insecure=(--plain-http)

for name in model-server api-gateway; do
    said=$(helm push "$OUT/$name-$version.tgz" "oci://$REPOSITORY/charts" "${insecure[@]}" 2>&1) || { echo "$said" >&2; exit 1; }
    echo "$said"
    digest=$(sed -n 's/^Digest: \(sha256:[0-9a-f]\{64\}\)$/\1/p' <<<"$said")
    [ -n "$digest" ] || { echo "helm push did not say the chart's digest" >&2; exit 1; }
    echo "$digest" >"$OUT/chart-$name.digest"
done
