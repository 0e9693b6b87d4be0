#!/usr/bin/env bash
# Signs what a release has published, without a key: cosign has the workflow's identity certified, and the signature is
# in a public log. Also attaches each image's list of packages, signed:
#   scripts/release/sign.sh OUT REPOSITORY
# OUT has the digests, and NAME.cdx.json as `make sbom` writes it.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: $0 OUT REPOSITORY" >&2; exit 1; }
readonly OUT=$1 REPOSITORY=$2

for name in model-server api-gateway; do
    image=$REPOSITORY/$name@$(cat "$OUT/$name.digest")
    # The index, and each platform's image, its SBOM and its provenance in it.
    cosign sign --yes --recursive "$image"
    cosign attest --yes --type cyclonedx --predicate "$OUT/$name.cdx.json" "$image"
    cosign sign --yes "$REPOSITORY/charts/$name@$(cat "$OUT/chart-$name.digest")"
done
