#!/usr/bin/env bash
# Builds both images, tags them model-server and api-gateway, runs them together and tests them from outside.
# Needs bash, curl and docker with a running engine. Exits with 0 if all checks pass, and with 1 at the first failure.
#
#   bash docker_build_test.sh
#
#   DOCKER_BUILD_ARGS   more arguments for `docker build`, e.g. --network=host
#   BASE_IMAGE          default python:3.11-slim; may have a digest or a mirror's name
#   LANGUAGES           languages of the model server's image, default "eng"
#   TEST_LANGUAGES      languages of one more build, which is only inspected, default "eng deu fra"; empty: no build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly BASE_IMAGE=${BASE_IMAGE:-python:3.11-slim} LANGUAGES=${LANGUAGES:-eng}
readonly TEST_LANGUAGES=${TEST_LANGUAGES-eng deu fra}
readonly MAX_CONTEXT_BYTES=2250000 MAX_GATEWAY_BYTES=110000000
readonly MAX_MODEL_BYTES=420000000 MAX_LEAN_BYTES=280000000 # with the neural engine, and without
readonly MAX_START_MS=${MAX_START_MS:-20000} # usually 4 to 6 s; a busy machine takes longer
readonly STOP_SECONDS=130 # more than the grace period for documents
readonly LOAD_SECONDS=7
readonly CODE_LAYERS=3 # the last layers of each Dockerfile: two copies of code, and its compilation
readonly SERVICES=(model-server api-gateway)
readonly RUN=ocr-image-test-$$ # names the containers, network, volume and tags of this run
readonly LEAN=lean # the model server built with NEURAL=false, which is tested and removed
readonly TEXT="HELLO 2026" PICTURE=tests/images/hello.png PHOTO=tests/images/hello.heic
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
readonly VERSION

declare -A dockerfile=([model-server]=Dockerfile.model [api-gateway]=Dockerfile.gateway)
declare -A module=([model-server]=model_server [api-gateway]=api_gateway)
declare -A port=([model-server]=8080 [api-gateway]=8001)
declare -A readiness=([model-server]=/v1/models/ocr-model [api-gateway]=/health/ready)
for container in "$LEAN" compiled; do # more model servers
    port[$container]=${port[model-server]}
    readiness[$container]=${readiness[model-server]}
done
declare -A url size over_base build_ms rebuild_ms ready_ms stop_ms load
buildkit=0 other_platform=''
scratch=$(mktemp -d)
began=$SECONDS

# --- Output -------------------------------------------------------------------

step() { printf '\n== %s\n' "$*"; }
good() { printf '   ok  %s\n' "$*"; }
die() {
    printf '\nFAILED: %s\n' "$*" >&2
    exit 1
}

now_ms() {
    local now=${EPOCHREALTIME:-$(date +%s).000000} # only bash 5 has EPOCHREALTIME
    now=${now/[.,]/}
    echo "${now%???}"
}
seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }
megabytes() { printf '%d.%d MB' $(($1 / 1000000)) $(($1 % 1000000 / 100000)); }

