#!/usr/bin/env bash
# Builds one image for one platform, with its SBOM and its provenance:
#   scripts/release/build_image.sh model-server|api-gateway linux/amd64|linux/arm64 OUT [REPOSITORY]
# With REPOSITORY, such as ghcr.io/you/ocr-service, pushes it there by its digest, without a tag. Without, writes it to
# OUT as an OCI archive. OUT/SERVICE-ARCHITECTURE.digest has the digest. Needs a builder that can make attestations:
#   docker buildx create --use
#
#   BASE_IMAGE    default: python:3.11-slim with the digest that the registry has for it now
#   APT_MIRROR, PIP_INDEX_URL    as in docs/images.md
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() { printf '%s\n' "$*" >&2; exit 1; }

[ $# -ge 3 ] || die "usage: $0 model-server|api-gateway linux/amd64|linux/arm64 OUT [REPOSITORY]"
readonly SERVICE=$1 PLATFORM=$2 OUT=$3 REPOSITORY=${4:-}
case $SERVICE in
    model-server) dockerfile=Dockerfile.model ;;
    api-gateway) dockerfile=Dockerfile.gateway ;;
    *) die "no image is called $SERVICE" ;;
esac
case $PLATFORM in
    linux/amd64 | linux/arm64) architecture=${PLATFORM#linux/} ;;
    *) die "images are built for linux/amd64 and linux/arm64, not for $PLATFORM" ;;
esac
version=$(python3 -m scripts.release.version --check)
base=${BASE_IMAGE:-$(scripts/release/base_image.sh)}
digest=''
[[ $base != *@* ]] || digest=${base#*@}
mkdir -p "$OUT"

if [ -n "$REPOSITORY" ]; then
    output=type=image,name=$REPOSITORY/$SERVICE,push-by-digest=true,name-canonical=true,push=true
else
    output=type=oci,dest=$OUT/$SERVICE-$architecture.tar
fi
arguments=(--build-arg "BASE_IMAGE=$base" --build-arg "BASE_DIGEST=$digest" --build-arg "VERSION=$version"
    --build-arg "REVISION=$(git rev-parse HEAD)" --build-arg "SOURCE=${SOURCE:-}")
for name in APT_MIRROR PIP_INDEX_URL; do
    [ -z "${!name:-}" ] || arguments+=(--build-arg "$name=${!name}")
done
docker buildx build --platform "$PLATFORM" --file "$dockerfile" --provenance=mode=max --sbom=true \
    --output "$output" --metadata-file "$OUT/metadata.json" "${arguments[@]}" .
python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["containerimage.digest"])' "$OUT/metadata.json" \
    >"$OUT/$SERVICE-$architecture.digest"
rm "$OUT/metadata.json"
printf '%s for %s: %s, from %s\n' "$SERVICE" "$PLATFORM" "$(cat "$OUT/$SERVICE-$architecture.digest")" "$base"
