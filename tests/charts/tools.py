"""Helm in both its versions, and what it renders, as plain dictionaries."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from tests.needs import missing

CHARTS = {"model-server": Path("charts/model-server"), "api-gateway": Path("charts/api-gateway")}
SCHEMAS = "tests/charts/schemas/{{.ResourceKind}}{{.KindSuffix}}.json"
KUBERNETES = "1.34.0"
HELMS = (4, 3)

Values = dict[str, Any]
Rendered = list[dict[str, Any]]

BACKLOG_URL = "http://api-gateway:8002/gateway/jobs/backlog"
SEVERAL: Values = {"replicaCount": 2}
POSTGRESQL: Values = {"jobs": {"enabled": True, "database": {"existingSecret": "ocr-jobs"}}}
WORKERS: Values = {"jobs": {**POSTGRESQL["jobs"], "worker": {"enabled": True, "replicas": 2}}}
SHARED: dict[str, Values] = {
    "default": {},
    "two replicas": SEVERAL,
    "autoscaling": {"autoscaling": {"enabled": True}},
    "autoscaling from two": {"autoscaling": {"enabled": True, "minReplicas": 2}},
    "network policy": {"networkPolicy": {"enabled": True}},
    "service monitor": {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}},
    "pod monitor": {"metrics": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}},
    "no metrics": {"metrics": {"annotations": False}},
    "node port": {"service": {"type": "NodePort", "nodePort": 30080}},
    "digest": {"image": {"repository": "registry.example/ocr", "digest": f"sha256:{'0' * 64}"}},
    "other account": {"serviceAccount": {"create": False, "name": "other"}},
    "long budget": {"config": {"requestTimeoutSeconds": 120.5}, "shutdown": {"delaySeconds": 15}},
    "scheduling": {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    },
    "extras": {
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraEnvFrom": [{"configMapRef": {"name": "proxy"}}],
        "extraVolumes": [{"name": "certificates", "secret": {"secretName": "certificates"}}],
        "extraVolumeMounts": [{"name": "certificates", "mountPath": "/certificates", "readOnly": True}],
        "podLabels": {"team": "ocr"},
        "podAnnotations": {"note": "yes"},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"annotations": {"a": "b"}},
        "service": {"annotations": {"c": "d"}},
    },
    "traces": {
        "tracing": {"endpoint": "http://collector.monitoring:4318", "attributes": {"deployment": "test, one"}},
        "networkPolicy": {"enabled": True, "collector": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]},
    },
    "no tests": {"tests": {"enabled": False}},
    "no limits": {"resources": {"limits": None}},
}
OPTIONS: dict[str, dict[str, Values]] = {
    "model-server": SHARED
    | {
        "keda": {"keda": {"enabled": True}},
        "keda with jobs": {"keda": {"enabled": True, "gatewayBacklogUrl": BACKLOG_URL}},
        "kserve": {"inferenceService": {"enabled": True}},
        "kserve with autoscaling": {"inferenceService": {"enabled": True}, "autoscaling": {"enabled": True}},
        "tls": {"tls": {"existingSecret": "model-server-tls"}},
        "tls for known callers": {"tls": {"existingSecret": "model-server-tls", "clients": True}},
        "languages": {
            "config": {"languages": ["eng", "deu"]},
            "tessdata": {"volume": {"persistentVolumeClaim": {"claimName": "tessdata"}}},
        },
        "one engine": {"config": {"engine": "tesseract", "tesseract": "pytesseract"}},
        "no CPU limit": {"resources": {"limits": {"cpu": None}}},
        "no memory limit": {"resources": {"limits": {"memory": None}}},
        "three workers": {"config": {"workers": 3}, "resources": {"limits": {"memory": "3Gi"}}},
        "four cores": {"resources": {"limits": {"cpu": "3500m", "memory": "3Gi"}}},
        "service's defaults": {"config": {"maxQueue": None, "logLevel": None, "workerMaxPages": None}},
    },
    "api-gateway": SHARED
    | {
        "keys": {"apiKeys": {"values": ["0123456789abcdef", "fedcba9876543210"]}},
        "keys of another": {"apiKeys": {"existingSecret": "ocr-keys", "secretKey": "keys.txt"}},
        "ingress": {
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "hosts": ["ocr.example", "www.ocr.example"],
                "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "21m"},
                "tls": [{"hosts": ["ocr.example"], "secretName": "ocr-tls"}],
            }
        },
        "tls to the model server": {
            "config": {"modelServerUrl": "https://model-server:8080"},
            "modelServerTls": {"existingSecret": "gateway-tls", "clientCertificate": True},
        },
        "http route": {
            "httpRoute": {
                "enabled": True,
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": ["ocr.example"],
                "paths": ["/gateway", "/docs"],
                "annotations": {"note": "yes"},
            },
            "config": {"documentTimeoutSeconds": 600},
        },
        "rules and dashboard": {
            "metrics": {
                "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
                "dashboard": {"enabled": True},
            }
        },
        "known callers": {
            "networkPolicy": {"enabled": True, "clients": [{"podSelector": {"matchLabels": {"app": "shop"}}}]}
        },
        "no memory limit": {"resources": {"limits": {"memory": None}}},
        "small": {"resources": {"limits": {"memory": "896Mi"}}},
        "large": {
            "resources": {"limits": {"memory": "4Gi", "ephemeral-storage": "3Gi"}},
            "spool": {"sizeLimit": "2Gi"},
        },
        "memory by hand": {"config": {"maxHeldMib": 100, "maxPagesHeldMib": 64, "splitterKillMib": 200}},
        "disk by hand": {"config": {"maxDiskMib": 500}},
        "documents in flight end soon": {"shutdown": {"documentGraceSeconds": 0}},
        "documents in flight may take long": {"shutdown": {"documentGraceSeconds": 3600}},
        "long documents": {"shutdown": {"graceSeconds": 3600}},
        "service's defaults": {"config": {"maxInFlight": None, "logLevel": None}},
        "jobs": {"jobs": {"enabled": True, "sqlite": {"storageClassName": "fast"}}},
        "jobs on a volume made by hand": {"jobs": {"enabled": True, "sqlite": {"existingClaim": "jobs"}}},
        "jobs in PostgreSQL": POSTGRESQL,
        "webhooks": {
            "jobs": {**POSTGRESQL["jobs"], "webhooks": {"existingSecret": "ocr-webhooks"}},
            "config": {"webhookAllow": ["hooks.internal", "10.0.0.0/8"], "publicUrl": "https://ocr.example"},
        },
        "contracts": {"config": {"contracts": ["azure"], "proxies": ["10.0.0.0/8", "fd00::/8"]}},
        "no contracts": {"config": {"contracts": []}},
        "no page": {"config": {"page": False}},
        "workers": WORKERS,
        "larger workers": {
            "jobs": {**WORKERS["jobs"], "worker": {"enabled": True, "resources": {"limits": {"memory": "2Gi"}}}},
            "config": {"maxHeldMib": 100, "maxPagesHeldMib": 64, "splitterKillMib": 200},
        },
        "workers by KEDA": {
            "jobs": {**WORKERS["jobs"], "worker": {"enabled": True, "keda": {"enabled": True, "maxReplicas": 8}}}
        },
        "workers behind policies": {
            **WORKERS,
            "networkPolicy": {"enabled": True, "database": {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}},
        },
    },
}
CASES = [(chart, name) for chart, options in OPTIONS.items() for name in options]


@functools.cache
def helm(major: int) -> str:
    """The path of Helm 3 or 4: `helm`, `helm3`, `helm4` or `helm3/helm` in a folder of PATH."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in ("helm", f"helm{major}", f"helm{major}/helm"):
            path = shutil.which(str(Path(folder) / name))
            if path and run(path, "version", "--short").stdout.startswith(f"v{major}."):
                return path
    return ""