cleanup() {
    local status=$? names service
    trap - EXIT INT TERM
    set +e
    if [ "$status" -eq 1 ]; then
        for service in "${SERVICES[@]}"; do
            docker inspect "$RUN-$service" >/dev/null 2>&1 || continue
            docker logs --tail 8 "$RUN-$service" 2>&1 | sed "s/^/$service: /" >&2
        done
    fi
    mapfile -t names < <(docker ps --all --quiet --filter "name=$RUN" 2>/dev/null)
    [ ${#names[@]} -eq 0 ] || docker rm --force --volumes "${names[@]}" >/dev/null 2>&1
    docker volume rm "$RUN" >/dev/null 2>&1
    docker network rm "$RUN" >/dev/null 2>&1
    mapfile -t names < <(docker images --filter "reference=*:$RUN" --format '{{.Repository}}:{{.Tag}}' 2>/dev/null)
    [ ${#names[@]} -eq 0 ] || docker rmi "${names[@]}" >/dev/null 2>&1
    rm -rf "$scratch"
    exit "$status"
}

# --- Building -----------------------------------------------------------------

check_tools() {
    [ "${BASH_VERSINFO[0]}" -ge 4 ] || die "bash 4 or newer is required; this is $BASH_VERSION"
    local tool
    for tool in docker curl; do
        command -v "$tool" >/dev/null || die "$tool is missing: install it, or add it to PATH"
    done
    docker version --format '{{.Server.Version}}' >"$scratch/engine" 2>&1 ||
        die "no Docker engine answers: $(tail -n 1 "$scratch/engine")"
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 || docker pull --quiet "$BASE_IMAGE" ||
        die "the base image $BASE_IMAGE is not here and can't be pulled; set BASE_IMAGE to another"
    good "Docker engine $(cat "$scratch/engine"), base $BASE_IMAGE"
}

# Builds an image of the context alone: shows its size, and whether BuildKit is available.
check_context() {
    local bytes image=$RUN-context:$RUN
    printf 'FROM scratch\nCOPY . /\n' >"$scratch/Dockerfile"
    for buildkit in 1 0; do
        if DOCKER_BUILDKIT=$buildkit docker build --quiet --tag "$image" --file "$scratch/Dockerfile" . \
            >"$scratch/log" 2>&1; then
            bytes=$(bytes_of "$image")
            [ "$bytes" -lt $MAX_CONTEXT_BYTES ] || die "the build context has $bytes bytes: see .dockerignore"
            good "context $bytes bytes; builder: $([ $buildkit = 1 ] && echo BuildKit || echo without BuildKit)"
            return
        fi
    done
    die "docker build does not work: $(tail -n 3 "$scratch/log")"
}

# build IMAGE:TAG SERVICE CONTEXT [ARGUMENT...]
build() {
    local image=$1 service=$2 context=$3 extra cached='' cache=/var/cache/pip
    shift 3
    read -ra extra <<<"${DOCKER_BUILD_ARGS:-}"
    # With BuildKit, pip caches its downloads between builds; the Dockerfiles do not require BuildKit.
    [ $buildkit = 0 ] || cached="s|^RUN pip install|RUN --mount=type=cache,target=$cache pip install --cache-dir=$cache|"
    sed "$cached" "${dockerfile[$service]}" >"$scratch/Dockerfile"
    DOCKER_BUILDKIT=$buildkit docker build "${extra[@]}" --tag "$image" --file "$scratch/Dockerfile" \
        --build-arg "BASE_IMAGE=$BASE_IMAGE" --build-arg "BASE_DIGEST=$(base_digest)" \
        --build-arg "VERSION=$VERSION" --build-arg "REVISION=$(revision)" \
        --build-arg "SOURCE=$(source_address)" "$@" "$context" >"$scratch/log" 2>&1 || {
        tail -n 40 "$scratch/log" >&2
        die "$service did not build"
    }
}

# Of the base's platform-independent index; an image that came from no registry has none.
base_digest() {
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$BASE_IMAGE" | sed -n 's/.*@//p;q'
}
revision() { git describe --always --dirty 2>/dev/null || echo unknown; }
source_address() { git remote get-url origin 2>/dev/null | sed -E 's#^(https?://)[^/@]*@#\1#' || true; }
bytes_of() { docker history --human=false --format '{{.Size}}' "$1" | awk '{ sum += $1 } END { print sum + 0 }'; }
layers_of() { docker image inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" | sed '/^$/d'; }

build_service() {
    local service=$1 began_ms base arguments=()
    [ "$service" != model-server ] || arguments=(--build-arg "LANGUAGES=$LANGUAGES")
    began_ms=$(now_ms)
    build "$service:latest" "$service" . "${arguments[@]}"
    docker tag "$service:latest" "$service:$VERSION"
    build_ms[$service]=$(($(now_ms) - began_ms))
    base=$(bytes_of "$BASE_IMAGE")
    size[$service]=$(bytes_of "$service:latest")
    over_base[$service]=$((size[$service] - base))
    good "$service: $(megabytes "${size[$service]}"), $(megabytes "${over_base[$service]}") over its base," \
        "in $(seconds "${build_ms[$service]}")"
}

# Without the neural engine.
build_lean() {
    local began_ms
    began_ms=$(now_ms)
    build "$LEAN:$RUN" model-server . --build-arg "LANGUAGES=$LANGUAGES" --build-arg NEURAL=false
    size[$LEAN]=$(bytes_of "$LEAN:$RUN")
    over_base[$LEAN]=$((size[$LEAN] - $(bytes_of "$BASE_IMAGE")))
    good "model-server with NEURAL=false: $(megabytes "${size[$LEAN]}")," \
        "$(megabytes "${over_base[$LEAN]}") over its base, in $(seconds $(($(now_ms) - began_ms)))"
}

check_size() {
    [ "${over_base[$1]}" -le "$2" ] || die "$1 is $(megabytes "${over_base[$1]}") over its base; at most $(megabytes "$2")"
}

# A code change must create new layers for the code only, not for installed packages.
check_rebuild() {
    local service=$1 began_ms new context=$scratch/changed arguments=()
    [ "$service" != model-server ] || arguments=(--build-arg "LANGUAGES=$LANGUAGES")
    rm -rf "$context"
    mkdir "$context"
    cp -R .dockerignore pyproject.toml poetry.lock locks models.txt service_kit api_gateway model_server "$context"
    echo "# changed by $RUN" >>"$context/service_kit/__init__.py"
    began_ms=$(now_ms)
    build "$service:$RUN" "$service" "$context" "${arguments[@]}"
    rebuild_ms[$service]=$(($(now_ms) - began_ms))
    layers_of "$service:latest" >"$scratch/before"
    layers_of "$service:$RUN" >"$scratch/after"
    new=$(awk 'NR == FNR { old[$1]; next } !($1 in old) { new++ } END { print new + 0 }' "$scratch/before" "$scratch/after")
    [ "$new" -gt 0 ] || die "$service: the changed code is not in the image"
    [ "$new" -le $CODE_LAYERS ] || die "$service: a code change created $new new layers; the code has $CODE_LAYERS"
    docker rmi "$service:$RUN" >/dev/null
    good "$service: a code change installs nothing: $new of $(wc -l <"$scratch/after") layers are new," \
        "in $(seconds "${rebuild_ms[$service]}")"
}

check_languages() {
    local began_ms found language
    began_ms=$(now_ms)
    build "model-server:$RUN" model-server . --build-arg "LANGUAGES=$TEST_LANGUAGES"
    found=$(docker run --rm --network none --name "$RUN-languages" --entrypoint python "model-server:$RUN" -c \
        'import os, sys; print(*sorted(os.listdir(sys.prefix + "/share/tessdata")))')
    for language in $TEST_LANGUAGES osd; do
        [[ " $found " == *" $language.traineddata "* ]] || die "LANGUAGES=\"$TEST_LANGUAGES\" gave only: $found"
    done
    docker rmi "model-server:$RUN" >/dev/null
    good "LANGUAGES=\"$TEST_LANGUAGES\" in $(seconds $(($(now_ms) - began_ms)))"
}

# --- Running ------------------------------------------------------------------

# run NAME [ARGUMENT...]: starts a container with the recommended restrictions, and without a shell.
run() {
    local name=$1
    shift
    docker run --detach --name "$RUN-$name" --network "$RUN" --read-only --tmpfs /tmp:size=16m,mode=1777 \
        --cap-drop ALL --security-opt no-new-privileges --pids-limit 128 \
        --volume /dev/null:/bin/sh:ro --volume /dev/null:/bin/bash:ro "$@" >/dev/null
}

start() {
    local service=$1 began_ms
    began_ms=$(now_ms)
    shift
    run "$service" --network-alias "$service" --publish "127.0.0.1::${port[$service]}" "$@" "$service:latest"
    find_url "$service"
    wait_ready "$service"
    ready_ms[$service]=$(($(now_ms) - began_ms))
    [ "${ready_ms[$service]}" -le "$MAX_START_MS" ] ||
        die "$service took $(seconds "${ready_ms[$service]}") to get ready; at most $(seconds "$MAX_START_MS")"
    good "$service is ready after $(seconds "${ready_ms[$service]}")"
}

find_url() {
    local found
    found=$(docker port "$RUN-$1" "${port[$1]}/tcp")
    found=${found%%$'\n'*}
    url[$1]=http://127.0.0.1:${found##*:}
}

wait_ready() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if curl --silent --fail --max-time 5 --output /dev/null "${url[$1]}${readiness[$1]}"; then
            return
        fi
        [ "$(docker inspect --format '{{.State.Running}}' "$RUN-$1")" = true ] || die "$1 ended while it started"
        sleep 0.1
    done
    die "$1 is not ready after a minute"
}

wait_healthy() {
    local tries status=
    for ((tries = 0; tries < 150; tries++)); do
        status=$(docker inspect --format '{{.State.Health.Status}}' "$RUN-$1")
        [ "$status" != healthy ] || return 0
        sleep 0.2
    done
    die "$1: the health check says $status: $(docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$RUN-$1")"
}

# --- Tests from outside -------------------------------------------------------

# ask FILE PATH: uploads the file, writes the body to $scratch/body, prints "STATUS CONTENT-TYPE".
ask() {
    curl --silent --show-error --max-time 30 --output "$scratch/body" --write-out '%{http_code} %{content_type}' \
        --form "image_file=@$1" "${url[api-gateway]}$2" || die "curl got no answer from the gateway"
}

# metric SERVICE NAME: the sum over all labels, as an integer; fails if there is no such series.
metric() {
    curl --silent --fail --max-time 10 "${url[$1]}/metrics" |
        awk -v name="$2" '$1 == name || index($1, name "{") == 1 { sum += $NF; found = 1 }
                          END { if (!found) exit 1; printf "%d\n", sum }' || die "$1/metrics has no series $2"
}

readonly MOVING=(
    "model-server kserve_inference_request_count" "model-server kserve_inference_request_duration_seconds_count"
    "model-server ocr_requests_total" "model-server ocr_images_total" "model-server ocr_words_total"
    "model-server ocr_recognition_seconds_count" "api-gateway gateway_requests_total"
    "api-gateway gateway_request_duration_seconds_count" "api-gateway gateway_upstream_seconds_count"
    "api-gateway gateway_received_bytes_total"
)

check_answers() {
    local pair before=() at=0 answer errors after layer
    for pair in "${MOVING[@]}"; do before+=("$(metric "${pair% *}" "${pair#* }")"); done
    errors=$(metric model-server kserve_inference_request_error_count)

    answer=$(ask $PICTURE "/gateway/ocr?format=text")
    [ "$answer $(tr -d '\n' <"$scratch/body")" = "200 text/plain; charset=utf-8 $TEXT" ] ||
        die "the picture's text is $TEXT; the answer was $answer $(cat "$scratch/body")"
    good "the picture is read: $TEXT"
    answer=$(ask $PICTURE "/gateway/ocr?psm=1")
    [[ "$answer" == "200 application/json" && $(<"$scratch/body") == *'"confidence"'* ]] ||
        die "psm=1 gave $answer $(cat "$scratch/body")"
    good "the picture is read with psm=1, which needs osd.traineddata"

    answer=$(ask $PHOTO "/gateway/ocr?format=pdf")
    [ "$answer" = "200 application/pdf" ] || die "a HEIC photograph as a PDF: $answer $(cat "$scratch/body")"
    mv "$scratch/body" "$scratch/searchable.pdf"
    for layer in auto ignore; do
        answer=$(ask "$scratch/searchable.pdf" "/gateway/ocr?format=text&text_layer=$layer")
        [ "$answer $(tr -d '\n\f' <"$scratch/body")" = "200 text/plain; charset=utf-8 $TEXT" ] ||
            die "the PDF's text with text_layer=$layer: $answer $(cat "$scratch/body")"
    done
    good "a HEIC photograph becomes a searchable PDF; its text layer and its page also contain $TEXT"

    answer=$(ask pyproject.toml /gateway/ocr)
    [[ "$answer" == "415 application/problem+json"* && $(<"$scratch/body") == *'"code":"not_an_image"'* ]] ||
        die "a file that is no picture gave $answer $(cat "$scratch/body")"
    good "a file that is no picture gets 415 not_an_image"

    for pair in "${MOVING[@]}"; do
        after=$(metric "${pair% *}" "${pair#* }")
        [ "$after" -gt "${before[at]}" ] || die "${pair% *}: ${pair#* } stayed at $after"
        at=$((at + 1))
    done
    [ "$(metric model-server kserve_inference_request_error_count)" -eq $((errors + 1)) ] ||
        die "kserve_inference_request_error_count did not count the bad upload"
    good "$((at + 1)) series exist and increased"
}

# predict NAME ENGINE: has a model server read the picture, writes the body to $scratch/body, prints the status.
predict() {
    printf '{"instances": [{"image": {"b64": "%s"}, "parameters": {"engine": "%s"}}]}' \
        "$(base64 <$PICTURE | tr -d '\n')" "$2" >"$scratch/call"
    curl --silent --show-error --max-time 30 --output "$scratch/body" --write-out '%{http_code}' \
        --header 'Content-Type: application/json' --data-binary "@$scratch/call" \
        "${url[$1]}/v1/models/ocr-model:predict" || die "curl got no answer from $1"
}

check_engines() {
    local engine status
    for engine in auto tesseract neural; do
        status=$(predict model-server "$engine")
        [[ "$status" == 200 && $(<"$scratch/body") == *"\"text\":\"$TEXT"*"\"engine\":{\"name\":\"$engine\""* ]] ||
            die "engine=$engine gave $status $(cat "$scratch/body")"
    done
    good "the picture is read with engine=auto, tesseract and neural"
}

# Python may not write to the image at run time. Here it may: it writes what the image lacks.
check_compiled() {
    local name=$RUN-compiled missing
    docker run --detach --name "$name" --network "$RUN" --user 0 --env PYTHONDONTWRITEBYTECODE= \
        --env MODEL_SERVER_WORKERS=1 --publish "127.0.0.1::${port[compiled]}" model-server:latest >/dev/null
    find_url compiled
    wait_ready compiled
    [ "$(predict compiled auto)" = 200 ] || die "the picture gave $(cat "$scratch/body")"
    missing=$(docker diff "$name" | sed -n 's/^A \(.*\.pyc\)$/\1/p')
    docker rm --force "$name" >/dev/null
    [ -z "$missing" ] || die "Dockerfile.model must import what these are compiled from: $missing"
    good "all that the model server imports is compiled in the image"
}

check_lean() {
    local answer status began_ms
    began_ms=$(now_ms)
    run $LEAN --publish "127.0.0.1::${port[$LEAN]}" --memory 1g "$LEAN:$RUN"
    find_url $LEAN
    wait_ready $LEAN
    good "with NEURAL=false, the model server is ready after $(seconds $(($(now_ms) - began_ms)))"
    answer=$(curl --silent --show-error --max-time 10 "${url[$LEAN]}/engine") || die "/engine of $LEAN does not answer"
    [[ "$answer" == *'"neural":null'* ]] || die "with NEURAL=false, /engine says $answer"
    status=$(predict $LEAN auto)
    [[ "$status" == 200 && $(<"$scratch/body") == *"\"text\":\"$TEXT"*'"engine":{"name":"tesseract"'* ]] ||
        die "with NEURAL=false, engine=auto gave $status $(cat "$scratch/body")"
    status=$(predict $LEAN neural)
    [[ "$status" == 400 && $(<"$scratch/body") == *'"code":"engine_unavailable"'* ]] ||
        die "with NEURAL=false, engine=neural gave $status $(cat "$scratch/body")"
    docker rm --force "$RUN-$LEAN" >/dev/null
    docker rmi "$LEAN:$RUN" >/dev/null
    good "it reads the picture with Tesseract, and refuses engine=neural"
}

check_inside() {
    local service=$1 label value
    docker exec --interactive "$RUN-$service" python - "${module[$service]}" <tests/images/inside.py ||
        die "$service: a check inside the container failed, see above"
    # The service's user can't read there.
    docker exec --user 0 "$RUN-$service" python -c \
        'import os, sys; sys.exit(os.path.exists(os.path.expanduser("~root/.cache")))' ||
        die "$service: root's cache was not removed"
    for label in source revision version licenses; do
        value=$(docker inspect --format "{{index .Config.Labels \"org.opencontainers.image.$label\"}}" "$RUN-$service")
        [ "$label" = source ] || [ -n "$value" ] || die "$service has no label for its $label"
    done
    ! docker exec "$RUN-$service" sh -c true >/dev/null 2>&1 || die "$service: there is a shell, so this test shows nothing"
    good "$service: user 10001, no capability, read-only root, no compiler, no pip, no shell needed, labels"
}

# A release tries its images so before they get their tag.
check_as_a_release() {
    local said
    said=$(scripts/release/try_images.sh model-server:latest api-gateway:latest) || die "as a release tries them, the images fail"
    good "$said"
}

# Where the engine emulates the other processor, both images are also built and started for it.
check_other_platform() {
    local here other platforms service
    here=$(docker version --format '{{.Server.Arch}}')
    other=$([ "$here" = amd64 ] && echo arm64 || echo amd64)
    platforms=$(docker buildx inspect --bootstrap 2>/dev/null | sed -n 's/^Platforms: *//p') || true
    if [ $buildkit = 0 ] || [[ ! " $platforms," =~ \ linux/${other}[*]?, ]]; then
        other_platform="linux/$other: SKIPPED, this Docker engine does not emulate it"
        printf '   --  %s\n' "$other_platform"
        return
    fi
    for service in "${SERVICES[@]}"; do
        build "$service-$other:$RUN" "$service" . --platform "linux/$other"
        good "$service: built for linux/$other"
    done
    other_platform="linux/$other: $(SECONDS_TO_START=900 scripts/release/try_images.sh "model-server-$other:$RUN" \
        "api-gateway-$other:$RUN" "linux/$other")" || die "the images for linux/$other do not work"
    good "$other_platform"
}

# Own language data: a mounted folder that the server reads when it starts.
check_mounted_data() {
    local answer tries state folder=(--env MODEL_SERVER_TESSDATA_DIR=/tessdata --env MODEL_SERVER_WORKERS=1)
    docker volume create "$RUN" >/dev/null
    run no-data "${folder[@]}" --volume "$RUN:/tessdata:ro" model-server:latest
    for ((tries = 0; tries < 300; tries++)); do
        state=$(docker inspect --format '{{.State.Running}} {{.State.ExitCode}}' "$RUN-no-data")
        [[ "$state" == true* ]] || break
        sleep 0.1
    done
    [[ "$state" == "false "[1-9]* ]] || die "without language data, the model server's state is $state"
    docker logs "$RUN-no-data" >"$scratch/logs" 2>&1
    grep -qF 'No *.traineddata in /tessdata' "$scratch/logs" || die "its log does not say what is missing: $(cat "$scratch/logs")"
    good "with an empty folder of language data, the model server exits at start and logs the reason"

    docker run --rm --name "$RUN-copy" --user 0 --network none --volume "$RUN:/tessdata" --entrypoint python \
        model-server:latest -c 'import shutil, sys
shutil.copy(sys.prefix + "/share/tessdata/eng.traineddata", "/tessdata/own.traineddata")'
    run own-data "${folder[@]}" --volume "$RUN:/tessdata:ro" model-server:latest
    for ((tries = 0; tries < 300; tries++)); do
        answer=$(docker exec "$RUN-own-data" python -c 'import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8080/engine").read().decode())' 2>&1) && break
        sleep 0.2
    done
    [[ "$answer" == *'"languages":{"own":'* ]] || die "mounted language data is not found: $answer"
    docker rm --force "$RUN-own-data" "$RUN-no-data" >/dev/null
    good "a mounted folder of language data is used"
}

# --- Stopping under load ------------------------------------------------------

begin_load() {
    docker run --interactive --rm --name "$RUN-load" --network "$RUN" --entrypoint python api-gateway:latest \
        -c "$(cat tests/images/load.py)" "$@" "${port[api-gateway]}" $LOAD_SECONDS \
        <$PICTURE >"$scratch/load" 2>"$scratch/causes" &
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        ! grep -qs begun "$scratch/load" || break
        sleep 0.1
    done
    sleep 1
}

# stop SERVICE: `docker stop`, with time to finish the requests in flight.
stop() {
    local began_ms status
    began_ms=$(now_ms)
    docker stop -t $STOP_SECONDS "$RUN-$1" >/dev/null
    stop_ms[$1]=$(($(now_ms) - began_ms))
    status=$(docker inspect --format '{{.State.ExitCode}}' "$RUN-$1")
    [ "$status" = 0 ] || die "$1 ended with $status when it was stopped"
}

# end_load SERVICE STATUS...: every connected request must have got one of these answers.
end_load() {
    local service=$1 kind
    shift
    wait $! || die "the load ended with an error: $(cat "$scratch/causes")"
    load[$service]=$(tail -n 1 "$scratch/load")
    for kind in 200 503 other lost; do
        [[ " $* " == *" $kind "* || " ${load[$service]} " == *" $kind=0 "* ]] ||
            die "stopping $service under load: ${load[$service]}; $(cat "$scratch/causes")"
    done
    [[ " ${load[$service]} " != *" 200=0 "* ]] || die "nothing was read under load: ${load[$service]}"
    good "$service stopped under load in $(seconds "${stop_ms[$service]}"): ${load[$service]}"
}

check_stopping() {
    begin_load api-gateway
    stop model-server
    docker start "$RUN-model-server" >/dev/null
    end_load model-server 200 503
    find_url model-server
    wait_ready model-server
    wait_ready api-gateway
    [[ $(ask $PICTURE "/gateway/ocr?format=text") == 200* ]] || die "no answer after the model server came back"
    good "the gateway finds the model server again"

    begin_load api-gateway
    stop api-gateway
    end_load api-gateway 200
}

check_logs() {
    local service
    for service in "${SERVICES[@]}"; do
        docker logs "$RUN-$service" >"$scratch/logs" 2>&1
        [ -s "$scratch/logs" ] || die "$service logged nothing"
        ! grep -q Traceback "$scratch/logs" || die "$service logged a traceback: $(grep -m 1 Traceback "$scratch/logs")"
    done
    good "no traceback in the logs"
}

summary() {
    local service
    printf '\n%-13s %10s %10s %9s %12s %8s %8s  %s\n' image size "over base" build "code change" ready stopped \
        "requests while it stopped"
    for service in "${SERVICES[@]}"; do
        printf '%-13s %10s %10s %9s %12s %8s %8s  %s\n' "$service" "$(megabytes "${size[$service]}")" \
            "$(megabytes "${over_base[$service]}")" "$(seconds "${build_ms[$service]}")" \
            "$(seconds "${rebuild_ms[$service]}")" "$(seconds "${ready_ms[$service]}")" \
            "$(seconds "${stop_ms[$service]}")" "${load[$service]}"
    done
    printf '\n%s\n' "$other_platform"
    printf '\nAll checks passed, after %d s. Images: model-server and api-gateway, tagged latest and %s.\n' \
        $((SECONDS - began)) "$VERSION"
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "Checking tools"
check_tools
check_context

step "Building"
for service in "${SERVICES[@]}"; do build_service "$service"; done
check_size api-gateway $MAX_GATEWAY_BYTES
check_size model-server $MAX_MODEL_BYTES
build_lean
check_size $LEAN $MAX_LEAN_BYTES
for service in "${SERVICES[@]}"; do check_rebuild "$service"; done
[ -z "$TEST_LANGUAGES" ] || check_languages

step "Starting both, on a separate network"
docker network create "$RUN" >/dev/null
start model-server --memory 2g
start api-gateway --memory 512m --env API_GATEWAY_MODEL_SERVER_URL=http://model-server:8080
for service in "${SERVICES[@]}"; do wait_healthy "$service"; done
good "both health checks report healthy"

step "Tests from outside"
check_answers
check_engines
check_compiled
check_lean

step "Tests from inside"
for service in "${SERVICES[@]}"; do check_inside "$service"; done
check_mounted_data

step "Stopping under load"
check_stopping
check_logs

step "As a release tries them, and for the other platform"
check_as_a_release
check_other_platform

summary
