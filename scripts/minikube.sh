#!/usr/bin/env bash
# Installs everything on Minikube: make minikube, and make minikube-down. You can run it again: each step accepts what
# already exists, and images that changed are rolled out. PROFILE names the Minikube (and its kubectl context), by
# default one of its own; MEMORY and CPUS set its size.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PROFILE=${PROFILE:-ocr-service} MEMORY=${MEMORY:-2048} CPUS=${CPUS:-2}
readonly ARGO_CD=10.1.1 PROMETHEUS=29.27.0 GRAFANA=12.11.1
readonly SECONDS_TO_SYNC=900
VERSION=$(sed -n 's/^appVersion: "\(.*\)"/\1/p' charts/model-server/Chart.yaml)
REPOSITORY=$(sed -n 's/^ *repoURL: //p' argo-cd/applicationset-model-server.yaml)
REVISION=$(sed -n 's/^ *revision: //p' argo-cd/applicationset-model-server.yaml)
readonly VERSION REPOSITORY REVISION

step() { printf '\n== %s\n' "$*"; }
die() { printf '\n%s\n' "$*" >&2; exit 1; }
kube() { kubectl --context "$PROFILE" "$@"; }

chart() { # chart RELEASE CHART VERSION NAMESPACE VALUES
    step "$1: chart $2 $3"
    helm --kube-context "$PROFILE" upgrade --install "$1" "$2" --version "$3" --namespace "$4" --create-namespace \
        --values "$5" --wait --timeout 15m
}

image() { # image NAME DOCKERFILE: build and load; the tag names the content, so that a changed image is rolled out
    local id
    id=$(docker build --quiet --file "$2" . | sed 's/^sha256://')
    TAG=$VERSION-${id:0:12}
    docker tag "$id" "$1:$TAG"
    minikube image load --profile "$PROFILE" "$1:$TAG"
}

application() { # application NAME TAG
    sed "s|values: \"\"|values: \"image: {tag: $2}\"|" "argo-cd/applicationset-$1.yaml" | kube apply -f -
}

healthy() {
    [ "$(kube -n argocd get application "$1" -o 'jsonpath={.status.sync.status} {.status.health.status}' \
        2>/dev/null)" = "Synced Healthy" ]
}

wait_for() {
    step "$1: waiting until Argo CD has it Synced and Healthy"
    local until=$((SECONDS + SECONDS_TO_SYNC))
    until healthy "$1"; do
        if [ $SECONDS -ge $until ]; then
            kube -n argocd get applications || true
            kube -n ocr get pods || true
            die "$1 is not Healthy after $SECONDS_TO_SYNC s: kubectl -n argocd describe application $1"
        fi
        sleep 5
    done
}

up() {
    local tool
    for tool in minikube kubectl helm docker git; do
        command -v "$tool" >/dev/null || die "$tool is required, but not on PATH."
    done
    cat <<TEXT
This changes the Minikube profile $PROFILE, and no other cluster: it creates it if it does not exist, installs Argo CD,
Prometheus and Grafana by Helm, builds two images and loads them, and lets Argo CD install both services in namespace
ocr. On this machine it adds three Helm repositories, the two images and the kubectl context $PROFILE.
make minikube-down deletes the profile.
TEXT
    step "The repository that Argo CD reads: $REPOSITORY, revision $REVISION"
    GIT_TERMINAL_PROMPT=0 git ls-remote --exit-code "$REPOSITORY" "$REVISION" >/dev/null 2>&1 ||
        die "This machine can't read it. Push this repository and the tag to a readable one, or follow a branch:" \
            "make fork REPO=https://… REVISION=main"

    step "Minikube, with $CPUS CPUs and $MEMORY MB"
    minikube start --profile "$PROFILE" --driver=docker --memory="$MEMORY" --cpus="$CPUS"

    step "The charts' repositories"
    helm repo add argo https://argoproj.github.io/argo-helm --force-update
    helm repo add prometheus-community https://prometheus-community.github.io/helm-charts --force-update
    helm repo add grafana-community https://grafana-community.github.io/helm-charts --force-update
    chart argocd argo/argo-cd $ARGO_CD argocd argo-cd/values.yaml
    chart prometheus prometheus-community/prometheus $PROMETHEUS monitoring prometheus/values.yaml
    chart grafana grafana-community/grafana $GRAFANA monitoring grafana/values.yaml

    step "The images, version $VERSION"
    image model-server Dockerfile.model
    local model_tag=$TAG
    image api-gateway Dockerfile.gateway
    local gateway_tag=$TAG

    step "The project and the two Applications"
    kube apply -f argo-cd/app-project.yaml
    application model-server "$model_tag"
    application api-gateway "$gateway_tag"
    wait_for model-server
    wait_for api-gateway

    step "Done. Read a picture:"
    cat <<TEXT
  kubectl --context $PROFILE -n ocr port-forward service/api-gateway 8001 &
  curl -F image_file=@charts/api-gateway/files/hello.png http://127.0.0.1:8001/gateway/ocr

The dashboard, as admin, at http://127.0.0.1:3000:
  kubectl --context $PROFILE -n monitoring get secret grafana -o jsonpath='{.data.admin-password}' | base64 -d; echo
  kubectl --context $PROFILE -n monitoring port-forward service/grafana 3000:80

Argo CD, as admin, at http://127.0.0.1:8080:
  kubectl --context $PROFILE -n argocd get secret argocd-initial-admin-secret -o jsonpath='{.data.password}' | base64 -d; echo
  kubectl --context $PROFILE -n argocd port-forward service/argocd-server 8080:80
TEXT
}

down() {
    step "Deleting the Minikube profile $PROFILE with everything in it, and no other"
    minikube delete --profile "$PROFILE"
}

case ${1:-} in
    up | down) "$1" ;;
    *) die "usage: scripts/minikube.sh up|down" ;;
esac
