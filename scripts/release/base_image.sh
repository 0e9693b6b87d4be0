#!/usr/bin/env bash
# Prints the base image with the digest that the registry has for it now; fails if a platform is missing:
#   scripts/release/base_image.sh [python:3.11-slim]
set -euo pipefail
readonly REFERENCE=${1:-python:3.11-slim}

docker buildx imagetools inspect --format '{{json .Manifest}}' "$REFERENCE" | python3 -c '
import json, sys
name = sys.argv[1].partition("@")[0]
index = json.load(sys.stdin)
found = {"{os}/{architecture}".format(**entry["platform"]) for entry in index.get("manifests", []) if entry.get("platform")}
missing = {"linux/amd64", "linux/arm64"} - found
if missing:
    sys.exit("{} is not there for {}".format(name, ", ".join(sorted(missing))))
print("{}@{}".format(name, index["digest"]))
' "$REFERENCE"