def need_helm(major: int) -> str:
    if not helm(major):
        missing(f"Helm {major} is not on PATH (https://helm.sh)")
    return helm(major)


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def template(chart: str, values: Values, *, major: int = 4, release: str = "") -> subprocess.CompletedProcess[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        return run(
            need_helm(major),
            "template",
            release or chart,
            str(CHARTS[chart]),
            f"--kube-version={KUBERNETES}",
            "--namespace=ocr",
            f"--values={file.name}",
        )


def render(chart: str, values: Values, *, major: int = 4, release: str = "") -> Rendered:
    done = template(chart, values, major=major, release=release)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


@functools.cache
def _option(chart: str, name: str, major: int) -> str:
    return yaml.safe_dump_all(render(chart, OPTIONS[chart][name], major=major))


def option(chart: str, name: str, major: int = 4) -> Rendered:
    """What a chart renders with one of its options."""
    return list(yaml.safe_load_all(_option(chart, name, major)))


def refusal(chart: str, values: Values) -> str:
    """What Helm says of values that it does not take."""
    done = template(chart, values)
    assert done.returncode != 0, f"{values} was accepted"
    return done.stderr


def merged(*several: Values) -> Values:
    """Values laid over each other, as Helm does with more than one file."""
    result: Values = {}
    for values in several:
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def of_kind(rendered: Rendered, kind: str) -> Rendered:
    return [manifest for manifest in rendered if manifest["kind"] == kind]


def one(rendered: Rendered, kind: str) -> dict[str, Any]:
    """The one manifest of a kind that is no part of the tests and no worker's."""
    (found,) = [each for each in of_kind(rendered, kind) if not is_test(each) and not is_worker(each)]
    return found


def is_worker(manifest: dict[str, Any]) -> bool:
    return bool(manifest["metadata"]["labels"].get("app.kubernetes.io/component") == "worker")


def worker(rendered: Rendered) -> Rendered:
    """The objects of the workers alone, as if they were the gateway's."""
    found = [each for each in rendered if not is_test(each) and is_worker(each)]
    for each in found:
        each["metadata"]["labels"].pop("app.kubernetes.io/component")
    return found


def is_test(manifest: dict[str, Any]) -> bool:
    return bool(manifest["metadata"].get("annotations", {}).get("helm.sh/hook") == "test")


def pod(rendered: Rendered) -> dict[str, Any]:
    """A Deployment's template, or what KServe's controller makes it of."""
    if of_kind(rendered, "InferenceService"):
        predictor = one(rendered, "InferenceService")["spec"]["predictor"]
        return {"metadata": {key: predictor[key] for key in ("labels", "annotations")}, "spec": predictor}
    found: dict[str, Any] = one(rendered, "Deployment")["spec"]["template"]
    return found


def container(rendered: Rendered) -> dict[str, Any]:
    (found,) = pod(rendered)["spec"]["containers"]
    return dict(found)


SECRETS = {
    "API_GATEWAY_JOBS_DATABASE_URL": "postgresql://ocr:secret@postgres:5432/ocr",
    "API_GATEWAY_WEBHOOK_SECRETS": f"whsec_{'QUJD' * 8}",
}


def env(rendered: Rendered) -> dict[str, str]:
    """The container's environment, with values for what it takes from Secrets."""
    name = container(rendered)["envFrom"][0]["configMapRef"]["name"]
    settings = dict(
        next(found for found in of_kind(rendered, "ConfigMap") if found["metadata"]["name"] == name)["data"]
    )
    for variable in container(rendered).get("env", []):
        if "value" in variable:
            settings[variable["name"]] = variable["value"]
        elif "secretKeyRef" in variable["valueFrom"]:
            settings[variable["name"]] = SECRETS[variable["name"]]
    return settings


_BYTES = {"m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGT", start=1)
}


def mebibytes(quantity: str | float) -> int:
    """A Kubernetes quantity of memory in whole MiB."""
    number, unit = re.fullmatch(r"([0-9.]+)(\D*)", str(quantity)).groups()  # type: ignore[union-attr]
    return int(Fraction(number) * _BYTES.get(unit, 1) / (1 << 20))


def cpus(quantity: str | float) -> Fraction:
    return Fraction(str(quantity).removesuffix("m")) / (1000 if str(quantity).endswith("m") else 1)


def metric_names(promql: str) -> set[str]:
    """The names in an expression that are neither functions nor labels nor PromQL's own words."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\$\w+', " ", promql)
    bare = re.sub(r"\{[^}]*\}|\b(by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*(?!\s*\(|[A-Za-z0-9_:])", bare)
    return set(words) - {"and", "or", "unless", "offset", "bool", "m", "h", "by", "e"}
