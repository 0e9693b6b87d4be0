#!/usr/bin/env bash
# Verifies a release: that its images and charts were signed by the release workflow of their repository, for the tag of
# this version, and that the images carry their lists of packages. Needs cosign 3.
#   scripts/release/verify.sh REPOSITORY VERSION          e.g. ghcr.io/you/ocr-service 1.2.3
#
#   SOURCE    where the workflow ran; default: https://github.com/ and REPOSITORY without its registry
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: $0 REPOSITORY VERSION" >&2; exit 1; }
readonly REPOSITORY=$1 VERSION=$2
readonly SOURCE=${SOURCE:-https://github.com/${REPOSITORY#*/}}
# In a pattern, because GitHub keeps the capital letters of a name, and a registry has none.
identity=$SOURCE/.github/workflows/release.yml@refs/tags/v$VERSION
readonly SIGNER=(--certificate-identity-regexp "(?i)^${identity//./\\.}\$"
    --certificate-oidc-issuer https://token.actions.githubusercontent.com)

for name in model-server api-gateway; do
    for artefact in "$REPOSITORY/$name" "$REPOSITORY/charts/$name"; do
        cosign verify "${SIGNER[@]}" "$artefact:$VERSION" >/dev/null
        printf 'verified: %s:%s\n' "$artefact" "$VERSION"
    done
    cosign verify-attestation --type cyclonedx "${SIGNER[@]}" "$REPOSITORY/$name:$VERSION" >/dev/null
    printf 'verified: the list of packages of %s\n' "$name"
done
