#!/usr/bin/env bash
# Joins the images of both platforms under one tag, the version:
#   scripts/release/join_platforms.sh model-server|api-gateway OUT REPOSITORY
# Reads the digests that build_image.sh left in OUT, and writes that of the whole to OUT/SERVICE.digest. Each image
# keeps its SBOM and its provenance.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -eq 3 ] || { echo "usage: $0 model-server|api-gateway OUT REPOSITORY" >&2; exit 1; }
readonly SERVICE=$1 OUT=$2 IMAGE=$3/$1
version=$(python3 -m scripts.release.version --check)
images=()
for architecture in amd64 arm64; do
    images+=("$IMAGE@$(cat "$OUT/$SERVICE-$architecture.digest")")
done
docker buildx imagetools create --tag "$IMAGE:$version" "${images[@]}"
# Fails if a platform is missing in what the registry now has.
joined=$(scripts/release/base_image.sh "$IMAGE:$version")
printf '%s\n' "${joined#*@}" >"$OUT/$SERVICE.digest"
printf '%s:%s is %s\n' "$IMAGE" "$version" "${joined#*@}"
