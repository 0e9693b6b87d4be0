#!/usr/bin/env bash
# Makes the release at GitHub, with its notes, both charts and both lists of packages; a second run replaces them:
#   scripts/release/github_release.sh OUT REPOSITORY SOURCE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -eq 3 ] || { echo "usage: $0 OUT REPOSITORY SOURCE" >&2; exit 1; }
readonly OUT=$1 REPOSITORY=$2 SOURCE=$3
version=$(python3 -m scripts.release.version --check)
artefacts=()
for name in model-server api-gateway; do
    artefacts+=("$REPOSITORY/$name:$version@$(cat "$OUT/$name.digest")")
    artefacts+=("oci://$REPOSITORY/charts/$name:$version@$(cat "$OUT/chart-$name.digest")")
done
python3 -m scripts.release.notes "$version" --source "$SOURCE" "${artefacts[@]}" >"$OUT/notes.md"
files=("$OUT"/*-"$version".tgz "$OUT"/*.cdx.json "$OUT"/audit.md)

if gh release view "v$version" >/dev/null 2>&1; then
    gh release edit "v$version" --notes-file "$OUT/notes.md"
    gh release upload "v$version" --clobber "${files[@]}"
else
    gh release create "v$version" --verify-tag --title "v$version" --notes-file "$OUT/notes.md" "${files[@]}"
fi
