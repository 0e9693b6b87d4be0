#!/usr/bin/env bash
# Starts a model server and a gateway as they run in a cluster, and has them read a picture:
#   scripts/release/try_images.sh MODEL_SERVER API_GATEWAY [PLATFORM]
# Fails if the answer is not the picture's text. Leaves no container.
#
#   SECONDS_TO_START    default 60; an emulated processor needs more
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -ge 2 ] || { echo "usage: $0 MODEL_SERVER API_GATEWAY [PLATFORM]" >&2; exit 1; }
readonly MODEL=$1 GATEWAY=$2 RUN=ocr-try-$$ TEXT="HELLO 2026"
platform=()
[ -z "${3:-}" ] || platform=(--platform "$3")

cleanup() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ]; then
        docker logs --tail 20 "$RUN-model" >&2 || true
        docker logs --tail 20 "$RUN-gateway" >&2 || true
    fi
    docker rm --force --volumes "$RUN-model" "$RUN-gateway" >/dev/null 2>&1 || true
    docker network rm "$RUN" >/dev/null 2>&1 || true
    exit "$status"
}
trap cleanup EXIT

start() { # start NAME ALIAS ARGUMENT... IMAGE; without a shell, as at run time none is needed
    local name=$1 alias=$2
    shift 2
    docker run --detach --name "$RUN-$name" --network "$RUN" --network-alias "$alias" "${platform[@]}" --read-only \
        --tmpfs /tmp:size=16m,mode=1777 --cap-drop ALL --security-opt no-new-privileges \
        --volume /dev/null:/bin/sh:ro --volume /dev/null:/bin/bash:ro "$@" >/dev/null
}

docker network create "$RUN" >/dev/null
start model model-server --memory 1280m --env MODEL_SERVER_WORKERS=1 --env MODEL_SERVER_REQUEST_TIMEOUT_SECONDS=120 \
    --env MODEL_SERVER_SHUTDOWN_GRACE_SECONDS=125 "$MODEL"
start gateway api-gateway --memory 512m --env API_GATEWAY_MODEL_SERVER_URL=http://model-server:8080 \
    --env API_GATEWAY_REQUEST_TIMEOUT_SECONDS=120 --env API_GATEWAY_SHUTDOWN_GRACE_SECONDS=125 \
    --publish 127.0.0.1::8001 "$GATEWAY"
address=http://$(docker port "$RUN-gateway" 8001/tcp | head -n 1)

until curl --silent --fail --max-time 5 --output /dev/null "$address/health/ready"; do
    for name in model gateway; do
        [ "$(docker inspect --format '{{.State.Running}}' "$RUN-$name")" = true ] || { echo "$name ended" >&2; exit 1; }
    done
    [ $SECONDS -lt "${SECONDS_TO_START:-60}" ] || { echo "not ready after $SECONDS s" >&2; exit 1; }
    sleep 0.5
done
for engine in tesseract neural; do
    answer=$(curl --silent --show-error --fail --max-time 120 --form image_file=@tests/images/hello.png \
        "$address/gateway/ocr?format=text&engine=$engine")
    [ "$(tr -d '\n' <<<"$answer")" = "$TEXT" ] || { echo "engine=$engine read: $answer" >&2; exit 1; }
done
architecture=$(docker exec "$RUN-model" python -c 'import os; print(os.uname().machine)')
echo "on $architecture, ready and $TEXT read by both engines, after $SECONDS s"
