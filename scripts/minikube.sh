#!/usr/bin/env bash
# make minikube: everything on a Minikube of 2 CPUs and 2 GB, step by step; may be run again. make minikube-down: away.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PROFILE=${MINIKUBE_PROFILE:-minikube}
readonly ARGOCD=10.1.1 PROMETHEUS=29.27.0 GRAFANA=12.11.1 # the charts' versions, as in docs/kubernetes.md
readonly READY_SECONDS=600
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
readonly VERSION

step() { printf '\n== %s\n' "$*"; }
die() {
    printf 'make minikube: %s\n' "$*" >&2
    exit 1
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || die "$program is not on PATH"
    done
}

chart() { # chart RELEASE NAMESPACE CHART VERSION REPOSITORY VALUES
    helm upgrade --install "$1" "$3" --repo "$5" --version "$4" --namespace "$2" --create-namespace \
        --kube-context "$PROFILE" --values "$6" --wait --timeout "${READY_SECONDS}s" >/dev/null
}

kube() { kubectl --context "$PROFILE" "$@"; }

wait_healthy() { # wait_healthy APPLICATION
    local health
    for _ in $(seq $((READY_SECONDS / 2))); do
        health=$(kube -n argocd get application "$1" -o jsonpath='{.status.sync.status} {.status.health.status}' 2>/dev/null || true)
        [ "$health" = 'Synced Healthy' ] && return
        sleep 2
    done
    die "$1 is '${health:-not there}', not 'Synced Healthy': kubectl -n argocd describe application $1"
}

up() {
    need minikube kubectl helm docker
    step "minikube: 2 CPUs, 2 GB"
    minikube --profile "$PROFILE" start --driver=docker --memory=2048 --cpus=2
    step 'images: built, then loaded'
    docker build -q -t "model-server:$VERSION" -f Dockerfile.model .
    docker build -q -t "api-gateway:$VERSION" -f Dockerfile.gateway .
    minikube --profile "$PROFILE" image load "model-server:$VERSION" "api-gateway:$VERSION"
    step "Argo CD (chart $ARGOCD)"
    chart argocd argocd argo-cd "$ARGOCD" https://argoproj.github.io/argo-helm argo-cd/values.yaml
    step "Prometheus (chart $PROMETHEUS)"
    chart prometheus monitoring prometheus "$PROMETHEUS" \
        https://prometheus-community.github.io/helm-charts prometheus/values.yaml
    step "Grafana (chart $GRAFANA)"
    chart grafana monitoring grafana "$GRAFANA" https://grafana-community.github.io/helm-charts grafana/values.yaml
    step 'both services, by Argo CD'
    kube apply -f argo-cd/app-project.yaml -f argo-cd/applicationset-model-server.yaml \
        -f argo-cd/applicationset-api-gateway.yaml
    wait_healthy model-server
    wait_healthy api-gateway
    cat <<TEXT

Ready. The gateway:

    kubectl --context $PROFILE -n ocr port-forward service/api-gateway 8001 &
    curl -F image_file=@docs/receipt.png 'http://127.0.0.1:8001/gateway/ocr?format=text'

Grafana at http://127.0.0.1:3000, as admin with the password that the last line prints:

    kubectl --context $PROFILE -n monitoring port-forward service/grafana 3000:80 &
    kubectl --context $PROFILE -n monitoring get secret grafana -o jsonpath='{.data.admin-password}' | base64 -d
TEXT
}

down() {
    need minikube
    minikube --profile "$PROFILE" delete
}

case ${1:-} in
    up) up ;;
    down) down ;;
    *) die 'usage: scripts/minikube.sh up|down' ;;
esac
